package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const guard = time.Minute // how long a test waits for what must happen

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyHash(t testing.TB, key *ecdsa.PrivateKey) format.Hash {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(spki)
}

// service is a network's service key and certificate.
type service struct {
	key *ecdsa.PrivateKey
	pem []byte
}

func newService(t testing.TB) service {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "coco service"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return service{key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// network is some nodes' transports and the table that they share.
type network struct {
	t       testing.TB
	service service
	mu      sync.Mutex
	table   map[uint64]Peer
	nodes   map[uint64]*node
}

// node is one transport and what it was given.
type node struct {
	*Transport
	key      *ecdsa.PrivateKey
	config   Config
	messages chan *raftpb.Message
	refusals chan [3]uint64
	lost     chan uint64
	retired  chan struct{}
	served   chan error
}

func newNetwork(t testing.TB) *network {
	return &network{t: t, service: newService(t), table: map[uint64]Peer{}, nodes: map[uint64]*node{}}
}

func (n *network) peers(id uint64) (Peer, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.table[id]
	return p, ok
}

func (n *network) set(id uint64, change func(*Peer)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.table[id]
	change(&p)
	n.table[id] = p
}

// prepare makes a node that does not run, and states it in the table.
func (n *network) prepare(id uint64) *node {
	n.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	x := &node{key: newKey(n.t), messages: make(chan *raftpb.Message, 1<<16), refusals: make(chan [3]uint64, 64),
		lost: make(chan uint64, 1<<10), retired: make(chan struct{}, 8), served: make(chan error, 1)}
	x.config = Config{ID: id, Listener: listener, Service: n.service.pem, Issue: Issuer(n.service.key, n.service.pem, x.key, id), Peers: n.peers,
		Deliver: func(m *raftpb.Message) { x.messages <- m },
		Refused: func(from, term, index uint64) { x.refusals <- [3]uint64{from, term, index} },
		Unreachable: func(id uint64) {
			select {
			case x.lost <- id:
			default:
			}
		},
		Retired: func() { x.retired <- struct{}{} },
		Limits:  Limits{Ping: 20 * time.Millisecond},
	}
	n.nodes[id] = x
	n.set(id, func(p *Peer) { *p = Peer{Address: listener.Addr().String(), Key: keyHash(n.t, x.key)} })
	return x
}

func (n *network) start(x *node) *node {
	n.t.Helper()
	var err error
	if x.Transport, err = New(x.config); err != nil {
		n.t.Fatal(err)
	}
	go func() { x.served <- x.Serve() }()
	n.t.Cleanup(func() { x.end(n.t) })
	return x
}

func (x *node) end(t testing.TB) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-x.served:
		if x.served <- nil; err != nil {
			t.Error(err)
		}
	case <-time.After(guard):
		t.Error("Serve does not end")
	}
}

func (n *network) add(id uint64) *node { return n.start(n.prepare(id)) }

func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(guard):
		t.Fatalf("%s: did not happen", what)
		panic("unreachable")
	}
}

// eventually asks until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(guard); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

func vote(from, to, term uint64) *raftpb.Message {
	return &raftpb.Message{Type: raftpb.MsgVote.Enum(), From: new(from), To: new(to), Term: new(term)}
}

func appends(from, to, index uint64, size int) *raftpb.Message {
	return &raftpb.Message{Type: raftpb.MsgApp.Enum(), From: new(from), To: new(to), Index: new(index),
		Entries: []*raftpb.Entry{{Index: new(index + 1), Data: bytes.Repeat([]byte{byte(index)}, size)}}}
}

func status(x *node, id uint64) PeerStatus {
	for _, s := range x.Status() {
		if s.ID == id {
			return s
		}
	}
	return PeerStatus{}
}

// clock is a time that goes when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
