package access

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
)

// seat is a node's address: what stands there may be changed.
type seat struct {
	mu     sync.Mutex
	ledger *simulated.Ledger // nil: nobody answers
	silent bool              // takes questions and never answers
	stale  uint64            // shows no block after it; 0: all
	status ledger.State      // of every transaction
	asked  atomic.Int64
}

func (s *seat) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// driver is the driver of a node: it stays with the ledger that it met first.
type driver struct {
	*simulated.Ledger
	seat *seat
	mu   sync.Mutex
	met  *simulated.Ledger
}

func (s *seat) open() (ledger.Driver, error) { return &driver{seat: s}, nil }

func (d *driver) answer(ctx context.Context) (*simulated.Ledger, uint64, error) {
	d.seat.asked.Add(1)
	d.seat.mu.Lock()
	at, silent, stale := d.seat.ledger, d.seat.silent, d.seat.stale
	d.seat.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case at == nil:
		return nil, 0, ledger.ErrUnavailable
	case d.met == nil:
		d.met = at
	case d.met != at:
		return nil, 0, ledger.ErrForeign
	}
	return at, stale, nil
}

func (d *driver) Info(ctx context.Context) (ledger.Info, error) {
	l, _, err := d.answer(ctx)
	if err != nil {
		return ledger.Info{}, err
	}
	return l.Info(ctx)
}

func (d *driver) Head(ctx context.Context) (ledger.Ref, error) {
	l, stale, err := d.answer(ctx)
	if err != nil {
		return ledger.Ref{}, err
	}
	if stale > 0 {
		return ledger.Ref{Number: stale}, nil
	}
	return l.Head(ctx)
}

func (d *driver) Blocks(ctx context.Context, from uint64, limit int) ([]ledger.Block, error) {
	l, stale, err := d.answer(ctx)
	if err != nil || stale > 0 && from > stale {
		return nil, err
	}
	return l.Blocks(ctx, from, limit)
}

func (d *driver) Status(ctx context.Context, _ common.Hash) (ledger.Status, error) {
	_, _, err := d.answer(ctx)
	d.seat.mu.Lock()
	defer d.seat.mu.Unlock()
	return ledger.Status{State: d.seat.status}, err
}

func (d *driver) Watch(ctx context.Context, _ uint64, changed func()) error {
	changed()
	<-ctx.Done()
	return ctx.Err()
}

func (d *driver) Close() {}

// way makes a way to seats that is not bound.
func way(t *testing.T, seats ...*seat) *Ledger {
	t.Helper()
	o := Options{Beat: 20 * time.Millisecond}
	for _, s := range seats {
		o.Nodes = append(o.Nodes, s.open)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func identityOf(t *testing.T, l *simulated.Ledger) Identity {
	t.Helper()
	return Identity{simulated.ChainID, l.Genesis()}
}

// head wants an answer, or an error of a kind.
func head(t *testing.T, l *Ledger, want error) {
	t.Helper()
	if _, err := l.Head(t.Context()); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%v, not %v", err, want)
	}
}

func TestOneNode(t *testing.T) {
	ours, other := simulated.New(simulated.Options{}), simulated.New(simulated.Options{Seed: 1})
	s := &seat{}
	l := way(t, s)
	if _, err := l.Identify(t.Context()); !errors.Is(err, ledger.ErrUnavailable) {
		t.Error(err)
	}
	l.Bind(identityOf(t, ours), nil)
	head(t, l, ledger.ErrUnavailable)
	s.ledger = other // comes up first, at our address
	head(t, l, ledger.ErrForeign)
	if err := l.Submit(t.Context(), nil); !errors.Is(err, ledger.ErrForeign) { // it is not handed over
		t.Error(err)
	}
	s.ledger = ours
	head(t, l, nil)
	s.ledger = nil
	head(t, l, ledger.ErrUnavailable)
	s.ledger = other // takes the place while ours is down
	head(t, l, ledger.ErrForeign)
	s.ledger = ours
	head(t, l, nil)
}

// TestLearn has a ledger that nobody knew say which it is, once.
func TestLearn(t *testing.T) {
	ours, other := simulated.New(simulated.Options{}), simulated.New(simulated.Options{Seed: 1})
	s := &seat{ledger: ours}
	l := way(t, s)
	full, learnt := errors.New("full"), []Identity(nil)
	l.Bind(Identity{}, func(_ context.Context, i Identity) error {
		if learnt = append(learnt, i); len(learnt) == 1 {
			return full // what cannot be kept is not relied on
		}
		return nil
	})
	head(t, l, full)
	head(t, l, nil)
	head(t, l, nil)
	s.ledger = nil
	head(t, l, ledger.ErrUnavailable)
	s.ledger = other
	head(t, l, ledger.ErrForeign)
	if len(learnt) != 2 || learnt[1] != identityOf(t, ours) {
		t.Errorf("learnt %v", learnt)
	}
}

func TestSeveralNodes(t *testing.T) {
	ours := simulated.New(simulated.Options{})
	a, b, c := &seat{ledger: ours}, &seat{}, &seat{ledger: simulated.New(simulated.Options{Seed: 1})}
	l := way(t, a, b, c)
	l.Bind(identityOf(t, ours), nil)
	head(t, l, nil)
	if b.asked.Load()+c.asked.Load() != 0 {
		t.Error("others were asked without need")
	}
	a.set(func() { a.ledger = nil })
	head(t, l, ledger.ErrUnavailable) // a is down, b too, c is another ledger's
	b.set(func() { b.ledger = ours })
	head(t, l, nil)
	b.set(func() { b.silent = true })
	a.set(func() { a.ledger = ours })
	head(t, l, nil) // b keeps silent: it is left without being waited for
	ours.Mine()
	ours.Mine()
	if blocks, err := l.Blocks(t.Context(), 0, 9); err != nil || len(blocks) != 3 {
		t.Fatalf("%d %v", len(blocks), err)
	}
	a.set(func() { a.ledger = nil })
	b.set(func() { b.silent, b.ledger, b.stale = false, ours, 1 })
	head(t, l, ledger.ErrUnavailable) // b would show less than was shown
	b.set(func() { b.stale = 0 })
	head(t, l, nil)
}

// TestKept has the node in use keep a transaction to itself.
func TestKept(t *testing.T) {
	ours := simulated.New(simulated.Options{})
	a, b, c := &seat{ledger: ours, status: ledger.Pending}, &seat{status: ledger.Unknown}, &seat{ledger: ours, status: ledger.Pending}
	l := way(t, a, b, c)
	l.Bind(identityOf(t, ours), nil)
	is := func(state ledger.State, number int) {
		t.Helper()
		s, err := l.Status(t.Context(), common.Hash{1})
		if n, _ := l.current(); err != nil || s.State != state || n.number != number {
			t.Errorf("%v of node %d, %v", s, n.number, err)
		}
	}
	is(ledger.Pending, 1) // the others say the same, or nothing
	b.set(func() { b.ledger = ours })
	is(ledger.Unknown, 2)
	b.set(func() { b.status = ledger.Committed })
	is(ledger.Committed, 2)
}

// TestWatchNotices has the node in use go away, and fall behind, while nobody asks
// for anything: who watches hears of the next one.
func TestWatchNotices(t *testing.T) {
	ours := simulated.New(simulated.Options{})
	a, b := &seat{ledger: ours}, &seat{ledger: ours}
	l := way(t, a, b)
	l.Bind(identityOf(t, ours), nil)
	told := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- l.Watch(ctx, 0, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	uses := func(number int) {
		t.Helper()
		late := time.After(time.Minute)
		for {
			select {
			case <-told:
			case <-late:
				t.Fatalf("node %d is not in use", number)
			}
			if n, _ := l.current(); n.number == number {
				return
			}
		}
	}
	uses(1)
	a.set(func() { a.ledger = nil })
	uses(2)
	a.set(func() { a.ledger = ours })
	ours.Mine()
	b.set(func() { b.stale = 1 })
	ours.Mine()
	uses(1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
