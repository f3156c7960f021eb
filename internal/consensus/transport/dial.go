package transport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// keepAlive finds dead machines where no deadline rolls: after about 10 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// Dial connects to a node for one of the protocols in its Config.Streams. When
// it succeeds the node has accepted this one. The connection ends with the
// transport, and when the node's address or key changes or it is isolated. Each
// write must make progress within Limits.Write; reads wait for ever.
func (t *Transport) Dial(ctx context.Context, id uint64, protocol string) (net.Conn, error) {
	c, _, err := t.dial(ctx, id, protocol)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, id uint64, protocol string) (*tls.Conn, *link, error) {
	now, known := t.config.Peers(id)
	switch {
	case !known || now.Retired || now.Address == "" || id == t.config.ID || id == 0:
		return nil, nil, ErrPeerUnknown.From(errors.New(nodeName(id)))
	case t.walls.of(id).closed(protocol):
		return nil, nil, ErrIsolated.From(errors.New(nodeName(id)))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	raw, err := connect(ctx, now.Address, t.limits)
	if err != nil {
		return nil, nil, err
	}
	l := &link{Conn: raw, t: t, protocol: protocol, peer: Identity{RaftID: id, Key: now.Key}, dialled: &now, write: t.limits.Write}
	switch protocol {
	case ProtocolRaft:
		l.read = t.limits.Idle
	case ProtocolAppend: // answers wait behind entries: as long as those get on, the peer is only slow
		l.read, l.answers = t.limits.Idle, true
	case ProtocolHTTP:
		l.read, l.answers = t.limits.Answer, true
	}
	c := tls.Client(l, t.clientTLS(id, now.Key, protocol))
	l.tls = c
	if err = t.keep(l); err == nil {
		err = t.shake(ctx, c, protocol)
	}
	if w := t.walls.of(id); err == nil && w.closes(l) {
		err = ErrIsolated.From(errors.New(nodeName(id)))
	}
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return c, l, nil
}

// shake makes the handshake and, where frames are spoken, waits for the word
// that the other end accepted it: in TLS 1.3 the one who dials is done before its
// certificate is judged.
func (t *Transport) shake(ctx context.Context, c *tls.Conn, protocol string) error {
	ctx, cancel := context.WithTimeout(ctx, t.limits.Handshake)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return untrusted(err)
	}
	if protocol == ProtocolHTTP {
		return nil
	}
	end, _ := ctx.Deadline()
	c.SetReadDeadline(end)
	defer c.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { c.NetConn().Close() })()
	return t.greet(c)
}

// greet reads the first frame, and no byte more.
func (t *Transport) greet(r io.Reader) error {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return untrusted(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case head[0] == frameWelcome && n == 0:
		return nil
	case head[0] == frameGoodbye && n <= mostCode:
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return untrusted(err)
		}
		return t.goodbye(body)
	}
	return fmt.Errorf("%w: no welcome", errFrame)
}

func connect(ctx context.Context, address string, l Limits) (net.Conn, error) {
	d := net.Dialer{Timeout: l.Dial, KeepAliveConfig: keepAlive}
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, ErrUnreachable.From(err)
	}
	return raw, nil
}

// untrusted tells a refused certificate from a connection that broke.
func untrusted(err error) error {
	var alert tls.AlertError
	var remote *net.OpError
	switch {
	case errors.Is(err, ErrUntrusted):
		return err
	case errors.As(err, &alert), errors.As(err, &remote) && remote.Op == "remote error":
		return ErrUntrusted.From(fmt.Errorf("it refuses this node: %w", err))
	}
	return ErrUnreachable.From(err)
}
