package offchain

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// watchers are told of every change. None of them is waited for: what a slow one
// has not taken is joined.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]bool
}

type watcher struct {
	out  chan Change
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	pending *touched
	last    uint64
	at      time.Time
	missed  bool
}

// missedAfter is how many joined ids are kept for a slow watcher.
const missedAfter = 10_000

// Watch tells of every change from now on, until the function is called.
func (s *Store) Watch() (<-chan Change, func()) {
	w := &watcher{out: make(chan Change), wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.watchers.mu.Lock()
	if s.watchers.all == nil {
		s.watchers.all = map[*watcher]bool{}
	}
	s.watchers.all[w] = true
	s.watchers.mu.Unlock()
	go w.run()
	return w.out, func() { s.watchers.end(w) }
}

func (ws *watchers) end(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all[w] {
		delete(ws.all, w)
		close(w.done)
	}
}

func (ws *watchers) close() {
	ws.mu.Lock()
	all := slices.Collect(maps.Keys(ws.all))
	ws.mu.Unlock()
	for _, w := range all {
		ws.end(w)
	}
}

func (ws *watchers) tell(c Change) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.add(c)
	}
}

// run hands out what is pending; its channel is closed at the end.
func (w *watcher) run() {
	defer close(w.out)
	for {
		select {
		case <-w.wake:
		case <-w.done:
			return
		}
		c := w.take()
		select {
		case w.out <- c:
		case <-w.done:
			return
		}
	}
}

func (w *watcher) add(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending == nil {
		w.pending = &touched{actions: map[int]ActionChange{}}
	}
	p := w.pending
	w.last, w.at = c.Sequence, c.At
	if len(p.applications)+len(p.people)+len(p.contracts)+len(p.actions) > missedAfter {
		w.missed = true
		w.pending = &touched{actions: map[int]ActionChange{}}
	}
	if !w.missed {
		p.join(c)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.pending.change(w.last, w.at)
	c.Missed = w.missed
	w.pending, w.missed = &touched{actions: map[int]ActionChange{}}, false
	return c
}

func (t *touched) join(c Change) {
	for _, id := range c.Applications {
		t.applications.add(id)
	}
	for _, id := range c.People {
		t.people.add(id)
	}
	for _, id := range c.Connections {
		t.connections.add(id)
	}
	for _, id := range c.Contracts {
		t.contracts.add(id)
	}
	for _, a := range c.Actions {
		t.actions[a.ID] = a
	}
}

// change is what was touched, for watchers.
func (t *touched) change(sequence uint64, at time.Time) Change {
	return Change{Sequence: sequence, At: at.UTC(), Applications: slices.Sorted(maps.Keys(t.applications)),
		People: slices.Sorted(maps.Keys(t.people)), Connections: slices.Sorted(maps.Keys(t.connections)),
		Contracts: slices.Sorted(maps.Keys(t.contracts)),
		Actions: slices.SortedFunc(maps.Values(t.actions), func(a, b ActionChange) int {
			return a.ID - b.ID
		})}
}
