package chain

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// world is a ledger whose contracts log random topics, its index, and a chain
// that has followed it from the start.
type world struct {
	*ethereumtest.Ledger
	index  *history.Index
	chain  *Chain
	random *rand.Rand
	nonces [4]uint64
	blocks []*ethereum.Block
}

func newWorld(t *testing.T) *world {
	w := &world{Ledger: ethereumtest.New(t), random: rand.New(rand.NewPCG(1, 2))}
	var err error
	if w.index, err = history.Open("index", history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.index.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.chain, err = Open(t.Context(), w, w.index, 0); err != nil {
		t.Fatal(err)
	}
	w.blocks = append(w.blocks, w.chain.Head())
	if err := w.index.Add(0, Terms(w.chain.Head())); err != nil {
		t.Fatal(err)
	}
	return w
}

// transaction logs from a few addresses with a few topics.
func (w *world) transaction(t *testing.T) []byte {
	from := w.random.IntN(len(w.nonces))
	var code []byte
	for range w.random.IntN(4) {
		topics := w.random.IntN(4)
		for range topics {
			code = append(code, byte(vm.PUSH1), byte(w.random.IntN(3)))
		}
		code = append(code, byte(vm.PUSH1), byte(w.random.IntN(3)), byte(vm.PUSH1), 0, byte(vm.LOG0)+byte(topics))
	}
	w.nonces[from]++
	return ethereumtest.Sign(t, ethereum.DevelopmentAccounts()[from].Key, &types.LegacyTx{
		Nonce: w.nonces[from] - 1, Gas: 200_000, Data: code,
	})
}

func (w *world) commit(t *testing.T, transactions int) *sequencer.Committed {
	t.Helper()
	var raw [][]byte
	for range transactions {
		raw = append(raw, w.transaction(t))
	}
	c := w.Commit(t, raw...)
	w.chain.Committed(c)
	b, err := ethereum.FromCommitted(c)
	if err != nil {
		t.Fatal(err)
	}
	w.blocks = append(w.blocks, b)
	entries, err := TermsOf(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.index.Add(b.Number(), entries); err != nil {
		t.Fatal(err)
	}
	return c
}

// lagging is an index that has not got further than a height.
type lagging struct {
	Index
	height uint64
}

func (l lagging) Height() (uint64, bool) { return l.height, true }

func (l lagging) Find(term []byte, from, to uint64, limit int, reverse bool) ([]history.Found, error) {
	return l.Index.Find(term, from, min(to, l.height), limit, reverse)
}

// empty is an index that holds nothing yet.
type empty struct{ Index }

func (empty) Height() (uint64, bool) { return 0, false }
func (empty) Find([]byte, uint64, uint64, int, bool) ([]history.Found, error) {
	return nil, nil
}

// Whether a block lies in the tail, behind the index, or between the two cannot
// be told from the answers.
func TestSameAnswersFromEverywhere(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.commit(t, w.random.IntN(5))
	}
	ctx := t.Context()
	open := func(index Index) *Chain {
		c, err := Open(ctx, w, index, w.Height())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	chains := map[string]*Chain{
		"tail": w.chain, "index": open(w.index), "half indexed": open(lagging{w.index, 20}), "not indexed": open(empty{w.index}),
	}
	for name, c := range chains {
		if c.Head().Hash != w.blocks[len(w.blocks)-1].Hash {
			t.Errorf("%s: wrong head", name)
		}
		for _, want := range w.blocks {
			if b, err := c.ByNumber(ctx, want.Number()); err != nil || b.Hash != want.Hash || len(b.Receipts) != len(want.Receipts) {
				t.Errorf("%s: block %d: %v", name, want.Number(), err)
			}
			if b, err := c.ByHash(ctx, want.Hash); err != nil || b.Number() != want.Number() {
				t.Errorf("%s: block %v: %v", name, want.Hash, err)
			}
			if hash, err := c.Hash(want.Number()); err != nil || hash != want.Hash {
				t.Errorf("%s: hash of %d: %v %v", name, want.Number(), hash, err)
			}
			for i, r := range want.Receipts {
				b, at, err := c.Transaction(ctx, r.TxHash)
				if err != nil || b.Hash != want.Hash || at != i || b.TxIDs[at] != want.TxIDs[i] {
					t.Errorf("%s: transaction %d of %d: %v", name, i, want.Number(), err)
				}
			}
		}
		for n := range 100 {
			f := w.filter()
			logs, err := c.Logs(ctx, f)
			if err != nil || fmt.Sprint(deref(logs)) != fmt.Sprint(deref(w.brute(f))) {
				t.Fatalf("%s: filter %d %+v gives %d logs, want %d: %v", name, n, f, len(logs), len(w.brute(f)), err)
			}
		}
	}
}

func deref(logs []*types.Log) (values []types.Log) {
	for _, l := range logs {
		values = append(values, *l)
	}
	return values
}

func (w *world) filter() Filter {
	f := Filter{From: uint64(w.random.IntN(45)), To: uint64(w.random.IntN(45))}
	for range w.random.IntN(3) {
		b := w.blocks[w.random.IntN(len(w.blocks))]
		for _, r := range b.Receipts {
			for _, l := range r.Logs {
				f.Addresses = append(f.Addresses, l.Address)
			}
		}
	}
	for range w.random.IntN(3) {
		var topics []common.Hash
		for range w.random.IntN(3) {
			topics = append(topics, common.BigToHash(big.NewInt(int64(w.random.IntN(3)))))
		}
		f.Topics = append(f.Topics, topics)
	}
	return f
}

// brute applies the rule of eth_getLogs to every log there is.
func (w *world) brute(f Filter) (logs []*types.Log) {
	for _, b := range w.blocks {
		for _, r := range b.Receipts {
			for _, l := range r.Logs {
				ok := b.Number() >= f.From && b.Number() <= f.To && len(l.Topics) >= len(f.Topics)
				ok = ok && (len(f.Addresses) == 0 || slices.Contains(f.Addresses, l.Address))
				for i := 0; ok && i < len(f.Topics); i++ {
					ok = len(f.Topics[i]) == 0 || slices.Contains(f.Topics[i], l.Topics[i])
				}
				if ok {
					logs = append(logs, l)
				}
			}
		}
	}
	return logs
}

func TestUnknown(t *testing.T) {
	w := newWorld(t)
	w.commit(t, 2)
	w.commit(t, 1)
	ctx := t.Context()
	old, err := Open(ctx, w, w.index, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Chain{"tail": w.chain, "index": old} {
		if _, err := c.ByNumber(ctx, 3); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: block 3: %v", name, err)
		}
		if _, err := c.ByHash(ctx, common.Hash{1}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: block hash: %v", name, err)
		}
		if _, _, err := c.Transaction(ctx, common.Hash{1}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: transaction: %v", name, err)
		}
	}
}

// The tail lets its oldest blocks go, with all that leads to them, and keeps the
// head whatever its size.
func TestTail(t *testing.T) {
	w := newWorld(t)
	w.chain.tail.maxBlocks = 3
	for range 6 {
		w.commit(t, 2)
	}
	tail := &w.chain.tail
	if len(tail.list) != 3 || len(tail.byHash) != 3 || len(tail.byTransaction) != 6 || tail.first() != 4 || tail.at(3) != nil || tail.at(7) != nil {
		t.Errorf("the tail holds %d blocks from %d, %d hashes, %d transactions", len(tail.list), tail.first(), len(tail.byHash), len(tail.byTransaction))
	}
	tail.maxBytes = 1
	w.commit(t, 2)
	if len(tail.list) != 1 || tail.head().Number() != 7 || tail.bytes != weight(tail.head()) {
		t.Errorf("the tail holds %d blocks, %d bytes", len(tail.list), tail.bytes)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.commit(t, 1)
	}
	ctx := t.Context()
	many := make([]common.Address, MaxAlternatives+1)
	if _, err := w.chain.Logs(ctx, Filter{To: 5, Addresses: many}); !errors.Is(err, ErrTooWide) {
		t.Errorf("too many addresses: %v", err)
	}
	if logs, err := w.chain.Logs(ctx, Filter{To: 5, Topics: make([][]common.Hash, 5)}); err != nil || len(logs) != 0 {
		t.Errorf("five topics: %v", err)
	}

	// A ledger much longer than its index, or than an unselective filter may read.
	far := &ethereum.Block{Header: &types.Header{Number: big.NewInt(5000)}}
	long, err := Open(ctx, w, w.index, 5)
	if err != nil {
		t.Fatal(err)
	}
	long.tail = newTail()
	long.tail.push(ethereum.Ready(far))
	if _, _, err := long.Transaction(ctx, common.Hash{1}); !errors.Is(err, history.ErrBehind) {
		t.Errorf("an index far behind: %v", err)
	}
	long.index, long.limits.scan = lagging{w.index, 4999}, 3
	if _, err := long.Logs(ctx, Filter{To: 5000}); !errors.Is(err, ErrTooWide) {
		t.Errorf("a wide filter: %v", err)
	}
	if logs, err := long.Logs(ctx, Filter{To: 5000, Addresses: []common.Address{{9}}}); err != nil || len(logs) != 0 {
		t.Errorf("a wide filter with an address: %v", err)
	}
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t)
	w.commit(t, 1)
	quick, slow, closed := w.chain.Subscribe(8), w.chain.Subscribe(2), w.chain.Subscribe(8)
	closed.Close()
	closed.Close()
	for range 4 {
		w.commit(t, 1)
	}
	for number := uint64(2); number <= 5; number++ {
		if b := <-quick.Blocks(); b.Number() != number {
			t.Errorf("block %d, want %d", b.Number(), number)
		}
	}
	quick.Close()
	if _, ok := <-quick.Blocks(); ok || quick.Err() != nil {
		t.Errorf("closed with %v", quick.Err())
	}
	n := 0
	for range slow.Blocks() {
		n++
	}
	if n != 2 || !errors.Is(slow.Err(), ErrSlow) {
		t.Errorf("the slow subscriber got %d blocks and %v", n, slow.Err())
	}
	if _, ok := <-closed.Blocks(); ok || closed.Err() != nil {
		t.Errorf("the closed one got a block, or %v", closed.Err())
	}
}

// Whoever is told of a block finds it by every method.
func TestVisibleAtOnce(t *testing.T) {
	w := newWorld(t)
	w.chain.tail.maxBlocks = 2
	ctx := t.Context()
	var readers sync.WaitGroup
	for range 3 {
		s := w.chain.Subscribe(64)
		readers.Go(func() {
			for b := range s.Blocks() {
				number := b.Number()
				if head := w.chain.Head().Number(); head < number {
					t.Errorf("block %d was announced, the head is %d", number, head)
				}
				if found, err := w.chain.ByNumber(ctx, number); err != nil || found.Hash != b.Hash {
					t.Errorf("block %d by number: %v", number, err)
				}
				if found, err := w.chain.ByHash(ctx, b.Hash); err != nil || found.Hash != b.Hash {
					t.Errorf("block %d by hash: %v", number, err)
				}
				for i, r := range b.Receipts {
					if found, at, err := w.chain.Transaction(ctx, r.TxHash); err != nil || found.Hash != b.Hash || at != i {
						t.Errorf("transaction of block %d: %v", number, err)
					}
				}
				if logs, err := w.chain.Logs(ctx, Filter{From: number, To: number}); err != nil || len(logs) != count(b.Receipts) {
					t.Errorf("logs of block %d: %d, %v", number, len(logs), err)
				}
				if number == 30 {
					s.Close()
				}
			}
		})
	}
	for range 30 {
		w.commit(t, 3)
	}
	readers.Wait()
}

func count(receipts []*types.Receipt) (n int) {
	for _, r := range receipts {
		n += len(r.Logs)
	}
	return n
}

// A committed block that cannot be read ends the following, and says so.
func TestFault(t *testing.T) {
	w := newWorld(t)
	s := w.chain.Subscribe(1)
	c := w.commit(t, 1)
	<-s.Blocks()
	w.chain.Committed(&sequencer.Committed{Block: &envelope.Block{Header: c.Header}})
	if _, ok := <-s.Blocks(); ok || s.Err() == nil || w.chain.Fault() == nil {
		t.Errorf("subscription ended with %v, chain with %v", s.Err(), w.chain.Fault())
	}
	late := w.chain.Subscribe(1)
	if _, ok := <-late.Blocks(); ok || late.Err() == nil {
		t.Error("a broken chain takes subscribers")
	}
}

func TestContext(t *testing.T) {
	w := newWorld(t)
	w.commit(t, 1)
	head := w.chain.Head()
	at, pending := w.chain.At(w.Machine, head), w.chain.Pending(w.Machine, head.Header.Time+9)
	if at.Number != 1 || at.Time != head.Header.Time || at.Random != head.Header.MixDigest || at.Hash(0) != w.blocks[0].Hash {
		t.Errorf("context %+v", at)
	}
	if pending.Number != 2 || pending.Time != head.Header.Time+9 || pending.Random == at.Random || pending.Hash(1) != head.Hash {
		t.Errorf("pending context %+v", pending)
	}
	if early := w.chain.Pending(w.Machine, 0); early.Time != head.Header.Time {
		t.Error("time runs back")
	}
	if (pending.Hash(77) != common.Hash{}) {
		t.Error("a block to come has a hash")
	}
}

var _ Blocks = (*ethereumtest.Ledger)(nil)

// What lies above the head may still be replaced: a call does not see its hash,
// and the executor, who knows what it asks for, leaves no trace of it.
func TestAboveTheHead(t *testing.T) {
	w := newWorld(t)
	w.commit(t, 1)
	told := w.chain.Head()
	w.Commit(t, w.transaction(t)) // in the ledger; the chain is not told
	if hash := w.chain.At(w.Machine, told).Hash(2); hash != (common.Hash{}) {
		t.Errorf("a call sees the hash %v of a block above the head", hash)
	}
	hash, err := w.chain.Hash(2)
	if err != nil || hash == (common.Hash{}) {
		t.Errorf("the executor is told %v, %v", hash, err)
	}
	if w.chain.hashes.Contains(2) || w.chain.old.Contains(2) {
		t.Error("a block above the head is remembered")
	}
}
