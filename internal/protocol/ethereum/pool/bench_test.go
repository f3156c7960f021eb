package pool

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// erc20 is a signed ERC-20 transfer.
func erc20(t testing.TB) []byte {
	return sign(t, newAccount(t), chainID, &types.DynamicFeeTx{ChainID: big.NewInt(chainID), Gas: 60000, To: &common.Address{1}, Data: make([]byte, 68)})
}

// What checking a transfer allocates: 19 when this was written, of which 16 are the
// library's for its fields, and one each for what is kept, for the sender's public
// key and for the value.
func TestCheckAllocations(t *testing.T) {
	const most = 22
	raw, c := erc20(t), NewChecker(chainID)
	n := testing.AllocsPerRun(100, func() {
		if _, err := c.Check(raw); err != nil {
			t.Fatal(err)
		}
	})
	if n > most {
		t.Errorf("%v allocations, of at most %d", n, most)
	}
}

// Form, signature and hash of one ERC-20 transfer.
func BenchmarkCheck(b *testing.B) {
	raw, c := erc20(b), NewChecker(chainID)
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
