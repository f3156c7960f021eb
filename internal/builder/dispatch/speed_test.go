package dispatch_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
)

// busy is a ledger that goes on with blocks full of transactions, of which every
// tenth calls a contract that is known.
type busy struct {
	*simulated.Ledger
	made    []ledger.Block
	address common.Address
}

// fill adds blocks of each transactions.
func (b *busy) fill(blocks, each int, data []byte) {
	head, _ := b.Ledger.Head(context.Background())
	parent := head.Hash
	for i := range blocks {
		n := head.Number + 1 + uint64(i)
		block := ledger.Block{Ref: ledger.Ref{Number: n, Hash: numbered(1, n)}, Parent: parent, Traced: true}
		for j := range each {
			id := n<<20 + uint64(j)
			from, to := common.BytesToAddress(numbered(2, id%1000).Bytes()), common.BytesToAddress(numbered(3, id).Bytes())
			t := ledger.Transaction{Hash: numbered(4, id), From: from, To: &to, Input: data}
			if j%10 == 0 {
				t.To = &b.address
			}
			t.Calls = []ledger.CallFrame{{Kind: "CALL", From: from, To: *t.To, Input: data}}
			block.Transactions = append(block.Transactions, t)
		}
		b.made = append(b.made, block)
		parent = block.Hash
	}
}

func numbered(kind byte, n uint64) common.Hash {
	var h common.Hash
	h[0] = kind
	binary.BigEndian.PutUint64(h[24:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(h[12:], n)
	return h
}

func (b *busy) Head(ctx context.Context) (ledger.Ref, error) {
	if len(b.made) > 0 {
		return b.made[len(b.made)-1].Ref, nil
	}
	return b.Ledger.Head(ctx)
}

func (b *busy) Blocks(ctx context.Context, from uint64, limit int) ([]ledger.Block, error) {
	if len(b.made) == 0 || from < b.made[0].Number {
		return b.Ledger.Blocks(ctx, from, limit)
	}
	rest := b.made[min(from-b.made[0].Number, uint64(len(b.made))):]
	return rest[:min(limit, len(rest))], nil
}

func (b *busy) Read(ctx context.Context, _ ledger.Ref, calls []ledger.Call) ([]ledger.Result, error) {
	head, err := b.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	return b.Ledger.Read(ctx, head, calls)
}

// BenchmarkIndex is how many transactions are taken in, of which every tenth is
// an action of a known contract. The ledger costs nothing.
func BenchmarkIndex(b *testing.B) {
	s := newStage(b, simulated.Options{})
	s.start()
	shop, _ := s.create("kim", "1")
	s.calm()
	s.stop()
	data, err := s.bound(s.shop).Call("Put", args("n", "1"))
	s.ok(err)
	ledger := &busy{Ledger: s.ledger, address: s.contract(shop).Address}
	const each = 500
	blocks := max(1, b.N/each)
	ledger.fill(blocks, each, data)
	s.driver, s.batch = ledger, 16
	head, err := ledger.Head(b.Context())
	s.ok(err)
	b.ResetTimer()
	s.start()
	s.until("all is taken in", func() bool {
		cursor, err := s.store.Cursor(b.Context(), s.conn)
		s.ok(err)
		return cursor.Next == head.Number+1
	})
	b.ReportMetric(float64(blocks*each)/b.Elapsed().Seconds(), "transactions/s")
}
