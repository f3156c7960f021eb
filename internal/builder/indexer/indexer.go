package indexer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
)

// Store is what the indexer needs of the off-chain store.
type Store interface {
	offchain.Reader
	Do(ctx context.Context, e offchain.Entry) (offchain.Applied, error)
}

// Options are what an indexer stands on.
type Options struct {
	Store   Store
	Book    *binding.Book         // of that store
	Drivers map[int]ledger.Driver // by connection id
	Log     *slog.Logger
	// Batch is the most blocks that are taken in at once; 0 is 512. One block is taken
	// in as soon as it is there: batches grow only while there is something to catch up.
	Batch int
	// Patience is how long a ledger that replaces blocks may have fewer than were taken
	// in before those are given up; 0 is 5 seconds.
	Patience time.Duration
}

// Indexer takes the blocks of all connections in.
type Indexer struct {
	Options
	Source
	mu    sync.Mutex
	state map[int]*State
}

// State is how a connection does.
type State struct {
	Next    uint64    // first block that was not taken in
	Newest  time.Time // time of the last block that was taken in; zero before the first
	Problem error     // why nothing goes on; nil while it does
	Since   time.Time // when the problem began
}

// New makes an indexer; Run runs it.
func New(o Options) *Indexer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Book == nil {
		o.Book = binding.New()
	}
	if o.Batch <= 0 {
		o.Batch = 512
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	return &Indexer{Options: o, state: map[int]*State{}}
}

// Run follows every connection until ctx ends.
func (x *Indexer) Run(ctx context.Context) error {
	var group errgroup.Group
	for id, driver := range x.Drivers {
		group.Go(func() error { return x.Follow(ctx, id, driver) })
	}
	group.Wait()
	return ctx.Err()
}

// State says how a connection does.
func (x *Indexer) State(connectionID int) State {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.state[connectionID]; s != nil {
		return *s
	}
	return State{}
}

// Lag is how far the database is behind a ledger.
type Lag struct {
	Head   uint64        // newest block of the ledger
	Blocks uint64        // blocks that were not taken in
	Time   time.Duration // from the newest block that was taken in to now; 0 when there is nothing to take in
}

// Lag asks the ledger for its head and says how far behind the database is.
func (x *Indexer) Lag(ctx context.Context, connectionID int) (Lag, error) {
	driver := x.Drivers[connectionID]
	if driver == nil {
		return Lag{}, offchain.ErrNotFound
	}
	head, err := driver.Head(ctx)
	if err != nil {
		return Lag{}, err
	}
	l := Lag{Head: head.Number}
	if s := x.State(connectionID); head.Number+1 > s.Next {
		l.Blocks = head.Number + 1 - s.Next
		if !s.Newest.IsZero() {
			l.Time = time.Since(s.Newest)
		}
	}
	return l, nil
}

func (x *Indexer) taken(id int, next uint64, newest time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.of(id)
	s.Next, s.Problem, s.Since = next, nil, time.Time{}
	if !newest.IsZero() {
		s.Newest = newest
	}
}

func (x *Indexer) stands(id int, next uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.of(id).Next = next
}

// stuck notes a problem and says whether it is a new one.
func (x *Indexer) stuck(id int, err error) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.of(id)
	fresh := s.Problem == nil || s.Problem.Error() != err.Error()
	if s.Problem == nil {
		s.Since = time.Now()
	}
	s.Problem = err
	return fresh
}

func (x *Indexer) of(id int) *State {
	s := x.state[id]
	if s == nil {
		s = &State{}
		x.state[id] = s
	}
	return s
}
