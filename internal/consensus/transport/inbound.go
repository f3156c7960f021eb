package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
)

// admit takes a connection through its handshake to whoever it is for.
func (t *Transport) admit(raw net.Conn, address string, leave func()) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(keepAlive)
	}
	l := &link{Conn: raw, t: t, write: t.limits.Write, onClose: leave}
	c := tls.Server(l, t.server)
	l.tls = c
	ctx, cancel := context.WithTimeout(t.ctx, t.limits.Handshake)
	err := c.HandshakeContext(ctx)
	cancel()
	t.places.shaken(address)
	if err == nil {
		err = t.seat(c, l)
	}
	if err == nil {
		err = t.attend(c, l)
	} else {
		l.Close()
		t.counts.refused.Add(1)
	}
	if err != nil && t.ctx.Err() == nil {
		t.logger.Debug("a connection ended", "from", raw.RemoteAddr(), "node", l.peer.RaftID, "protocol", l.protocol, "err", err)
	}
}

// seat finds out who connected and whether there is a place.
func (t *Transport) seat(c *tls.Conn, l *link) (err error) {
	state := c.ConnectionState()
	if l.peer, err = t.identify(state); err != nil { // again: the table may have changed
		return err
	}
	if l.peer.Session, err = sessionOf(c); err != nil {
		return err
	}
	l.protocol = state.NegotiatedProtocol
	if t.turnedAway(l) {
		c.Write(appendFrame(nil, frameGoodbye, []byte(ErrRetired.Code)))
		c.Close()
		return ErrRetired
	}
	old, leave, ok := t.places.sit(l, t.limits)
	if !ok {
		return fmt.Errorf("too many connections of %s", nodeName(l.peer.RaftID))
	}
	before := l.onClose
	l.onClose = func() { leave(); before() }
	if old != nil {
		old.Close() // the node made its stream anew: the old one is dead and does not know
	}
	if err = t.keep(l); err != nil {
		return err
	}
	// From here on Refresh and IsolateFrom close the link; what they did before
	// is looked up.
	if w := t.walls.of(l.peer.RaftID); w.closes(l) {
		return ErrIsolated
	}
	if t.turnedAway(l) {
		return ErrRetired
	}
	return nil
}

// turnedAway is whether a link is of a node that is retired. Over HTTP it is
// told so with each request instead.
func (t *Transport) turnedAway(l *link) bool {
	if l.protocol == ProtocolHTTP || l.peer.RaftID == 0 {
		return false
	}
	now, known := t.config.Peers(l.peer.RaftID)
	return known && now.Retired
}

// attend hands a connection to whoever serves its protocol.
func (t *Transport) attend(c *tls.Conn, l *link) error {
	if l.protocol == ProtocolHTTP {
		if !t.visits.hand(c) {
			return l.Close()
		}
		return nil
	}
	defer c.Close()
	if _, err := c.Write(appendFrame(nil, frameWelcome, nil)); err != nil {
		return err
	}
	switch l.protocol {
	case ProtocolRaft:
		return t.receive(c, l, t.limits.ControlFrame)
	case ProtocolAppend:
		return t.receive(c, l, t.limits.AppendFrame)
	}
	defer func() {
		if fault := recover(); fault != nil { // as net/http does: one connection's fault is not the node's end
			t.logger.Error("a handler failed", "protocol", l.protocol, "fault", fault, "stack", string(debug.Stack()))
		}
	}()
	t.config.Streams[l.protocol](c, l.peer)
	return nil
}

// receive reads the frames of one of a peer's two streams.
func (t *Transport) receive(c *tls.Conn, l *link, limit int) error {
	l.read = t.limits.Idle
	p := t.meet(l.peer.RaftID)
	if p == nil {
		return ErrClosed
	}
	p.nudge() // it lives
	in := newFrames(c, limit)
	for {
		kind, body, err := in.next()
		switch {
		case err != nil:
		case t.walls.of(p.id).in:
			if kind == frameMessage || kind == frameRefusal {
				p.cut.Add(1)
			}
		default:
			err = t.handle(c, l, p, kind, body)
		}
		switch {
		case errors.Is(err, errFrame):
			t.counts.malformed.Add(1)
			t.logger.Warn("another node sent what is no message", "node", p.id, "protocol", l.protocol, "err", err)
			return err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (t *Transport) handle(c *tls.Conn, l *link, p *peer, kind byte, body []byte) error {
	p.hear()
	switch kind {
	case frameMessage:
		m, err := decodeMessage(body, p.id, t.config.ID)
		if err != nil {
			return err
		}
		p.received.Add(1)
		p.receivedBytes.Add(uint64(frameHead + len(body)))
		t.config.Deliver(m)
	case frameRefusal:
		term, index, reason, err := decodeRefusal(body)
		if err != nil {
			return err
		}
		p.received.Add(1)
		if p.mayLog() {
			t.logger.Warn("another node refused a block of this one", "node", p.id, "term", term, "index", index,
				"reason", strings.ToValidUTF8(reason, "?"))
		}
		if t.config.Refused != nil {
			t.config.Refused(p.id, term, index)
		}
	case framePing:
		n, err := decodeCount(body)
		if err != nil {
			return err
		}
		if !t.walls.of(p.id).out {
			_, err = c.Write(appendPong(nil, n, t.config.Clock()))
		}
		return err
	case frameGoodbye:
		return t.goodbye(body)
	default:
		return fmt.Errorf("%w: kind %d here", errFrame, kind)
	}
	return nil
}

// goodbye is why the other end leaves.
func (t *Transport) goodbye(body []byte) error {
	code, err := decodeGoodbye(body)
	switch {
	case err != nil:
		return err
	case code == ErrRetired.Code:
		t.notices.retire()
		return ErrRetired
	}
	return ErrUnreachable.From(fmt.Errorf("it said %s", code))
}
