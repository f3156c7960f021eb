package node

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
)

// newPool joins Ethereum's admission to the speculative state and the sequencer.
func (n *Node) newPool() *pool.Pool {
	return pool.New(pool.Config{
		Now: n.config.Clock, Fault: n.sequencer.Fault,
		Account:  n.account,
		Submit:   n.submit,
		OnItsWay: func(hash common.Hash) bool { return n.intake.OnItsWay(hash[:]) },
	})
}

// account is a sender's nonce and balance in the speculative state.
func (n *Node) account(a common.Address) (uint64, uint256.Int) {
	account, _ := n.rooms.machine.View(n.state.Speculative()).Account(a)
	return account.Nonce, account.Balance
}
