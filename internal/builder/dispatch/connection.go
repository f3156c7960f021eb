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

	mu     sync.Mutex
	state  State
	pause  time.Duration  // of the problem in state
	resume time.Time      // when to try again
	signer types.Signer   // nil until the ledger said its chain id
	final  bool           // the ledger never replaces a block
	busy   map[int]bool   // people whose lane runs
	nonces map[int]uint64 // next nonce by person, where known
	kept   map[int]*kept  // by action
}

// kept is what this process remembers of an action that is pending.
type kept struct {
	hash      common.Hash // of what was handed over
	due       time.Time   // when to look at it again
	on        []int       // the actions that it waits for: it is due when one is settled
	looks     int         // how often in a row it had to wait
	tries     int         // how often it failed for no known reason
	why       error       // why it waits; nil: it does not, or only for its block
	withdrawn error       // why its nonce was given away; nil: it was not
	lost      bool        // what was signed can never take effect, and nothing was signed since
}

func newConnection(d *Dispatcher, id int, driver ledger.Driver) *connection {
	return &connection{Dispatcher: d, id: id, driver: driver, wake: make(chan struct{}, 1), places: make(chan struct{}, d.Parallel),
		busy: map[int]bool{}, nonces: map[int]uint64{}, kept: map[int]*kept{}}
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
		if before[person] || c.busy[person] {
			continue
		}
		due, left := c.due(people[person], known, now)
		wait = min(wait, left)
		if len(due) > 0 {
			c.busy[person] = true
			c.lanes.Go(func() { c.serve(ctx, person, people[person], due) })
		}
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
	maps.DeleteFunc(c.kept, func(id int, _ *kept) bool { return !known[id] })
	if len(pending) == 0 && c.state.Problem != nil {
		c.recovered()
	}
	return known
}

// due gives those of a person's actions that want something done now, and after how
// long the next one does. On one contract an action has its turn when the person's
// earlier ones there are settled: what it may do depends on what they did.
func (c *connection) due(actions []offchain.Pending, known map[int]bool, now time.Time) ([]*offchain.Pending, time.Duration) {
	var list []*offchain.Pending
	wait := c.Again
	earlier := map[int]bool{} // by contract
	for i := range actions {
		p := &actions[i]
		turn := !earlier[p.ContractID] || len(p.Signed) > 0
		earlier[p.ContractID] = true
		if !turn {
			continue
		}
		if k := c.kept[p.ID]; k != nil {
			settled := slices.ContainsFunc(k.on, func(id int) bool { return !known[id] })
			if left := k.due.Sub(now); left > 0 && !settled {
				wait = min(wait, left)
				continue
			}
		}
		list = append(list, p)
	}
	return list, wait
}

// serve runs one lane.
func (c *connection) serve(ctx context.Context, person int, actions []offchain.Pending, due []*offchain.Pending) {
	l := newLane(c, person, actions, due)
	var err error
	select {
	case c.places <- struct{}{}:
		err = l.run(ctx)
		<-c.places
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && ctx.Err() == nil {
		c.trouble(ctx, err)
	}
	c.mu.Lock()
	delete(c.busy, person)
	if err == nil && l.did && c.state.Problem != nil {
		c.recovered()
	}
	c.mu.Unlock()
	c.poke()
}

// memory gives what is remembered of an action, to be changed under the lock.
func (c *connection) memory(action int) *kept {
	k := c.kept[action]
	if k == nil {
		k = &kept{}
		c.kept[action] = k
	}
	return k
}

// later has an action looked at again in a while that grows each time, or as soon
// as one of those is settled that it waits for.
func (c *connection) later(action int, why error, on []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.memory(action)
	pause := longPause
	if len(on) == 0 {
		pause = min(shortPause<<min(k.looks, 8), c.Again)
	}
	k.looks++
	k.why, k.on, k.due = why, on, c.Clock().Add(pause)
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
		c.final = info.Final
	}
	if c.state.Problem != nil && errors.Is(c.state.Problem, ledger.ErrUnavailable) {
		c.recovered()
	}
	return 0
}
