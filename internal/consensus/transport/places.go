package transport

import (
	"net"
	"sync"
)

// places counts connections from outside, so that nobody takes those of others.
type places struct {
	mu         sync.Mutex
	total      int
	handshakes int
	strangers  int
	addresses  map[string]int
	shaking    map[string]int
	nodes      map[uint64]int
	streams    map[streamOf]*link // the newest of each
}

// streamOf names one of a node's two streams.
type streamOf struct {
	id       uint64
	protocol string
}

func add[K comparable](m *map[K]int, key K, n int) {
	if *m == nil {
		*m = map[K]int{}
	}
	if (*m)[key] += n; (*m)[key] == 0 {
		delete(*m, key)
	}
}

// enter takes a place for a connection whose handshake begins; shaken is to be
// called when it is over, leave when the connection is.
func (p *places) enter(c net.Conn, most Limits) (address string, leave func(), ok bool) {
	address, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		address = c.RemoteAddr().String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= most.Connections || p.addresses[address] >= most.PerAddress ||
		p.handshakes >= most.Handshakes || p.shaking[address] >= (most.Handshakes+1)/2 {
		return address, nil, false
	}
	p.total++
	p.handshakes++
	add(&p.addresses, address, 1)
	add(&p.shaking, address, 1)
	return address, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.total--
		add(&p.addresses, address, -1)
	}, true
}

func (p *places) shaken(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handshakes--
	add(&p.shaking, address, -1)
}

// sit takes a place for who is known now. A node has one of each of its streams:
// the newest takes the place of the old one, which is to be closed.
func (p *places) sit(l *link, most Limits) (old *link, leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := l.peer.RaftID
	switch {
	case id == 0:
		if p.strangers >= most.Strangers {
			return nil, nil, false
		}
		p.strangers++
		return nil, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.strangers--
		}, true
	case l.protocol == ProtocolRaft || l.protocol == ProtocolAppend:
		if p.streams == nil {
			p.streams = map[streamOf]*link{}
		}
		place := streamOf{id, l.protocol}
		old = p.streams[place]
		p.streams[place] = l
		return old, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.streams[place] == l {
				delete(p.streams, place)
			}
		}, true
	}
	if p.nodes[id] >= most.PerNode {
		return nil, nil, false
	}
	add(&p.nodes, id, 1)
	return nil, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		add(&p.nodes, id, -1)
	}, true
}
