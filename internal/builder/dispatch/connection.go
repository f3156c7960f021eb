package dispatch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// How long to wait before what failed is tried again.
const (
	shortPause = 50 * time.Millisecond
	longPause  = 5 * time.Second
)

// connection sends the actions of one ledger. One goroutine looks at what is
// pending and starts a lane for each person who has something to send and has
// none running.
type connection struct {
	*Dispatcher
	id     int
	driver ledger.Driver
	wake   chan struct{}
	places chan struct{} // one for each lane that may run
	lanes  sync.WaitGroup

	mu       sync.Mutex
	state    State
	pause    time.Duration      // of the problem in state
	resume   time.Time          // when to try again
	signer   types.Signer       // nil until the ledger said its chain id
	busy     map[int]bool       // people whose lane runs
	held     map[int]hold       // people whose next action waits
	nonces   map[int]uint64     // next nonce by person, where known
	sent     map[int]submission // by action
	failures map[int]int        // of people's lanes, one after the other, for no known reason
	tries    map[int]int        // of actions that fail for no known reason
}

// hold is why a person's actions wait.
type hold struct {
	on    []int
	until time.Time
}

// submission is a transaction that this process handed over.
type submission struct {
	hash common.Hash
	at   time.Time // when it was handed over, or last looked after
}

func newConnection(d *Dispatcher, id int, driver ledger.Driver) *connection {
	return &connection{Dispatcher: d, id: id, driver: driver, wake: make(chan struct{}, 1), places: make(chan struct{}, d.Parallel),
		busy: map[int]bool{}, held: map[int]hold{}, nonces: map[int]uint64{}, sent: map[int]submission{}, tries: map[int]int{}, failures: map[int]int{}}
}

func (c *connection) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *connection) run(ctx context.Context) {
	defer c.lanes.Wait()
	for ctx.Err() == nil {
		wait := c.scan(ctx)
		select {
		case <-c.wake:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// scan starts the lanes there is something to do for, and says after how long to
// look again if nothing happens before. Who had a lane running when the pending
// actions were read is left out: that lane changed them, and pokes when it ends.
func (c *connection) scan(ctx context.Context) time.Duration {
	if wait := c.troubled(ctx); wait > 0 {
		return wait
	}
	c.mu.Lock()
	before := maps.Clone(c.busy)
	c.mu.Unlock()
	pending, err := c.Store.Pending(ctx, c.id)
	if err != nil {
		return c.trouble(ctx, stored(err))
	}
	people := map[int][]offchain.Pending{}
	var order []int
	for _, p := range pending {
		if len(people[p.PersonID]) == 0 {
			order = append(order, p.PersonID)
		}
		people[p.PersonID] = append(people[p.PersonID], p)
	}
	now := c.Clock()
	wait := c.Again / 2
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.count(pending)
	for _, person := range order {
		if before[person] || c.busy[person] || !c.needed(people[person], now) {
			continue
		}
		if h, ok := c.held[person]; ok {
			settled := slices.ContainsFunc(h.on, func(id int) bool { return !known[id] })
			if left := h.until.Sub(now); left > 0 && !settled {
				wait = min(wait, left)
				continue
			}
			delete(c.held, person)
		}
		c.busy[person] = true
		c.lanes.Go(func() { c.serve(ctx, person, people[person]) })
	}
	return wait
}

// count notes how many actions wait, forgets what is settled, and gives the ids of
// what is not.
func (c *connection) count(pending []offchain.Pending) map[int]bool {
	c.state.Asked, c.state.Sent = 0, 0
	known := make(map[int]bool, len(pending))
	for i := range pending {
		known[pending[i].ID] = true
		if len(pending[i].Signed) > 0 {
			c.state.Sent++
		} else {
			c.state.Asked++
		}
	}
	for id := range c.sent {
		if !known[id] {
			delete(c.sent, id)
		}
	}
	for id := range c.tries {
		if !known[id] {
			delete(c.tries, id)
		}
	}
	return known
}

// needed says whether any of a person's actions wants something done.
func (c *connection) needed(actions []offchain.Pending, now time.Time) bool {
	return slices.ContainsFunc(actions, func(p offchain.Pending) bool {
		s, ok := c.sent[p.ID]
		return !ok || now.Sub(s.at) >= c.Again
	})
}

// serve runs one lane.
func (c *connection) serve(ctx context.Context, person int, actions []offchain.Pending) {
	var err error
	select {
	case c.places <- struct{}{}:
		err = newLane(c, person, actions).run(ctx)
		<-c.places
	case <-ctx.Done():
	}
	var b *blocked
	switch {
	case err == nil:
	case errors.As(err, &b):
		c.hold(person, b.on)
	case ctx.Err() != nil:
	case waits(err):
		c.trouble(ctx, err)
	default:
		c.Log.Warn("an action cannot be sent now; trying again", "connection", c.id, "person", person, "why", err)
		c.hold(person, nil)
	}
	c.mu.Lock()
	delete(c.busy, person)
	if err == nil {
		delete(c.failures, person)
		if c.state.Problem != nil {
			c.recovered()
		}
	}
	c.mu.Unlock()
	c.poke()
}

// hold makes a person's actions wait: for others, which wake them when they are
// settled, or for a while that grows with each failure.
func (c *connection) hold(person int, on []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pause := longPause
	if len(on) == 0 {
		pause = min(shortPause<<min(c.failures[person], 8), longPause)
		c.failures[person]++
	}
	c.held[person] = hold{on: on, until: c.Clock().Add(pause)}
}

// trouble notes why nothing can be sent and says how long to wait.
func (c *connection) trouble(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return longPause
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Clock()
	if c.state.Problem == nil {
		c.state.Since, c.pause = now, shortPause
		c.Log.Warn("actions cannot be sent; they wait", "connection", c.id, "why", err)
	} else if !now.Before(c.resume) { // several lanes notice the same trouble
		c.pause = min(2*c.pause, longPause)
	}
	c.state.Problem = err
	c.resume = now.Add(c.pause)
	return c.pause
}

func (c *connection) recovered() {
	c.Log.Info("actions are sent again", "connection", c.id, "waited", c.Clock().Sub(c.state.Since).Round(time.Millisecond))
	c.state.Problem, c.state.Since = nil, time.Time{}
}

// troubled says how long to wait still, when there is trouble or the ledger's
// chain id is not known. It asks the ledger whether it is there again.
func (c *connection) troubled(ctx context.Context) time.Duration {
	c.mu.Lock()
	problem, left, signer := c.state.Problem, c.resume.Sub(c.Clock()), c.signer
	c.mu.Unlock()
	if problem == nil && signer != nil {
		return 0
	}
	if problem != nil && left > 0 {
		return left
	}
	info, err := c.driver.Info(ctx)
	if err == nil {
		_, err = c.driver.Head(ctx)
	}
	if err != nil {
		return c.trouble(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signer == nil {
		c.signer = types.LatestSignerForChainID(new(big.Int).Set(cmp.Or(info.ChainID, new(big.Int))))
	}
	if c.state.Problem != nil && errors.Is(c.state.Problem, ledger.ErrUnavailable) {
		c.recovered()
	}
	return 0
}
