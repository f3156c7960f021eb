package ethereum_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/test/contracts"
)

// transfers is a ledger with a token, and requests of n transfers of it, whose
// signatures are recovered.
func transfers(t testing.TB, n int) (*ethereumtest.Ledger, []*sequencer.Request) {
	l, nonces := ethereumtest.New(t), make([]uint64, len(accounts))
	token := crypto.CreateAddress(accounts[0].Address, 0)
	sign := func(sender int, data []byte) []byte {
		tx := &types.DynamicFeeTx{ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: nonces[sender], Gas: 2_000_000, To: &token, Data: data}
		if nonces[sender] == 0 && sender == 0 {
			tx.To = nil
		}
		nonces[sender]++
		return ethereumtest.Sign(t, accounts[sender].Key, tx)
	}
	setup := [][]byte{sign(0, contracts.Token.Deploy("Token", "TOK", big.NewInt(1e18)))}
	for _, a := range accounts {
		setup = append(setup, sign(0, contracts.Token.Call("transfer", a.Address, big.NewInt(1e12))))
	}
	l.Commit(t, setup...)
	requests := make([]*sequencer.Request, n)
	for i := range requests {
		raw := sign(i%len(accounts), contracts.Token.Call("transfer", accounts[(i*7+3)%len(accounts)].Address, big.NewInt(1)))
		decoded, err := ethereum.DecodeTransaction(raw, ethereum.DevelopmentChainID)
		if err != nil {
			t.Fatal(err)
		}
		requests[i] = &sequencer.Request{Protocol: ethereum.Protocol, Bytes: raw, Decoded: decoded}
	}
	return l, requests
}

// execute executes requests in a part, and leaves their changes in the block.
func execute(t testing.TB, part sequencer.Part, block *kv.Block, requests []*sequencer.Request) {
	for _, r := range requests {
		tx := block.Tx()
		if result, err := part.Execute(tx, r); err != nil || result.Gas < 25_000 {
			t.Fatal(result, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// A block of a hundred transfers, from opening to closing: execution, outcomes,
// events, claims, header and receipts. The block is discarded and made again.
func BenchmarkBlock(b *testing.B) {
	l, requests := transfers(b, 100)
	b.ReportAllocs()
	for b.Loop() {
		part, block := l.Open(b)
		execute(b, part, block, requests)
		part.Close()
		block.Discard()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(requests)), "ns/tx")
}

// What a transfer allocates in the room: 46 with its share of the block when this was
// written, of which kv's transaction has one, go-ethereum's interpreter 22, and what
// is kept of the transaction the rest.
func TestExecuteAllocations(t *testing.T) {
	const most = 50
	l, requests := transfers(t, 100)
	n := testing.AllocsPerRun(10, func() {
		part, block := l.Open(t)
		execute(t, part, block, requests)
		part.Close()
		block.Discard()
	}) / float64(len(requests))
	if n > most {
		t.Errorf("%v allocations for a transfer, of at most %d", n, most)
	}
}
