package transport

import (
	"fmt"
	"time"
)

// watch looks for changes of what Peers says once in a while, whoever forgets to
// tell of them.
func (t *Transport) watch() {
	ticker := time.NewTicker(t.limits.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.Refresh()
		case <-t.ctx.Done():
			return
		}
	}
}

// Refresh tells that what Peers says may have changed: connections to nodes that
// have another address or key now are made anew, those of retired nodes end with
// NODE_RETIRED. Streams to the given nodes are opened and kept open, so that
// they are there when an election needs them and Status knows whether they live.
// Without it changes are noticed after Limits.Ping.
func (t *Transport) Refresh(ids ...uint64) {
	for _, l := range t.linksWhere(func(l *link) bool { return l.peer.RaftID != 0 }) {
		now, known := t.config.Peers(l.peer.RaftID)
		switch {
		case known && now.Retired && l.protocol == ProtocolHTTP && l.dialled == nil: // its requests are refused by name
		case known && now.Retired:
			if !l.parting.Swap(true) {
				t.spawn(func() { l.farewell(ErrRetired.Code) })
			}
		case known && now.Key != l.peer.Key, l.dialled != nil && (!known || now != *l.dialled):
			l.Close()
		}
	}
	for _, p := range t.everyPeer() {
		if now, known := t.config.Peers(p.id); !known || now.Retired {
			t.forget(p)
		}
	}
	for _, id := range ids {
		if p := t.reach(id); p != nil {
			p.keep()
		}
	}
}

func (t *Transport) everyPeer() []*peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*peer, 0, len(t.peers))
	for _, p := range t.peers {
		all = append(all, p)
	}
	return all
}

// reach is the peer of that id when it is one to send to, else nil.
func (t *Transport) reach(id uint64) *peer {
	t.mu.Lock()
	p := t.peers[id]
	t.mu.Unlock()
	if p != nil && p.known.Load() {
		return p
	}
	if id == 0 || id == t.config.ID {
		return nil
	}
	if now, known := t.config.Peers(id); !known || now.Retired || now.Address == "" {
		return nil
	}
	if p = t.meet(id); p != nil {
		p.known.Store(true)
	}
	return p
}

// meet is the peer of that id, made when there is none; nil after Close.
func (t *Transport) meet(id uint64) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	p := t.peers[id]
	if p == nil {
		p = newPeer(t, id)
		t.peers[id] = p
	}
	return p
}

// forget ends what goes out to a peer.
func (t *Transport) forget(p *peer) {
	t.mu.Lock()
	if t.peers[p.id] == p {
		delete(t.peers, p.id)
	}
	t.mu.Unlock()
	p.stop()
	for _, l := range t.linksWhere(func(l *link) bool { return l.peer.RaftID == p.id && l.dialled != nil }) {
		l.Close()
	}
}

func nodeName(id uint64) string { return fmt.Sprintf("node %d", id) }
