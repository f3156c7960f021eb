package transport

import (
	"maps"
	"sync"
	"sync/atomic"
)

// walls is what is cut off on purpose.
type walls struct {
	mu    sync.Mutex
	built atomic.Pointer[map[uint64]wall]
}

// wall stands between this node and another: nothing comes in, nothing goes out.
type wall struct{ in, out bool }

func (w *walls) of(id uint64) wall {
	if m := w.built.Load(); m != nil {
		return (*m)[id]
	}
	return wall{}
}

// closed says whether the wall leaves no use for a connection of that protocol.
// Raft's streams go one way, so a wall that is open on one side leaves them.
func (w wall) closed(protocol string) bool {
	if protocol == ProtocolRaft || protocol == ProtocolAppend {
		return w.in && w.out
	}
	return w.in || w.out
}

func (w wall) closes(l *link) bool { return w.closed(l.protocol) }

// Isolate cuts this node off from the given ones, in both directions, until
// Heal. It is for development networks and tests.
func (t *Transport) Isolate(ids ...uint64) { t.IsolateFrom(ids, true, true) }

// IsolateFrom cuts off one direction or both: in drops what the given nodes
// send, out what is sent to them; neither lets them through again. HTTP and the
// streams of Config.Streams go both ways and are cut by either.
func (t *Transport) IsolateFrom(ids []uint64, in, out bool) {
	t.walls.mu.Lock()
	next := map[uint64]wall{}
	if m := t.walls.built.Load(); m != nil {
		next = maps.Clone(*m)
	}
	for _, id := range ids {
		if delete(next, id); in || out {
			next[id] = wall{in, out}
		}
	}
	t.walls.built.Store(&next)
	t.walls.mu.Unlock()
	for _, l := range t.linksWhere(func(l *link) bool { return next[l.peer.RaftID].closes(l) }) {
		l.Close()
	}
	t.nudge()
}

// Heal ends every isolation.
func (t *Transport) Heal() {
	t.walls.mu.Lock()
	t.walls.built.Store(nil)
	t.walls.mu.Unlock()
	t.nudge()
}

func (t *Transport) nudge() {
	for _, p := range t.everyPeer() {
		p.nudge()
	}
}
