package node

import (
	"context"
	"net"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/api"
	"github.com/coco-consortium/coco/internal/server"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// newServer joins the protocols' interfaces to one listener. There is no access
// policy yet: a development network permits everything to everyone, through the
// one door where a policy will stand.
func (n *Node) newServer() *server.Server {
	d := jsonrpc.New(jsonrpc.Limits{}, nil, n.config.Logger)
	api.New(api.Config{ChainID: ethereum.DevelopmentChainID, Version: n.config.Version, Chain: n.rooms.chain, Store: n.state, Past: n.past,
		Machine: n.rooms.machine, Pool: n.pool, Service: service{n}, Now: n.config.Clock,
		Linearizable: n.Linearizable, Syncing: n.syncing}).Register(d)
	d.Watch(n.watchCall)
	return server.New(d, server.Options{Log: n.config.Logger, Origins: n.config.Origins, Hosts: n.config.Hosts})
}

// Listen opens the address where a node serves.
func Listen(address string) (net.Listener, error) { return server.Listen(address) }

// Serve answers clients on l until Shutdown.
func (n *Node) Serve(l net.Listener) error { return n.server.Serve(l) }

// Shutdown takes no more requests and lets those under way finish.
func (n *Node) Shutdown(ctx context.Context) error { return n.server.Shutdown(ctx) }

// syncing is how far the node is behind what it knows to be committed.
func (n *Node) syncing() (start, current, highest uint64, busy bool) {
	select {
	case <-n.sequencer.Ready():
		return 0, 0, 0, false
	default:
		head := n.sequencer.Head().Height
		return n.started, head, max(head, n.target), true
	}
}
