package node

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/disk/fault"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// indexed waits until an index has all that is committed.
func indexed(t *testing.T, x *indexer) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(time.Millisecond) {
		height, ok := x.Height()
		if ok && height == x.committed() {
			return
		}
		if time.Now().After(deadline) { // a test that hangs says where
			t.Fatalf("the index stands at %d (%v), the ledger at %d", height, ok, x.committed())
		}
	}
}

// payBlocks makes so many blocks of one payment each, beginning with a nonce.
func payBlocks(t *testing.T, n *Node, nonce, count uint64) (told []acknowledged) {
	t.Helper()
	for end := nonce + count; nonce < end; nonce++ {
		a, err := n.pay(t.Context(), nonce)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, a)
	}
	return told
}

// look asks for transactions in any order. What is committed is found, or the
// index says that it is behind or damaged; it is never unknown or another one.
func look(t *testing.T, n *Node, told []acknowledged) (found, refused int) {
	t.Helper()
	for _, i := range rand.Perm(len(told)) {
		b, at, err := n.rooms.chain.Transaction(t.Context(), told[i].hash)
		switch {
		case errors.Is(err, history.ErrBehind) || errors.Is(err, history.ErrDamaged):
			refused++
		case err != nil || b.TxIDs[at] != told[i].tx:
			t.Fatalf("transaction %v of %v: %v", told[i].hash, told[i].tx, err)
		default:
			found++
		}
	}
	return found, refused
}

// shut is a disk for the index that can refuse everything, or files of a kind.
type shut struct {
	all  atomic.Bool
	kind atomic.Value // string
}

func (s *shut) ask(op fault.Op) error {
	kind, _ := s.kind.Load().(string)
	if s.all.Load() || kind != "" && strings.Contains(op.Name, kind) && op.Writes() {
		return syscall.EROFS
	}
	return nil
}

// TestServesWithoutAnIndex: a node whose index cannot even be opened starts,
// commits and answers what it can, truly; when the disk is back, the index is made
// while payments go on, and then everything is answered.
func TestServesWithoutAnIndex(t *testing.T) {
	const old = 1300
	c := Default(t.TempDir())
	door := &shut{}
	c.FS = fault.Wrap(c.FS, door.ask)
	c.Logger, c.Timing.Tick, c.Past.Blocks, c.Snapshot = slog.New(slog.DiscardHandler), 10*time.Millisecond, 0, Cadence{Records: 50}
	begin := func() *Node {
		n, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := begin()
	told := payBlocks(t, n, 0, old)
	indexed(t, n.index)
	stop(t, n)
	if err := os.RemoveAll(filepath.Join(c.Data, filepath.FromSlash(dirIndex))); err != nil {
		t.Fatal(err)
	}
	door.kind.Store(dirIndex)
	n = begin()
	defer stop(t, n)
	if n.restored < 1001 { // as many are read from the ledger for one question
		t.Fatalf("the last snapshot is of block %d", n.restored)
	}
	if p, busy := n.rooms.chain.Indexing(); !busy || p.Indexed != 0 || p.Head < old {
		t.Errorf("without an index: %+v, busy: %v", p, busy)
	}
	changed := n.rooms.chain.IndexingChanged()
	fresh := payBlocks(t, n, old, 20)
	if found, refused := look(t, n, fresh); found != 20 || refused != 0 {
		t.Errorf("of 20 new transactions %d are found", found)
	}
	if found, refused := look(t, n, told); refused < 1001 {
		t.Errorf("%d older transactions are found without an index, %d refused", found, refused)
	}
	b, err := n.rooms.chain.ByNumber(t.Context(), 5)
	if err != nil {
		t.Errorf("block 5: %v", err)
	}
	if _, err = n.rooms.chain.ByHash(t.Context(), b.Hash); !errors.Is(err, history.ErrBehind) {
		t.Errorf("block 5 by hash: %v", err)
	}
	door.kind.Store("")
	var payer sync.WaitGroup
	payer.Go(func() { fresh = append(fresh, payBlocks(t, n, old+20, 200)...) })
	deadline := time.After(60 * time.Second)
	for open := true; open; {
		select {
		case <-changed:
			open = false
		case <-deadline:
			t.Fatal("the index is not made")
		default:
			look(t, n, told[:100])
		}
	}
	payer.Wait()
	indexed(t, n.index)
	if found, _ := look(t, n, append(told, fresh...)); found != old+220 {
		t.Errorf("%d of %d transactions are found", found, old+220)
	}
}

// TestDamageWhileServing changes bytes in the index's files under a running node.
func TestDamageWhileServing(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	told := payBlocks(t, n, 0, 1100)
	stop(t, n)
	c := Default(dir)
	c.Logger, c.Timing.Tick = slog.New(slog.DiscardHandler), 10*time.Millisecond
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, n)
	before := n.index.index.Load()
	tables, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirIndex), "run-*"))
	if err != nil || len(tables) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range tables {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data)-4096; at += 1000 {
			data[at] ^= 1
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Those that were read when the index was opened may be in memory.
	for deadline := time.Now().Add(60 * time.Second); n.index.index.Load() == before || n.index.index.Load() == nil; {
		look(t, n, told)
		if time.Now().After(deadline) {
			t.Fatal("the damage was not found")
		}
	}
	told = append(told, payBlocks(t, n, 1100, 50)...)
	indexed(t, n.index)
	if found, _ := look(t, n, told); found != len(told) {
		t.Errorf("%d of %d transactions are found", found, len(told))
	}
}

// workshop is the index of a running node's ledger, on a disk of its own, with so
// many entries a block that it is written before it is complete.
type workshop struct {
	*indexer
	disk  *shut
	gate  chan struct{} // lets a block be decoded, nil for all
	first atomic.Uint64 // the first height that was decoded
	end   func()
}

const ballast = 400 // entries of a block

func (w *workshop) heavy(c *sequencer.Committed) ([]history.Entry, error) {
	height := c.Header.Height
	for first := w.first.Load(); height < first && !w.first.CompareAndSwap(first, height); first = w.first.Load() {
	}
	if w.gate != nil {
		<-w.gate
	}
	entries := make([]history.Entry, ballast)
	for i := range entries {
		entries[i] = history.Entry{Term: binary.BigEndian.AppendUint64(nil, height*ballast+uint64(i)), Position: uint32(i)}
	}
	return entries, nil
}

func newWorkshop(t *testing.T, n *Node, files disk.FS, gate chan struct{}) *workshop {
	w := &workshop{disk: &shut{}, gate: gate}
	w.first.Store(1 << 40)
	w.disk.all.Store(true) // so that it is opened with the options below
	c := n.config
	c.FS = fault.Wrap(files, w.disk.ask)
	w.indexer = openIndexer(t.Context(), c, n.bundle.Ring(), n.archive, w.heavy, n.sequencer.Head().Height)
	w.options.TailBytes, w.parcel = 1<<20, 16<<10
	w.disk.all.Store(false)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	w.end = func() {
		cancel()
		running.Wait()
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return w
}

// whole demands that every entry of every block is found.
func (w *workshop) whole(t *testing.T) {
	t.Helper()
	indexed(t, w.indexer)
	for height := uint64(0); height <= w.committed(); height += 7 {
		term := binary.BigEndian.AppendUint64(nil, height*ballast+height%ballast)
		if found, err := w.Find(term, 0, w.committed(), 0, false); err != nil || len(found) != 1 || found[0].Height != height {
			t.Fatalf("block %d: %d found, %v", height, len(found), err)
		}
	}
}

// TestRebuildContinues loses the power in the middle: what was on disk is not
// made a second time.
func TestRebuildContinues(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	payBlocks(t, n, 0, 400)
	mem, gate := crash.New(), make(chan struct{}, 1000)
	for range 300 {
		gate <- struct{}{}
	}
	w := newWorkshop(t, n, mem, gate)
	for height := uint64(0); height < 150; height, _ = w.Height() {
		time.Sleep(time.Millisecond)
	}
	reached, _ := w.Height()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := mem.Crash(1)
	close(gate)
	w.end()
	if reached >= 400 {
		t.Fatalf("the power was lost at %d", reached)
	}
	w = newWorkshop(t, n, lost, nil)
	defer w.end()
	w.whole(t)
	if first := w.first.Load(); first < reached { // its last block is compared with the ledger's
		t.Errorf("after a loss of power at %d the index was made from %d on", reached, first)
	}
}

// TestDiskThatRefuses: while the index's disk takes nothing, blocks are noted and
// nobody waits; it goes on where it stood.
func TestDiskThatRefuses(t *testing.T) {
	for name, kind := range map[string]string{"everything": dirIndex, "runs": "run-", "the state": "state"} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, t.TempDir())
			defer stop(t, n)
			payBlocks(t, n, 0, 60)
			w := newWorkshop(t, n, crash.New(), nil)
			defer w.end()
			w.whole(t)
			w.disk.kind.Store(kind)
			for range 200 {
				if _, err := n.pay(t.Context(), n.pool.Next(payer())); err != nil {
					t.Fatal(err)
				}
				for w.committed() < n.sequencer.Head().Height {
					b, err := n.archive.Block(t.Context(), w.committed()+1)
					if err != nil {
						t.Fatal(err)
					}
					w.Committed(&sequencer.Committed{Block: b})
				}
			}
			if height, ok := w.Height(); ok && height == w.committed() {
				t.Error("the index has everything although its disk takes nothing")
			}
			w.disk.kind.Store("")
			w.whole(t)
		})
	}
}

// TestIndexThatCannotBeOpened: a file lies in its place until somebody removes it.
func TestIndexThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, dirNode), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.FromSlash(dirIndex))
	if err := os.WriteFile(file, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	defer stop(t, n)
	told := payBlocks(t, n, 0, 3)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	indexed(t, n.index)
	if found, _ := look(t, n, told); found != 3 {
		t.Errorf("%d of 3 transactions are found", found)
	}
	if _, _, err := n.rooms.chain.Transaction(t.Context(), common.Hash{1}); !errors.Is(err, chain.ErrUnknown) {
		t.Errorf("nothing is %v", err)
	}
}

// TestRetire: an index that is retired at any moment is closed before another one
// is opened in its place.
func TestRetire(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	c := n.config
	c.FS = crash.New()
	x := openIndexer(t.Context(), c, n.bundle.Ring(), n.archive, chain.TermsOf, n.sequencer.Head().Height)
	defer func() {
		if err := x.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for round := range 100 {
		index := x.index.Load()
		var readers sync.WaitGroup
		readers.Go(func() { x.retire(index, history.ErrUnavailable) })
		for again := index; again == index; {
			var err error
			if again, err = x.ready(t.Context()); err != nil || x.remove {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		readers.Wait()
	}
}

// TestProgress: nothing is said of a feeding that is quick, and of a long one how
// far it is and when it is done.
func TestProgress(t *testing.T) {
	var said strings.Builder
	logger := slog.New(slog.NewTextHandler(&said, nil))
	p := &parcel{entries: make([][]history.Entry, 10), records: 20, bytes: 1000, last: 20}
	quick := newFeeding(logger)
	quick.began = time.Now().Add(time.Hour)
	quick.progress(p, 99, 200)
	quick.end()
	if said.Len() != 0 {
		t.Errorf("of a quick feeding is said %s", said.String())
	}
	long := newFeeding(logger)
	long.began = time.Now().Add(-10 * time.Second)
	long.progress(p, 99, 200)
	long.progress(p, 99, 200)
	long.end()
	for _, part := range []string{"block=10 of=100 percent=10 transactions/s=", "remaining=1m30s", "complete\" blocks=20"} {
		if strings.Count(said.String(), part) != 1 {
			t.Errorf("%q is not said once in\n%s", part, said.String())
		}
	}
}

// TestPace: who works yields while blocks are committed, the less the further it
// falls behind.
func TestPace(t *testing.T) {
	var p pace
	p.patience.Store(mostPatience)
	for second := range 10 {
		p.commit(uint64(1000 * (second + 1)))
		p.checked = p.checked.Add(-2 * time.Second)
		p.reach(uint64(100 * second)) // ever further behind
	}
	if patience := p.patience.Load(); patience != 0 {
		t.Errorf("after falling behind for long, the patience is %d", patience)
	}
	for range 50 {
		p.checked = p.checked.Add(-2 * time.Second)
		p.reach(9000)
	}
	if patience := p.patience.Load(); patience != mostPatience {
		t.Errorf("without falling behind, the patience is %d", patience)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.commit(1)
	if err := p.yield(ended, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a pause that is ended: %v", err)
	}
	if clock := p.committed.Load().String(); !strings.Contains(clock, " m=") {
		t.Errorf("whoever sets the clock changes how old this is: %s", clock)
	}
	past := time.Now().Add(-2 * stillness)
	p.committed.Store(&past)
	if err := p.yield(t.Context(), time.Hour); err != nil {
		t.Errorf("a pause that nobody needs: %v", err)
	}
}
