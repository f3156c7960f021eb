package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Transfer hands leadership to the voter whose log is the most complete.
func (v view) Transfer(ctx context.Context) error {
	if err := v.consensus.Transfer(ctx, 0); !errors.Is(err, consensus.ErrNotLeader) {
		return err
	}
	return nil
}

// Drain makes the node ready to be stopped: it hands leadership over, is not
// ready for clients any more, and what it took for them comes to its end.
func (n *Node) Drain(ctx context.Context) error {
	n.standing.draining.Store(true)
	if len(n.members.get().IDs(format.NodeVoter)) > 1 {
		if err := (view{n}).Transfer(ctx); err != nil {
			return err
		}
	}
	return n.sequencer.Drain(ctx)
}

// Retire ends a node's part in the network; the node itself finds out and stops.
// It may be asked of any node.
func (n *Node) Retire(ctx context.Context, raftID uint64) error {
	return n.toPrimary(ctx, membership.PathRetire, &membership.Retirement{RaftID: raftID}, func() error {
		return n.keeper.Retire(ctx, raftID)
	})
}

// toPrimary asks the primary, which may be this node, until one has answered.
func (n *Node) toPrimary(ctx context.Context, path string, question any, here func() error) error {
	for {
		err := n.askPrimary(ctx, path, question, here)
		if !errors.Is(err, sequencer.ErrNotPrimary) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; %w", err, ctx.Err())
		case <-time.After(2 * n.config.Timing.Tick):
		}
	}
}

func (n *Node) askPrimary(ctx context.Context, path string, question any, here func() error) error {
	leader := n.consensus.Status().Leader
	switch leader {
	case 0:
		return sequencer.ErrNotPrimary
	case n.id:
		return here()
	}
	info := n.members.get().Get(leader)
	if info == nil {
		return sequencer.ErrNotPrimary
	}
	var done bool
	if err := membership.Ask(ctx, n.peers.transport.HTTP(leader), info.Address, path, question, &done); err != nil {
		if problem.CodeOf(err) == "INTERNAL" { // the node is gone or cut off: another will lead
			return sequencer.ErrNotPrimary.From(err)
		}
		return err
	}
	return nil
}
