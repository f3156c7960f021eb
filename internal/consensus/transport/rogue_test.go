package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// certify is a certificate that the network's service issues.
func (n *network) certify(key *ecdsa.PrivateKey, id uint64) tls.Certificate {
	n.t.Helper()
	c, err := Certify(n.service.key, n.service.pem, key, id, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// knock connects as a client with its own idea of TLS. In TLS 1.3 a refusal of
// its certificate comes with the first read.
func knock(t testing.TB, address string, c *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c.InsecureSkipVerify = true
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(guard))
	return conn.(*tls.Conn), nil
}

// enter connects as a node and waits for the welcome.
func (n *network) enter(to *node, key *ecdsa.PrivateKey, id uint64, protocol string) *tls.Conn {
	n.t.Helper()
	c, err := knock(n.t, to.config.Listener.Addr().String(), &tls.Config{
		Certificates: []tls.Certificate{n.certify(key, id)}, NextProtos: []string{protocol}})
	if err != nil {
		n.t.Fatal(err)
	}
	var head [frameHead]byte
	if _, err := io.ReadFull(c, head[:]); err != nil || head[0] != frameWelcome {
		n.t.Fatalf("no welcome: %v %v", head, err)
	}
	return c
}

// ends waits until the other side has closed a connection.
func ends(t testing.TB, c net.Conn, what string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(guard))
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Errorf("%s: the connection stays", what)
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// rogue is a node of the network, in the table and with a good certificate, that
// behaves as the test wants: each connection goes to serve behind the welcome.
func (n *network) rogue(id uint64, serve func(*tls.Conn)) {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	key := newKey(n.t)
	config := &tls.Config{Certificates: []tls.Certificate{n.certify(key, id)}, NextProtos: []string{ProtocolRaft, ProtocolAppend}, ClientAuth: tls.RequireAnyClientCert}
	n.set(id, func(p *Peer) { *p = Peer{Address: l.Addr().String(), Key: keyHash(n.t, key)} })
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	work.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer raw.Close()
				defer context.AfterFunc(ctx, func() { raw.Close() })()
				c := tls.Server(raw, config)
				if c.Handshake() == nil {
					c.Write(appendFrame(nil, frameWelcome, nil))
					serve(c)
				}
			})
		}
	})
	n.t.Cleanup(func() {
		cancel()
		l.Close()
		work.Wait()
	})
}

// proxy stands before a node. Cut closes its connections, Freeze keeps them and
// lets nothing through, Thaw lets new ones through again.
type proxy struct {
	listener net.Listener
	to       string
	work     sync.WaitGroup

	mu     sync.Mutex
	frozen bool
	conns  map[net.Conn]bool
	made   int
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.made++
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(in, out) })
	both.Go(func() { p.copy(out, in) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, in)
	delete(p.conns, out)
	p.mu.Unlock()
}

func (p *proxy) copy(from, to net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if !frozen {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
}

func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) freeze(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}
