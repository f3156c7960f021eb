package pool

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

var _ interface {
	forward.Decoder
	forward.Fresher
} = (*Intake)(nil)

// Intake is what the primary makes of the transactions that it is to execute, its
// own and those that other nodes forward: a forward.Decoder and forward.Fresher.
type Intake struct {
	*Checker
	// Account is that of Config.
	Account func(common.Address) (nonce uint64, balance uint256.Int)
	// Committed is the name of the committed transaction with a hash, if there is
	// one; chain.Chain.Find is it.
	Committed func(hash []byte) (sequencer.TxID, bool)
}

// Decode checks form and signature once more. The node that forwards has done so
// and is attested to run the same code, and whoever broke into it would hold the
// service's keys and need not forge a sender; but the check runs on all cores
// beside the single order, and so nothing is ever executed here that this node has
// not checked itself. It is safe for concurrent use.
func (i *Intake) Decode(raw, _ []byte) (any, error) {
	t, err := i.Check(raw)
	if err != nil {
		return nil, err
	}
	return &t.Transaction, nil
}

// Fresh says that a decoded transaction cannot be committed, because the state has
// not got past its nonce. It spares Find, which reads the history index, to all but
// those that come twice or too late.
func (i *Intake) Fresh(decoded any) bool {
	t, ok := decoded.(*ethereum.Transaction)
	if !ok {
		return false
	}
	nonce, _ := i.Account(t.From)
	return t.Nonce() >= nonce
}

// Find is Committed: who sends a transaction again that is committed is told so,
// and not that its nonce is used.
func (i *Intake) Find(id []byte) (sequencer.TxID, bool) { return i.Committed(id) }
