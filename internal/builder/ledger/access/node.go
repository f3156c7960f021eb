package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// do asks the node in use, and when that does not serve the others, each once.
func (l *Ledger) do(ctx context.Context, ask func(context.Context, ledger.Driver) error) error {
	var first error
	for range l.nodes {
		n, _ := l.current()
		err := l.doubting(ctx, n, func(ctx context.Context) error {
			if err := l.admit(ctx, n); err != nil {
				return err
			}
			return ask(ctx, l.driver(n))
		})
		if ctx.Err() != nil || !errors.Is(err, ledger.ErrUnavailable) && !errors.Is(err, ledger.ErrForeign) {
			return err
		}
		l.leave(n, err)
		if first == nil {
			first = err
		}
	}
	return first
}

// current is the node in use, and what is closed when another one is.
func (l *Ledger) current() (*node, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[l.at], l.moved
}

func (l *Ledger) driver(n *node) ledger.Driver {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.driver
}

// leave goes on to the next node. Before the node is asked again it must show anew of
// which ledger it is.
func (l *Ledger) leave(n *node, why error) {
	l.mu.Lock()
	n.admitted = false
	next := l.nodes[n.number%len(l.nodes)]
	l.mu.Unlock()
	l.turn(n, next, why)
}

// turn uses another node instead of one, unless another caller did so already.
func (l *Ledger) turn(from, to *node, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes[l.at] != from || from == to {
		return
	}
	l.at = to.number - 1
	l.Log.Info("a node of the ledger does not serve; the next one is asked", "node", from.number, "next", to.number, "why", why)
	close(l.moved)
	l.moved = make(chan struct{})
}

// doubting asks a node and gives up when it keeps silent: neither answers nor says,
// asked beside it, what its head is. A single node is waited for.
func (l *Ledger) doubting(ctx context.Context, n *node, ask func(context.Context) error) error {
	if len(l.nodes) == 1 {
		return ask(ctx)
	}
	within, give := context.WithCancelCause(ctx)
	defer give(nil)
	silent := ledger.ErrUnavailable.From(fmt.Errorf("node %d keeps silent", n.number))
	doubt := time.AfterFunc(l.Beat, func() {
		for within.Err() == nil {
			probe, cancel := context.WithTimeout(within, l.Beat)
			_, err := l.driver(n).Head(probe)
			cancel()
			if err != nil {
				give(silent)
			}
			pause(within, l.Beat)
		}
	})
	defer doubt.Stop()
	err := ask(within)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(within), silent) {
		return silent
	}
	return err
}

// Watch implements ledger.Driver.
func (l *Ledger) Watch(ctx context.Context, from uint64, changed func()) error {
	if len(l.nodes) > 1 {
		stop := l.watchNodes(ctx, changed)
		defer stop()
	}
	for ctx.Err() == nil {
		n, moved := l.current()
		within, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			select {
			case <-moved:
				cancel()
			case <-within.Done():
			}
		}()
		l.driver(n).Watch(within, from, changed)
		cancel()
		<-ended
	}
	return ctx.Err()
}

// watchNodes looks at all nodes at intervals, until the returned function is called:
// one in use that does not answer, or that has not reached by now what another had
// an interval ago, is left.
func (l *Ledger) watchNodes(ctx context.Context, changed func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for expected := uint64(0); pause(ctx, l.Beat); {
			at, moved := l.current()
			head, err := l.Head(ctx)
			if err == nil && head.Number < expected {
				l.leave(at, fmt.Errorf("it has block %d of %d", head.Number, expected))
			}
			select {
			case <-moved:
				changed()
			default:
			}
			expected = l.furthest(ctx, at)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// furthest is the highest head of the nodes that are not in use.
func (l *Ledger) furthest(ctx context.Context, used *node) (number uint64) {
	ctx, cancel := context.WithTimeout(ctx, l.Beat)
	defer cancel()
	for _, n := range l.nodes {
		if n == used || l.admit(ctx, n) != nil {
			continue
		}
		head, err := l.driver(n).Head(ctx)
		if err != nil {
			l.leave(n, err)
			continue
		}
		number = max(number, head.Number)
	}
	return number
}

// pause waits, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
