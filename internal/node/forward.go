package node

import (
	"context"
	"net"

	"github.com/coco-consortium/coco/internal/consensus/transport"
	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
)

// leader is the primary as forwarding asks for it.
func (n *Node) leader() (id uint64, self bool, changed <-chan struct{}) {
	changed = n.consensus.Changed()
	id = n.consensus.Status().Leader
	return id, id == n.id, changed
}

// newForwarder joins admission to the primary, wherever it is.
func (n *Node) newForwarder() *forward.Forwarder {
	decoders := map[string]forward.Decoder{
		ethereum.Protocol: &pool.Intake{Checker: pool.NewChecker(n.rooms.chainID()), Account: n.account, Committed: n.rooms.chain.Find},
		keyvalue.Protocol: n.rooms.recent,
	}
	n.intake = forward.NewIntake(n.sequencer, decoders, n.leader, forward.Limits{}, n.config.Logger)
	return forward.New(forward.Config{Intake: n.intake, Leader: n.leader, Logger: n.config.Logger,
		Dial: func(ctx context.Context, leader uint64) (net.Conn, error) {
			if n.peers.transport == nil {
				return nil, forward.ErrNoPrimary
			}
			return n.peers.transport.Dial(ctx, leader, forward.Protocol)
		}})
}

// serveStream takes requests that another node forwards.
func (n *Node) serveStream(conn net.Conn, from transport.Identity) {
	defer conn.Close()
	if n.peers.opened.Load() {
		n.intake.Serve(n.running, from.RaftID, conn)
	}
}

// Linearizable returns when everything that was committed anywhere when it was
// called is published here.
func (n *Node) Linearizable(ctx context.Context) error {
	index, err := n.consensus.ReadIndex(ctx)
	if err != nil {
		return err
	}
	return n.sequencer.Published(ctx, index)
}
