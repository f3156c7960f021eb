package pool

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// Form, signature and hash of one ERC-20 transfer.
func BenchmarkCheck(b *testing.B) {
	a := newAccount(b)
	raw := sign(b, a, chainID, &types.LegacyTx{Gas: 60000, To: &common.Address{1}, Data: make([]byte, 68)})
	c := NewChecker(chainID)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// The part behind the lock, for a sender whose transactions are executed and
// committed as they come.
func BenchmarkAdmit(b *testing.B) {
	l, a := newLedger(), newAccount(b)
	p := l.pool(Limits{})
	to := &common.Address{1}
	txs := make([]*Transaction, 1000)
	for i := range txs {
		tx := types.NewTx(&types.LegacyTx{Nonce: uint64(i), To: to})
		txs[i] = &Transaction{Transaction: ethereum.Transaction{Transaction: tx, From: a.address}, hash: tx.Hash()}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(txs) {
			i = 0
			l.nonce[a.address] = 0
		}
		if _, err := p.Admit(nil, txs[i]); err != nil {
			b.Fatal(err)
		}
		l.execute(1)
		l.commit()
		i++
	}
}
