package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/vault"
)

// Store is what the dispatcher needs of the off-chain store.
type Store interface {
	offchain.Reader
	Do(ctx context.Context, e offchain.Entry) (offchain.Applied, error)
	Watch() (<-chan offchain.Change, func())
}

// Options are what a dispatcher stands on.
type Options struct {
	Store   Store
	Book    *binding.Book         // of that store
	Drivers map[int]ledger.Driver // by connection id
	Vault   vault.Vault
	Rights  Rights // nil: whoever was asked for may
	Clock   func() time.Time
	Log     *slog.Logger
	// Parallel is how many people are served at once on a connection; 0 is 32.
	Parallel int
	// Again is after how long a transaction that was sent and is in no block is looked
	// after; 0 is 5 seconds.
	Again time.Duration
}

// Dispatcher sends the actions of all connections.
type Dispatcher struct {
	Options
	connections map[int]*connection
}

// State is how a connection does.
type State struct {
	Asked   int       // actions that wait to be sent
	Sent    int       // actions that were sent and are in no block yet
	Problem error     // why nothing is sent; nil while it is
	Since   time.Time // when the problem began
}

// New makes a dispatcher; Run runs it.
func New(o Options) *Dispatcher {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Book == nil {
		o.Book = binding.New()
	}
	if o.Parallel <= 0 {
		o.Parallel = 32
	}
	if o.Again <= 0 {
		o.Again = 5 * time.Second
	}
	d := &Dispatcher{Options: o, connections: map[int]*connection{}}
	for id, driver := range o.Drivers {
		d.connections[id] = newConnection(d, id, driver)
	}
	return d
}

// Run sends what is asked for until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	changes, end := d.Store.Watch()
	defer end()
	var running sync.WaitGroup
	defer running.Wait()
	for _, c := range d.connections {
		running.Go(func() { c.run(ctx) })
	}
	for {
		select {
		case change, open := <-changes:
			if !open { // the store is closed
				<-ctx.Done()
				return ctx.Err()
			}
			d.changed(change)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changed wakes the connections that a change concerns: something was asked for,
// or is settled and others waited for it.
func (d *Dispatcher) changed(change offchain.Change) {
	for _, c := range d.connections {
		if change.Missed || slices.ContainsFunc(change.Actions, func(a offchain.ActionChange) bool {
			return a.ConnectionID == c.id && a.Status != offchain.StatusSent // that is our own doing
		}) {
			c.poke()
		}
	}
}

// State says how a connection does.
func (d *Dispatcher) State(connectionID int) State {
	c := d.connections[connectionID]
	if c == nil {
		return State{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Waits says why an action that is pending gets no further: a code and a sentence.
// Both are empty while it goes its usual way, and when it is settled.
func (d *Dispatcher) Waits(a *offchain.Action) (code, message string) {
	if a.Status >= offchain.StatusCommitted {
		return "", ""
	}
	c := d.connections[a.ConnectionID]
	if c == nil {
		code, message, _ = told(ledger.ErrUnavailable)
		return code, message
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	why := c.state.Problem
	if k := c.kept[a.ID]; k != nil && k.why != nil {
		why = k.why
	}
	if why == nil {
		return "", ""
	}
	code, message, _ = told(why)
	return code, message
}
