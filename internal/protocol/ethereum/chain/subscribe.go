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
	err    error // set before blocks is closed
}

// Subscribe begins a subscription. It holds at most queue blocks that the
// subscriber has not taken; one more ends it with ErrSlow.
func (c *Chain) Subscribe(queue int) *Subscription {
	return c.subs.add(&Subscription{blocks: make(chan *News, queue), of: &c.subs})
}

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

// subscriptions are those that are running.
type subscriptions struct {
	mu      sync.Mutex
	running map[*Subscription]bool
	ended   error // what ends every further one at once
}

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

// tell hands a block to everybody, waiting for nobody.
func (a *subscriptions) tell(b *ethereum.Block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := &News{Block: b}
	for s := range a.running {
		select {
		case s.blocks <- news:
		default:
			a.drop(s, ErrSlow)
		}
	}
}

// end ends all of them.
func (a *subscriptions) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = err
	for s := range a.running {
		a.drop(s, err)
	}
}
