package node

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/consensus/transport"
	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrPeerAddress says that other nodes cannot reach this one.
var ErrPeerAddress = problem.New("PEER_ADDRESS", "the address for other nodes cannot be used",
	"give an address of this machine that nothing else listens on; port 0 takes a free one")

// peers is this node's meeting place with the others.
type peers struct {
	node      *Node
	listener  net.Listener // nil for a node that stays alone
	advertise string
	transport *transport.Transport
	handler   atomic.Pointer[http.Handler]
	opened    atomic.Bool
	served    sync.WaitGroup
	known     atomic.Pointer[map[uint64]membership.Peer] // before the ledger says who is there
}

// openPeers takes the address; nothing is served on it yet.
func openPeers(n *Node) (*peers, error) {
	p := &peers{node: n}
	c := n.config
	if c.Peer == "" {
		return p, nil
	}
	var err error
	if p.listener, err = net.Listen("tcp", c.Peer); err != nil {
		return nil, ErrPeerAddress.From(err)
	}
	if p.advertise = c.Advertise; p.advertise == "" {
		p.advertise = p.listener.Addr().String()
	}
	return p, nil
}

// be takes the raft id and, under it, meets the others.
func (n *Node) be(id uint64) error {
	n.id = id
	p := n.peers
	if p.listener == nil {
		return nil
	}
	var err error
	p.transport, err = transport.New(transport.Config{
		ID: id, Listener: p.listener, Service: n.pem, Peers: p.peer, Clock: n.config.Clock,
		Issue: transport.Issuer(n.bundle.ServiceKey, n.pem, n.own.Signer, id),
		Deliver: func(m *raftpb.Message) {
			if p.opened.Load() {
				n.consensus.Deliver(m)
			}
		},
		Refused: func(from, term, index uint64) {
			if p.opened.Load() {
				n.consensus.Refused(from, term, index)
			}
		},
		Unreachable: func(id uint64) {
			if p.opened.Load() {
				n.consensus.Unreachable(id)
			}
		},
		Retired: n.retired, Handler: p, Logger: n.config.Logger,
		// So often that an answer which is missing is noticed within patience.
		Limits:  transport.Limits{Ping: min(time.Second, n.patience()/4)},
		Streams: map[string]func(net.Conn, transport.Identity){forward.Protocol: n.serveStream},
	})
	if err != nil {
		return err
	}
	p.served.Go(func() {
		if err := p.transport.Serve(); err != nil && !errors.Is(err, net.ErrClosed) {
			n.config.Logger.Error("other nodes are not answered any more", "err", err)
		}
	})
	return nil
}

// open begins to answer the other nodes.
func (p *peers) open() {
	mux := p.node.peerRoutes()
	p.handler.Store(&mux)
	p.opened.Store(true)
}

func (p *peers) close() error {
	switch {
	case p.transport != nil:
		err := p.transport.Close()
		p.served.Wait()
		return err
	case p.listener != nil:
		return p.listener.Close()
	}
	return nil
}

// peer is where a node is reached and which key it has. One that the ledger
// retires keeps its vote until Raft's configuration has let it go.
func (p *peers) peer(id uint64) (transport.Peer, bool) {
	if n := p.node.members.get().Get(id); n != nil {
		gone := n.Status == format.NodeRetired && p.opened.Load() && !p.node.consensus.Status().Config.Has(id)
		return transport.Peer{Address: n.Address, Key: format.Sum(n.Node.Key), Retired: gone}, true
	}
	if known := p.known.Load(); known != nil {
		if n, ok := (*known)[id]; ok {
			return transport.Peer{Address: n.Address, Key: n.Key}, true
		}
	}
	return transport.Peer{}, false
}

// others are the nodes that may be asked for what they have: until this node has
// caught up, those that the primary named, since its own ledger may know only
// nodes that have long ended.
func (p *peers) others() (others []membership.Peer) {
	if known := p.known.Load(); known != nil && !p.opened.Load() {
		return slices.Collect(maps.Values(*known))
	}
	for _, n := range p.node.members.get().All() {
		if n.Status == format.NodeVoter && n.Node.RaftID != p.node.id {
			others = append(others, membership.Peer{RaftID: n.Node.RaftID, Address: n.Address, Key: format.Sum(n.Node.Key)})
		}
	}
	return others
}

// meet keeps a connection to every node that takes part, so that all of them know
// who is silent.
func (p *peers) meet() {
	if p.transport == nil {
		return
	}
	var ids []uint64
	for _, n := range p.node.members.get().All() {
		if n.Status != format.NodeRetired && n.Node.RaftID != p.node.id {
			ids = append(ids, n.Node.RaftID)
		}
	}
	p.transport.Refresh(ids...)
}

// traffic is what is known of the traffic with each node.
func (p *peers) traffic() map[uint64]transport.PeerStatus {
	all := make(map[uint64]transport.PeerStatus)
	if p.transport != nil {
		for _, s := range p.transport.Status() {
			all[s.ID] = s
		}
	}
	return all
}

// isolate cuts off every node, or none.
func (p *peers) isolate(on bool) {
	if p.transport == nil {
		return
	}
	p.transport.Heal()
	if on {
		for _, m := range p.node.members.get().All() {
			p.transport.Isolate(m.Node.RaftID)
		}
	}
}

// ServeHTTP answers other nodes once this one is open.
func (p *peers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := p.handler.Load()
	if h == nil {
		http.Error(w, "the node is starting", http.StatusServiceUnavailable)
		return
	}
	(*h).ServeHTTP(w, r)
}

// identify is membership's view of who sent a request.
func identify(r *http.Request) (membership.Identity, bool) {
	id, ok := transport.IdentityOf(r)
	return membership.Identity{RaftID: id.RaftID, Key: id.Key, Session: id.Session}, ok
}

var _ consensus.Transport = (*transport.Transport)(nil)
