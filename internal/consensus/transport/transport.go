// Package transport carries bytes between the nodes of one network: Raft's
// messages, streams of other rooms, and HTTP.
//
// Every connection is TLS 1.3 with a certificate on both sides; ALPN (RFC 7301)
// names what it carries. A node shows a certificate that the service key issued
// to its own key (see Certify); each side checks the chain, and that the key is
// the one that the ledger states for that raft id. Who is no node yet shows a
// certificate of its own and reaches the HTTP handler only.
//
// To each peer go two streams: one for MsgApp, which may be big and must stay
// in order, and one for everything else, so that a heartbeat never waits behind
// a block. Both have bounded queues; Send never blocks and drops what does not
// fit, which Raft expects. A slow, silent or hostile peer costs its own queue,
// its own connections and nothing of another's.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// What ALPN says a connection carries. Config.Streams adds others.
const (
	ProtocolRaft   = "coco-raft/1"   // every message of Raft but MsgApp, refusals, pings
	ProtocolAppend = "coco-append/1" // MsgApp
	ProtocolHTTP   = "http/1.1"
)

// Config of a transport. Functions are called from many goroutines and must not
// block; those with a default may be nil.
type Config struct {
	// ID is this node's raft id, not 0.
	ID uint64
	// Listener takes the other nodes' TCP connections; Close closes it.
	Listener net.Listener
	// Service is service.pem: the certificate under which nodes know each other.
	Service []byte
	// Issue makes this node's certificate, see Issuer. It is called again when
	// half of the last one's life is over.
	Issue func(now time.Time) (*tls.Certificate, error)
	// Peers is what is known of a node; false when nothing is.
	Peers func(id uint64) (Peer, bool)
	// Deliver takes a message that node m.From sent to this one.
	Deliver func(m *raftpb.Message)
	// Refused takes another node's notice that it refused the block of ours
	// that is at index and of term. Default: ignored.
	Refused func(from, term, index uint64)
	// Unreachable is told, from a goroutine of its own, that messages for a
	// node were lost, so that Raft probes it (raft.ReportUnreachable). Default:
	// ignored; Raft finds out by its heartbeats.
	Unreachable func(id uint64)
	// Retired is told once that another node says this one is retired.
	Retired func()
	// Handler answers HTTP of nodes and of who wants to join; IdentityOf tells
	// which. Default: 404.
	Handler http.Handler
	// Streams are further protocols by their ALPN name. A handler owns the
	// connection until it returns, which it must when the connection ends.
	Streams map[string]func(net.Conn, Identity)
	Logger  *slog.Logger // default: discarded
	// Clock judges and dates certificates, and is what other nodes compare theirs
	// with. Default time.Now.
	Clock  func() time.Time
	Limits Limits
}

// Peer is what is known of a node.
type Peer struct {
	Address string      // host:port
	Key     format.Hash // SHA-256 of its node key's SubjectPublicKeyInfo
	// Retired refuses the node from now on. It is to be set when the ledger says
	// retired AND Raft's committed configuration has let the node go: until then
	// its vote may still be needed to commit just that.
	Retired bool
}

// Transport connects one node to its peers.
type Transport struct {
	config  Config
	limits  Limits
	logger  *slog.Logger
	service *x509.Certificate
	roots   *x509.CertPool
	wallet  wallet
	server  *tls.Config
	http    *http.Server
	visits  *conveyor
	notices *notices
	places  places
	walls   walls
	counts  counts

	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	peers  map[uint64]*peer
	links  map[*link]struct{}
	caller map[uint64]*http.Client
}

// New makes a transport; Serve lets others in. Sending works at once. Close must
// be called.
func New(config Config) (*Transport, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.ID == 0 || config.Peers == nil || config.Deliver == nil || config.Issue == nil || config.Listener == nil {
		return nil, errors.New("a transport needs an id, a listener, Issue, Peers and Deliver")
	}
	service, err := parseService(config.Service)
	if err != nil {
		return nil, err
	}
	t := &Transport{config: config, limits: config.Limits.withDefaults(), logger: config.Logger, service: service,
		roots: x509.NewCertPool(), visits: newConveyor(config.Listener), notices: newNotices(),
		peers: map[uint64]*peer{}, links: map[*link]struct{}{}, caller: map[uint64]*http.Client{}}
	t.roots.AddCert(service)
	t.wallet = wallet{issue: config.Issue, clock: config.Clock}
	if _, err := t.wallet.certificate(); err != nil {
		return nil, err
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.server = t.serverTLS()
	t.http = t.httpServer()
	t.spawn(func() { t.notices.run(t.ctx, t.config) })
	t.spawn(t.watch)
	return t, nil
}

// Serve accepts connections until Close, and then gives nil.
func (t *Transport) Serve() error {
	if !t.spawn(func() { t.http.Serve(t.visits) }) {
		return nil
	}
	wait := backoff{least: 5 * time.Millisecond, most: time.Second}
	for {
		raw, err := t.config.Listener.Accept()
		if err == nil {
			wait.reset()
			address, leave, ok := t.places.enter(raw, t.limits)
			if !ok {
				t.counts.crowded.Add(1)
				raw.Close()
			} else if !t.spawn(func() { t.admit(raw, address, leave) }) {
				raw.Close()
			}
			continue
		}
		if t.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		t.logger.Warn("a connection could not be accepted", "err", err) // for example: no file descriptor left
		if !wait.sleep(t.ctx, nil) {
			return nil
		}
	}
}

// Close ends every connection and waits until nothing of the transport runs:
// neither its goroutines nor the handlers it called.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		t.workers.Wait()
		return nil
	}
	t.closed = true
	links, callers := t.links, t.caller
	t.links, t.caller = nil, nil
	t.mu.Unlock()
	t.stop()
	err := t.config.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	t.visits.Close()
	for l := range links {
		l.Close()
	}
	t.http.Close()
	for _, c := range callers {
		c.CloseIdleConnections()
	}
	t.workers.Wait()
	return err
}

// spawn runs work in a goroutine that Close waits for; false after Close.
func (t *Transport) spawn(work func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.workers.Go(work)
	return true
}

// keep registers a link so that it is closed with the transport, when its peer
// changes, and when it is isolated.
func (t *Transport) keep(l *link) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.links[l] = struct{}{}
	return nil
}

func (t *Transport) drop(l *link) {
	t.mu.Lock()
	delete(t.links, l)
	t.mu.Unlock()
}

// linksWhere lists the links to which the question is answered with true.
func (t *Transport) linksWhere(ask func(*link) bool) []*link {
	t.mu.Lock()
	all := make([]*link, 0, len(t.links))
	for l := range t.links {
		all = append(all, l)
	}
	t.mu.Unlock()
	chosen := all[:0]
	for _, l := range all {
		if ask(l) {
			chosen = append(chosen, l)
		}
	}
	return chosen
}
