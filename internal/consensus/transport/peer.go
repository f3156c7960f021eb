package transport

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// peer is another node: what waits for it and what is known of the traffic.
type peer struct {
	t     *Transport
	id    uint64
	ctx   context.Context
	stop  context.CancelFunc
	start sync.Once
	known atomic.Bool // Peers gave an address
	kept  atomic.Bool // its streams stay open without traffic

	control, append *stream

	sent, received, sentBytes, receivedBytes, dropped, cut atomic.Uint64
	heard, rtt, skew, logged                               atomic.Int64 // nanoseconds: Unix time, two durations, Unix time
}

func newPeer(t *Transport, id uint64) *peer {
	p := &peer{t: t, id: id}
	p.ctx, p.stop = context.WithCancel(t.ctx)
	l := t.limits
	p.control = newStream(p, ProtocolRaft, newQueue(l.ControlMessages, l.ControlBytes, false), l.ControlFrame)
	p.append = newStream(p, ProtocolAppend, newQueue(l.AppendMessages, l.AppendBytes, true), l.AppendFrame)
	return p
}

// Send queues messages for their receivers and returns at once. A message to a
// node whose address is not known is dropped.
//
// Every MsgApp goes through the one stream, those without entries too: one that
// overtook the entries it builds upon would be rejected, and the leader would
// fall back to probing.
func (t *Transport) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		p := t.reach(m.GetTo())
		if p == nil {
			t.counts.unknown.Add(1)
			continue
		}
		s := p.control
		if m.GetType() == raftpb.MsgApp {
			s = p.append
		}
		p.put(s, item{message: m, size: sizeOf(m)})
	}
}

func (p *peer) put(s *stream, i item) {
	p.run()
	if n := s.queue.put(i); n > 0 {
		p.lost(s, n)
	}
}

// lost counts messages that will not arrive, and has Raft probe the node when
// they were appends.
func (p *peer) lost(s *stream, n int) {
	p.dropped.Add(uint64(n))
	if s == p.append {
		p.t.notices.unreachable(p.id)
	}
}

// run starts the peer's streams, once. They connect when there is something to
// send.
func (p *peer) run() {
	p.start.Do(func() {
		p.t.spawn(p.control.run)
		p.t.spawn(p.append.run)
	})
}

func (p *peer) keep() {
	p.run()
	p.kept.Store(true)
	p.control.queue.poke()
	p.append.queue.poke()
}

// nudge has lost connections made again at once.
func (p *peer) nudge() {
	for _, s := range []*stream{p.control, p.append} {
		select {
		case s.nudged <- struct{}{}:
		default:
		}
	}
}

// mayLog is true about once a second: what another node causes must not fill a disk.
func (p *peer) mayLog() bool {
	now, last := time.Now().UnixNano(), p.logged.Load()
	return now-last > int64(time.Second) && p.logged.CompareAndSwap(last, now)
}

func (p *peer) hear() { p.heard.Store(time.Now().UnixNano()) }
