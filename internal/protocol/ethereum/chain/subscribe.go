package chain

import (
	"sync"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// ErrSlow ends the subscription of somebody who does not keep up.
var ErrSlow = problem.New("SUBSCRIBER_SLOW", "blocks came faster than the subscriber took them",
	"subscribe again and ask for what was missed (eth_getLogs, eth_getBlockByNumber)")

// News is a block as all subscribers get it.
type News struct {
	*ethereum.Block
	once   sync.Once
	shared any
}

// Shared is what the first subscriber who asks makes of the block, for all of
// them: work such as encoding is done once. make is always the same function.
func (n *News) Shared(make func(*ethereum.Block) any) any {
	n.once.Do(func() { n.shared = make(n.Block) })
	return n.shared
}

// Subscription is a row of blocks as they are committed, from the first after
// Subscribe on, without gaps.
type Subscription struct {
	blocks chan *News
	of     *subscriptions
	after  uint64 // the newest block when it began
	err    error  // set before blocks is closed
}

// Subscribe begins a subscription. It holds at most queue blocks that the
// subscriber has not taken; one more ends it with ErrSlow.
func (c *Chain) Subscribe(queue int) *Subscription {
	return c.subs.add(&Subscription{blocks: make(chan *News, queue), of: &c.subs})
}

// After is the number of the block after which the subscription begins. It and
// those before it can be asked for.
func (s *Subscription) After() uint64 { return s.after }

// Blocks is closed when the subscription ends.
func (s *Subscription) Blocks() <-chan *News { return s.blocks }

// Err is why the subscription ended, nil when it was closed. It may be asked
// once Blocks is closed.
func (s *Subscription) Err() error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	return s.err
}

// Close ends the subscription. Closing it again does nothing.
func (s *Subscription) Close() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.drop(s, nil)
}

// subscriptions are those that are running. Blocks are handed out by a goroutine
// of its own, so that a commit does not wait for a thousand subscribers.
type subscriptions struct {
	mu      sync.Mutex // held while a block is handed out
	running map[*Subscription]bool
	ended   error // what ends every further one at once

	line    sync.Mutex            // taken after mu
	last    uint64                // the newest block
	waiting []*ethereum.LazyBlock // to be handed out, oldest first
	working bool                  // a goroutine hands them out
}

// mostWaiting is how many blocks wait to be handed out. One more means that there
// are too many subscribers for such quick blocks, and ends all of them.
const mostWaiting = 1024

func (a *subscriptions) add(s *Subscription) *Subscription {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		a.running = make(map[*Subscription]bool)
	}
	a.running[s] = true
	if a.ended != nil {
		a.drop(s, a.ended)
	}
	a.line.Lock()
	defer a.line.Unlock()
	s.after = a.last
	return s
}

// drop ends one. It wants the lock.
func (a *subscriptions) drop(s *Subscription, err error) {
	if a.running[s] {
		delete(a.running, s)
		s.err = err
		close(s.blocks)
	}
}

// tell has a block handed to everybody, waiting for nobody.
func (a *subscriptions) tell(b *ethereum.LazyBlock) {
	a.line.Lock()
	defer a.line.Unlock()
	a.last = b.Number()
	a.waiting = append(a.waiting, b)
	if !a.working {
		a.working = true
		go a.handOut()
	}
}

// handOut hands out blocks until none waits.
func (a *subscriptions) handOut() {
	for {
		a.line.Lock()
		blocks := a.waiting
		a.waiting = nil
		a.working = len(blocks) > 0
		a.line.Unlock()
		if len(blocks) == 0 {
			return
		}
		if len(blocks) > mostWaiting {
			a.dropAll(ErrSlow)
		}
		for _, b := range blocks {
			a.hand(b)
		}
	}
}

// hand hands a block out. It is decoded if anybody is to have it; one that does not
// decode ends the subscriptions that it would have gone to.
func (a *subscriptions) hand(b *ethereum.LazyBlock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var n *News
	for s := range a.running {
		if b.Number() <= s.after {
			continue
		}
		if n == nil {
			whole, err := b.Block()
			if err != nil {
				a.drop(s, err)
				continue
			}
			n = &News{Block: whole}
		}
		select {
		case s.blocks <- n:
		default:
			a.drop(s, ErrSlow)
		}
	}
}

// end ends all of them, and every further one.
func (a *subscriptions) end(err error) {
	a.mu.Lock()
	a.ended = err
	a.mu.Unlock()
	a.dropAll(err)
}

func (a *subscriptions) dropAll(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range a.running {
		a.drop(s, err)
	}
}
