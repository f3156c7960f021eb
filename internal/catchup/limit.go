package catchup

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what serving costs a node, so that who joins does not slow the
// network. Zero means the default, a negative rate none.
type Limits struct {
	Transfers     int   // requests at once, by default 8
	PeerTransfers int   // of one node, by default 3
	Rate          int64 // bytes a second to all, by default 64 MiB
	PeerRate      int64 // bytes a second to one node, by default 32 MiB
	// Stall is how long a node may take to accept a slice of 64 KiB, by default
	// one minute.
	Stall time.Duration
}

const (
	slice    = 64 << 10 // bytes written at a time
	maxPeers = 256      // remembered, when idle
)

func (l *Limits) fill() {
	set := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.Rate, 64<<20)
	set(&l.PeerRate, 32<<20)
	if l.Transfers == 0 {
		l.Transfers = 8
	}
	if l.PeerTransfers == 0 {
		l.PeerTransfers = 3
	}
	if l.Stall == 0 {
		l.Stall = time.Minute
	}
}

// bucket allows bytes a second in slices.
func bucket(bytes int64) *rate.Limiter {
	if bytes < 0 {
		return rate.NewLimiter(rate.Inf, slice)
	}
	return rate.NewLimiter(rate.Limit(bytes), slice)
}

// gate lets transfers in.
type gate struct {
	limits Limits
	total  *rate.Limiter

	mu        sync.Mutex
	transfers int
	peers     map[string]*peer
}

type peer struct {
	rate      *rate.Limiter
	transfers int
}

func newGate(l Limits) *gate {
	l.fill()
	return &gate{limits: l, total: bucket(l.Rate), peers: map[string]*peer{}}
}

// enter begins a transfer to a node, if there is room.
func (g *gate) enter(name string) (p *peer, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p = g.peers[name]; p == nil {
		g.forget()
		p = &peer{rate: bucket(g.limits.PeerRate)}
		g.peers[name] = p
	}
	if g.transfers >= g.limits.Transfers || p.transfers >= g.limits.PeerTransfers {
		return nil, false
	}
	g.transfers++
	p.transfers++
	return p, true
}

// forget drops idle nodes when there are many; it wants the lock.
func (g *gate) forget() {
	if len(g.peers) < maxPeers {
		return
	}
	for name, p := range g.peers {
		if p.transfers == 0 {
			delete(g.peers, name)
		}
	}
}

func (g *gate) leave(p *peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.transfers--
	p.transfers--
}

// throttled is a response that is written no faster than the limits allow.
type throttled struct {
	http.ResponseWriter
	ctx  context.Context
	gate *gate
	peer *peer
}

func (t *throttled) Write(data []byte) (written int, err error) {
	control := http.NewResponseController(t.ResponseWriter)
	for len(data) > 0 {
		n := min(len(data), slice)
		if err := t.peer.rate.WaitN(t.ctx, n); err != nil {
			return written, err
		}
		if err := t.gate.total.WaitN(t.ctx, n); err != nil {
			return written, err
		}
		// Whoever does not read gives its place up; a writer without deadlines
		// has none.
		_ = control.SetWriteDeadline(time.Now().Add(t.gate.limits.Stall))
		w, err := t.ResponseWriter.Write(data[:n])
		written += w
		if err != nil {
			return written, err
		}
		data = data[n:]
	}
	return written, nil
}
