package chain

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/test/contracts"
)

// backup is what another node made of a ledger: its state and its chain.
type backup struct {
	store *kv.Store
	chain *Chain
}

func newBackup(t testing.TB, l *ethereumtest.Ledger) *backup {
	store, err := kv.New(evm.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	b := &backup{store: store}
	genesis, err := l.Block(t.Context(), 0)
	if err == nil {
		err = sequencer.Apply(store, genesis)
	}
	if err == nil {
		b.chain, err = Open(t.Context(), l, NoIndex, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *backup) take(t testing.TB, open func() (*envelope.Block, error)) {
	block, err := open()
	if err == nil {
		err = sequencer.Apply(b.store, block)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.chain.Committed(&sequencer.Committed{Block: block})
}

// BenchmarkBackup is what another node's block of 300 transfers of a token costs
// a node once it is committed: to open it, to apply it and to tell the chain.
func BenchmarkBackup(b *testing.B) {
	const blocks, each = 20, 300
	l, nonces, accounts := ethereumtest.New(b), make([]uint64, 8), ethereum.DevelopmentAccounts()
	token := crypto.CreateAddress(accounts[0].Address, 0)
	sign := func(sender int, data []byte) []byte {
		tx := &types.DynamicFeeTx{ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: nonces[sender], Gas: 2_000_000, To: &token, Data: data}
		if sender == 0 && nonces[0] == 0 {
			tx.To = nil
		}
		nonces[sender]++
		return ethereumtest.Sign(b, accounts[sender].Key, tx)
	}
	setup := [][]byte{sign(0, contracts.Token.Deploy("Token", "TOK", big.NewInt(1e18)))}
	for i := range nonces {
		setup = append(setup, sign(0, contracts.Token.Call("transfer", accounts[i].Address, big.NewInt(1e12))))
	}
	l.Commit(b, setup...)
	for range blocks {
		raw := make([][]byte, each)
		for i := range raw {
			raw[i] = sign(i%len(nonces), contracts.Token.Call("transfer", accounts[(i*5+3)%len(nonces)].Address, big.NewInt(1)))
		}
		l.Commit(b, raw...)
	}
	for _, part := range []string{"open", "all", "chain"} {
		b.Run(part, func(b *testing.B) {
			b.ReportAllocs()
			node, height := newBackup(b, l), uint64(1)
			for b.Loop() {
				if height++; part != "open" && (height == 2 || height == blocks+2) {
					b.StopTimer()
					node, height = newBackup(b, l), 2
					node.take(b, func() (*envelope.Block, error) { return l.Block(b.Context(), 1) })
					b.StartTimer()
				}
				open := func() (*envelope.Block, error) { return l.Block(b.Context(), 2+(height-2)%blocks) }
				switch part {
				case "open":
					if _, err := open(); err != nil {
						b.Fatal(err)
					}
				case "all":
					node.take(b, open)
				case "chain":
					b.StopTimer()
					block, err := open()
					if err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					node.chain.Committed(&sequencer.Committed{Block: block})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*each), "ns/tx")
		})
	}
}

// A block of another node whose transactions are not what its header says is kept
// by its header: all questions that it could answer are refused, and all others
// are answered.
func TestBlockThatDoesNotDecode(t *testing.T) {
	w := newWorld(t)
	w.commit(t, 2)
	good := w.blocks[1]
	node := newBackup(t, w.Ledger)
	take := func(height uint64, damage func(*format.Private)) {
		node.take(t, func() (*envelope.Block, error) {
			b, err := w.Block(t.Context(), height)
			if err == nil {
				damage(b.Records[0].Private)
			}
			return b, err
		})
	}
	c := node.chain
	s := c.Subscribe(8)
	take(1, func(*format.Private) {})
	if n := <-s.Blocks(); n == nil || n.Hash != good.Hash || len(n.Receipts) != 2 {
		t.Fatalf("the subscription ended with %v", s.Err())
	}
	w.commit(t, 2)
	bad := w.blocks[2]
	take(2, func(p *format.Private) { p.Outcome[2] ^= 1 })
	if n, ok := <-s.Blocks(); ok || s.Err() == nil {
		t.Errorf("a subscriber got %v", n)
	}
	w.commit(t, 1)
	take(3, func(*format.Private) {})

	ctx := t.Context()
	_, number := c.ByNumber(ctx, 2)
	_, hash := c.ByHash(ctx, bad.Hash)
	_, _, transaction := c.Transaction(ctx, bad.Receipts[0].TxHash)
	_, logs := c.Logs(ctx, Filter{From: 1, To: 3})
	for name, err := range map[string]error{"number": number, "hash": hash, "transaction": transaction, "logs": logs} {
		if err == nil || err.Error() == ErrUnknown.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, _ := c.Recent(bad.Receipts[0].TxHash); b != nil {
		t.Error("a transaction of it is shown")
	}
	if _, ok := c.Find(bad.Receipts[0].TxHash[:]); ok {
		t.Error("a transaction of it has a name")
	}
	if h, err := c.Hash(2); h != bad.Hash || err != nil {
		t.Errorf("its hash is %v, %v", h, err)
	}
	if c.Head().Hash != w.blocks[3].Hash || c.Number() != 3 || c.Fault() != nil {
		t.Errorf("the chain stands at %d: %v", c.Number(), c.Fault())
	}
	if b, i, err := c.Transaction(ctx, good.Receipts[1].TxHash); err != nil || i != 1 || b.TxIDs[1] != good.TxIDs[1] {
		t.Errorf("a transaction of a good block: %v", err)
	}
	if got, err := c.Logs(ctx, Filter{From: 1, To: 1}); err != nil || len(got) != count(good.Receipts) {
		t.Errorf("logs of a good block: %v", err)
	}
}
