package transport

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

func certificateOf(t *testing.T, c tls.Certificate, err error) tls.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStrangersAreRefused connects with certificates and settings of which none
// may reach Raft.
func TestStrangersAreRefused(t *testing.T) {
	n := newNetwork(t)
	b := n.add(2)
	member := n.prepare(1)
	defer member.config.Listener.Close()
	other, key, now := newService(t), newKey(t), time.Now()
	issued := func(of service, key *ecdsa.PrivateKey, id uint64, at time.Time) tls.Certificate {
		c, err := Certify(of.key, of.pem, key, id, at)
		return certificateOf(t, c, err)
	}
	own, err := SelfSigned(key, now)
	certificateOf(t, own, err)
	parent, err := parseService(n.service.pem)
	if err != nil {
		t.Fatal(err)
	}
	special := func(change func(*x509.Certificate), parent *x509.Certificate, signer *ecdsa.PrivateKey) tls.Certificate {
		template := newTemplate("coco node 50", now) // an id that the table does not have
		template.URIs = []*url.URL{nodeURI(50)}
		change(template)
		if parent == nil {
			parent = template
		}
		c, err := sign(template, parent, key, signer)
		return certificateOf(t, c, err)
	}
	good := issued(n.service, member.key, 1, now)
	raft := []string{ProtocolRaft}
	for name, c := range map[string]*tls.Config{
		"another service":              {NextProtos: raft, Certificates: []tls.Certificate{issued(other, member.key, 1, now)}},
		"another key for the id":       {NextProtos: raft, Certificates: []tls.Certificate{issued(n.service, key, 1, now)}},
		"the node's own id":            {NextProtos: raft, Certificates: []tls.Certificate{issued(n.service, b.key, 2, now)}},
		"its own certificate":          {NextProtos: raft, Certificates: []tls.Certificate{own}},
		"its own certificate, appends": {NextProtos: []string{ProtocolAppend}, Certificates: []tls.Certificate{own}},
		"a node's name on its own":     {NextProtos: []string{ProtocolHTTP}, Certificates: []tls.Certificate{special(func(*x509.Certificate) {}, nil, key)}},
		"an expired certificate":       {NextProtos: raft, Certificates: []tls.Certificate{issued(n.service, member.key, 1, now.Add(-lifetime-time.Minute))}},
		"a certificate of tomorrow":    {NextProtos: raft, Certificates: []tls.Certificate{issued(n.service, member.key, 1, now.Add(skew+time.Hour))}},
		"a certificate of the service for something else": {NextProtos: []string{ProtocolHTTP}, Certificates: []tls.Certificate{
			special(func(c *x509.Certificate) { c.URIs = nil }, parent, n.service.key)}},
		"a certificate for servers only": {NextProtos: raft, Certificates: []tls.Certificate{
			special(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, parent, n.service.key)}},
		"two names": {NextProtos: raft, Certificates: []tls.Certificate{
			special(func(c *x509.Certificate) { c.URIs = append(c.URIs, nodeURI(3)) }, parent, n.service.key)}},
		"no certificate":      {NextProtos: raft},
		"TLS 1.2":             {NextProtos: raft, Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12},
		"no protocol":         {Certificates: []tls.Certificate{good}},
		"an unknown protocol": {NextProtos: []string{"coco-raft/9"}, Certificates: []tls.Certificate{good}},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.Totals().Refused
			conn, err := knock(t, b.config.Listener.Addr().String(), c)
			if err == nil {
				if n, err := conn.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
					t.Errorf("it is let in: %d, %v", n, err)
				}
				conn.Close()
			}
			eventually(t, "the refusal is counted", func() bool { return b.Totals().Refused > before })
		})
	}
	for name, c := range map[string]tls.Certificate{"node 1": good, "node 50": special(func(*x509.Certificate) {}, parent, n.service.key)} {
		conn, err := knock(t, b.config.Listener.Addr().String(), &tls.Config{NextProtos: raft, Certificates: []tls.Certificate{c}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s, who may, is refused: %v", name, err)
		}
	}
}

func TestUnknownNodeOfTheServiceIsHeard(t *testing.T) {
	n := newNetwork(t)
	b, key := n.add(2), newKey(t)
	c := n.enter(b, key, 77, ProtocolRaft)
	frame, _ := appendMessage(nil, vote(77, 2, 5), 1<<20)
	c.Write(frame)
	if m := await(t, b.messages, "a message of a node not known yet"); m.GetFrom() != 77 {
		t.Errorf("message of %d", m.GetFrom())
	}
	eventually(t, "the message is counted", func() bool { return status(b, 77).Received == 1 })
	if s := status(b, 77); s.Address != "" {
		t.Errorf("status %+v", s)
	}
}

func TestServerIsWhoItShouldBe(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.prepare(2)
	echo := map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, _ Identity) { io.Copy(c, c) }}
	b.config.Streams = echo
	n.start(b)
	right, _ := n.peers(2)
	for name, wrong := range map[string]Peer{
		"another key": {Address: right.Address, Key: keyHash(t, newKey(t))},
		"itself":      {Address: a.config.Listener.Addr().String(), Key: right.Key},
	} {
		n.set(2, func(p *Peer) { *p = wrong })
		if _, err := a.Dial(t.Context(), 2, "coco-echo/1"); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.set(2, func(p *Peer) { *p = right })
	n.set(8, func(p *Peer) { *p = right })
	if _, err := a.Dial(t.Context(), 8, "coco-echo/1"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("another id: %v", err)
	}
	if _, err := a.Dial(t.Context(), 2, "coco-other/1"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a protocol that it does not speak: %v", err)
	}
	if _, err := a.Dial(t.Context(), 9, "coco-echo/1"); !errors.Is(err, ErrPeerUnknown) {
		t.Errorf("an unknown node: %v", err)
	}
	c, err := a.Dial(t.Context(), 2, "coco-echo/1")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	// A joiner trusts the service and nobody else.
	own, err := SelfSigned(newKey(t), time.Now())
	certificateOf(t, own, err)
	if _, err := DialJoin(t.Context(), right.Address, newService(t).pem, own); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a joiner of another service: %v", err)
	}
}

// TestRetiredNodeLearnsIt asks by each way, and once over streams that stood
// already when the node was retired.
func TestRetiredNodeLearnsIt(t *testing.T) {
	message := func(a *node) error {
		a.Send([]*raftpb.Message{vote(1, 2, 1)})
		return ErrRetired
	}
	for name, ask := range map[string]func(*node) error{
		"message": message,
		"append":  func(a *node) error { a.Send([]*raftpb.Message{appends(1, 2, 1, 10)}); return ErrRetired },
		"stream":  func(a *node) error { _, err := a.Dial(t.Context(), 2, "coco-echo/1"); return err },
		"HTTP": func(a *node) error {
			answer, err := a.HTTP(2).Get("https://node/")
			if err == nil {
				answer.Body.Close()
			}
			return err
		},
		"standing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			a, b := n.add(1), n.prepare(2)
			b.config.Streams = map[string]func(net.Conn, Identity){"coco-echo/1": func(net.Conn, Identity) { t.Error("the handler is asked") }}
			b.config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler is asked") })
			n.start(b)
			if ask == nil {
				message(a)
				await(t, b.messages, "a message before it is retired")
			}
			n.set(1, func(p *Peer) { p.Retired = true })
			if ask == nil {
				b.Refresh()
				ask = message
			}
			if err := ask(a); !errors.Is(err, ErrRetired) {
				t.Errorf("the answer is %v", err)
			}
			await(t, a.retired, "the retired node is told")
			b.Send([]*raftpb.Message{vote(2, 1, 1)})
			if b.Totals().Unknown != 1 {
				t.Error("a retired node is sent to")
			}
			a.Send([]*raftpb.Message{vote(1, 2, 2)})
			a.end(t)
			if len(a.retired) > 0 {
				t.Error("it is told twice")
			}
		})
	}
}

// TestCertificatesAreRenewed lets three days go by for two nodes whose
// connections are cut every hour.
func TestCertificatesAreRenewed(t *testing.T) {
	n := newNetwork(t)
	clock := newClock()
	issued := 0
	nodes := []*node{n.prepare(1), n.prepare(2)}
	for _, x := range nodes {
		issue := x.config.Issue
		x.config.Clock = clock.now
		x.config.Limits.MostBackoff = 5 * time.Millisecond
		x.config.Issue = func(now time.Time) (*tls.Certificate, error) { // the wallet's lock guards issued of node 1
			if x == nodes[0] {
				issued++
			}
			return issue(now)
		}
		n.start(x)
	}
	for hour := range uint64(72) {
		for _, x := range nodes {
			for _, l := range x.linksWhere(func(*link) bool { return true }) {
				l.Close()
			}
		}
		clock.advance(time.Hour)
		eventually(t, "a message arrives", func() bool {
			nodes[0].Send([]*raftpb.Message{vote(1, 2, hour)})
			for {
				select {
				case m := <-nodes[1].messages:
					if m.GetTerm() == hour {
						return true
					}
				case <-time.After(20 * time.Millisecond):
					return false
				}
			}
		})
	}
	nodes[0].end(t)
	if issued != 1+6 {
		t.Errorf("%d certificates, not one and another for each half of three days", issued)
	}
}

// TestFailedRenewal shows the old certificate until it expires.
func TestFailedRenewal(t *testing.T) {
	service, key, clock := newService(t), newKey(t), newClock()
	broken := errors.New("broken")
	var fail error
	w := wallet{clock: clock.now, issue: func(now time.Time) (*tls.Certificate, error) {
		if fail != nil {
			return nil, fail
		}
		return Issuer(service.key, service.pem, key, 1)(now)
	}}
	first, err := w.certificate()
	if err != nil {
		t.Fatal(err)
	}
	fail = broken
	clock.advance(lifetime - time.Minute)
	if c, err := w.certificate(); c != first || err != nil {
		t.Errorf("before it expires: %v", err)
	}
	clock.advance(2 * time.Minute)
	if c, err := w.certificate(); c != nil || !errors.Is(err, broken) {
		t.Errorf("after: %v", err)
	}
	fail = nil
	if c, err := w.certificate(); c == first || err != nil {
		t.Errorf("renewed: %v", err)
	}
	clock.advance(-lifetime) // a clock that was set back
	if c, err := w.certificate(); err != nil || c.Leaf.NotBefore.After(clock.now()) {
		t.Errorf("after the clock was set back: %v", err)
	}
}
