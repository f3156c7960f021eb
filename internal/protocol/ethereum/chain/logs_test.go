package chain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// somewhere is a chain whose index and tail reach anywhere, with small limits.
func (w *world) somewhere(t *testing.T) (c *Chain, indexed, first uint64) {
	head := uint64(len(w.blocks) - 1)
	first = w.random.Uint64N(head + 1)
	var index Index = empty{w.index}
	if indexed = w.random.Uint64N(first + 2); indexed > 0 {
		index = lagging{w.index, indexed - 1}
	}
	c, err := Open(t.Context(), w, index, first)
	if err != nil {
		t.Fatal(err)
	}
	c.limits = limits{logs: 1 + w.random.IntN(60), bytes: 700 + w.random.IntN(60_000), scan: 1 + w.random.Uint64N(20), behind: w.random.Uint64N(40), behindBytes: maxBehindBytes}
	for _, b := range w.blocks[first+1:] {
		c.tail.push(ethereum.Ready(b))
	}
	return c, indexed, first
}

// pages asks for a filter as a client does that follows the errors.
func pages(t *testing.T, c *Chain, f Filter) (logs []*types.Log, n int, err error) {
	t.Helper()
	for {
		page, err := c.Logs(t.Context(), f)
		n++
		wide := (*TooWide)(nil)
		if !errors.As(err, &wide) {
			return append(logs, page...), n, err
		}
		if wide.From != f.From || wide.To < f.From || wide.To >= f.To {
			t.Fatalf("%+v is answered by %v", f, wide)
		}
		part := f
		part.To = wide.To + 1
		if _, err := c.Logs(t.Context(), part); !errors.Is(err, ErrTooWide) {
			t.Fatalf("%v could reach further than %d: %v", f, wide.To, err)
		}
		part.To = wide.To
		proposed, err := c.Logs(t.Context(), part)
		if err != nil || fmt.Sprint(deref(proposed)) != fmt.Sprint(deref(page)) {
			t.Fatalf("%+v was proposed and gives %v, %d logs, %d came before", part, err, len(proposed), len(page))
		}
		logs = append(logs, page...)
		f.From = wide.To + 1
	}
}

// However far index and tail reach and whatever the limits, the pages that the
// errors propose hold exactly the logs that pass the filter, or the index is
// behind and says so.
func TestPages(t *testing.T) {
	w := newWorld(t)
	for range 60 {
		w.commit(t, w.random.IntN(3)*w.random.IntN(8))
	}
	paged, refused := 0, 0
	for range 400 {
		c, indexed, first := w.somewhere(t)
		f := w.filter()
		f.From, f.To = w.random.Uint64N(65), w.random.Uint64N(65)
		want := w.brute(f)
		gap := uint64(0)
		if from := max(f.From, indexed); f.narrow() && from < min(first, f.To+1) {
			gap = min(first, f.To+1) - from
		}
		logs, n, err := pages(t, c, f)
		if gap > c.limits.behind {
			if !errors.Is(err, history.ErrBehind) {
				t.Fatalf("%d blocks are missing, at most %d are read, and the answer is %v", gap, c.limits.behind, err)
			}
			refused++
			continue
		}
		if err != nil || fmt.Sprint(deref(logs)) != fmt.Sprint(deref(want)) {
			t.Fatalf("index %d, tail %d, limits %+v, filter %+v: %d logs in %d pages, want %d: %v", indexed, first, c.limits, f, len(logs), n, len(want), err)
		}
		if n > 1 {
			paged++
		}
	}
	if paged < 50 || refused < 10 {
		t.Errorf("%d questions were paged, %d refused", paged, refused)
	}
}

// Whatever was committed is found or the index is behind: it is never unknown.
func TestNothingIsDenied(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.commit(t, w.random.IntN(4))
	}
	ctx := t.Context()
	found, refused := 0, 0
	for range 100 {
		c, indexed, first := w.somewhere(t)
		missing := max(first, indexed)-indexed > c.limits.behind
		_, busy := c.Indexing()
		if busy != missing {
			t.Fatalf("index %d, tail %d, %+v: busy is %v", indexed, first, c.limits, busy)
		}
		for _, b := range w.blocks {
			number := b.Number()
			hidden := missing && number >= indexed && number < first
			got, err := c.ByHash(ctx, b.Hash)
			if hidden != errors.Is(err, history.ErrBehind) || !hidden && (err != nil || got.Number() != number) {
				t.Fatalf("index %d, tail %d, %+v: block %d: %v", indexed, first, c.limits, number, err)
			}
			for i, r := range b.Receipts {
				got, at, err := c.Transaction(ctx, r.TxHash)
				if hidden != errors.Is(err, history.ErrBehind) || !hidden && (err != nil || got.Number() != number || at != i) {
					t.Fatalf("index %d, tail %d, %+v: transaction of %d: %v", indexed, first, c.limits, number, err)
				}
				if hidden {
					refused++
				} else {
					found++
				}
			}
			if got, err := c.ByNumber(ctx, number); err != nil || got.Hash != b.Hash {
				t.Fatalf("block %d: %v", number, err)
			}
		}
		if _, _, err := c.Transaction(ctx, common.Hash{9}); missing != errors.Is(err, history.ErrBehind) || !missing && !errors.Is(err, ErrUnknown) {
			t.Fatalf("index %d, tail %d, %+v: nothing is %v", indexed, first, c.limits, err)
		}
	}
	if found == 0 || refused == 0 {
		t.Errorf("%d found, %d refused", found, refused)
	}
}

// impatient is a time limit that is over after some blocks were read.
type impatient struct {
	context.Context
	reads int
}

func (i *impatient) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }
func (i *impatient) Err() error {
	if i.reads <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

type counted struct{ Blocks }

func (c counted) Block(ctx context.Context, height uint64) (*envelope.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if i, ok := ctx.(*impatient); ok {
		i.reads--
	}
	return c.Blocks.Block(ctx, height)
}

// A question whose time is over says what it found out, and asking for that and
// going on from there comes to the end.
func TestTime(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.commit(t, w.random.IntN(8))
	}
	c, err := Open(t.Context(), counted{w}, w.index, 40)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		f := w.filter()
		f.From, f.To = 0, 40
		want, pages := w.brute(f), 0
		var logs []*types.Log
		for f.From <= 40 {
			c.old.Purge()
			page, err := c.Logs(&impatient{t.Context(), 3}, f)
			wide := (*TooWide)(nil)
			if errors.As(err, &wide) {
				if wide.To < f.From || wide.To >= 40 {
					t.Fatalf("after %d comes %v", f.From, err)
				}
				f.From, pages = wide.To+1, pages+1
			} else if err != nil {
				t.Fatal(err)
			} else {
				f.From = 41
			}
			logs = append(logs, page...)
		}
		if fmt.Sprint(deref(logs)) != fmt.Sprint(deref(want)) {
			t.Fatalf("%d logs, want %d", len(logs), len(want))
		}
	}
	if _, err := c.Logs(&impatient{t.Context(), 0}, Filter{To: 40}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing was found out: %v", err)
	}
}

// replaced is an index that is made again while it is asked.
type replaced struct{ Index }

func (replaced) Find([]byte, uint64, uint64, int, bool) ([]history.Found, error) {
	return nil, history.ErrBehind
}

func TestIndexMadeAgain(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.commit(t, 2)
	}
	c, err := Open(t.Context(), w, replaced{w.index}, 5)
	if err != nil {
		t.Fatal(err)
	}
	_, _, byHash := c.Transaction(t.Context(), w.blocks[2].Receipts[0].TxHash)
	_, byFilter := c.Logs(t.Context(), Filter{To: 5, Addresses: []common.Address{{1}}})
	for _, err := range []error{byHash, byFilter} {
		if !errors.Is(err, history.ErrBehind) || !strings.Contains(err.Error(), "of 6 blocks are indexed, about") {
			t.Errorf("the answer is %v", err)
		}
	}
}

// Indexing tells when it begins and ends.
func TestIndexing(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		w.commit(t, 1)
	}
	c, err := Open(t.Context(), w, lagging{w.index, 4}, 30)
	if err != nil {
		t.Fatal(err)
	}
	c.limits.behind = 20
	steps := []struct {
		height uint64
		busy   bool
	}{{9, false}, {8, true}, {20, true}, {29, false}, {25, false}, {3, true}}
	busy := false
	for _, s := range steps {
		changed := c.IndexingChanged()
		c.index = lagging{w.index, s.height}
		p, now := c.Indexing()
		if now != s.busy || p.Indexed != s.height+1 || p.Head != 30 || p.Start > p.Indexed {
			t.Errorf("at %d: %+v, busy %v", s.height, p, now)
		}
		told := false
		select {
		case <-changed:
			told = true
		default:
		}
		if told != (now != busy) {
			t.Errorf("at %d: told of a change: %v", s.height, told)
		}
		busy = now
	}
}

// A question that is refused because the missing blocks are too large is a
// question that waits for the index.
func TestLargeBlocks(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.commit(t, 1)
	}
	c, err := Open(t.Context(), w, lagging{w.index, 4}, 10)
	if err != nil {
		t.Fatal(err)
	}
	c.limits.behindBytes = 1
	if _, busy := c.Indexing(); busy {
		t.Error("the index is being made before anybody misses it")
	}
	if _, _, err := c.Transaction(t.Context(), common.Hash{1}); !errors.Is(err, history.ErrBehind) {
		t.Errorf("nothing is %v", err)
	}
	if _, busy := c.Indexing(); !busy {
		t.Error("a question is refused and nothing is being made")
	}
	c.index = w.index
	if _, busy := c.Indexing(); busy {
		t.Error("the index is complete and being made")
	}
}
