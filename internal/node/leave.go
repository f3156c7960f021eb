package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/consensus/transport"
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

// Problems of leaving.
var (
	errUndrained = problem.New("NODE_NOT_DRAINED", "the node could not hand over everything that it has under way",
		"bring a majority of the voters back and drain it again; if you stop it as it is, clients have to ask what became of their last writes")
	errNobodyLeads = problem.New("NODE_NO_PRIMARY", "no primary could be asked: there is none, or this node cannot reach it",
		"bring a majority of the voters back and try again; coco network status shows who is there")
)

// An operator waits for so long, at most.
const (
	drainTime  = 30 * time.Second
	retireTime = 20 * time.Second
)

// Drain makes the node ready to be stopped: it hands leadership over, is not
// ready for clients any more, and what it took for them comes to its end.
func (n *Node) Drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	n.standing.draining.Store(true)
	var err error
	if len(n.members.get().IDs(format.NodeVoter)) > 1 {
		err = view{n}.Transfer(ctx)
	}
	if err == nil {
		err = n.sequencer.Drain(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errUndrained.From(err)
	}
	return err
}

// Retire ends a node's part in the network; the node itself finds out and stops.
// It may be asked of any node.
func (n *Node) Retire(ctx context.Context, raftID uint64) error {
	ctx, cancel := context.WithTimeout(ctx, retireTime)
	defer cancel()
	err := n.toPrimary(ctx, membership.PathRetire, &membership.Retirement{RaftID: raftID}, func() error {
		return n.keeper.Retire(ctx, raftID)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return errNobodyLeads.From(err)
	}
	return err
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
		if problem.CodeOf(err) == "INTERNAL" || errors.Is(err, transport.ErrUnreachable) || errors.Is(err, transport.ErrIsolated) { // the node is gone or cut off: another will lead
			return sequencer.ErrNotPrimary.From(err)
		}
		return err
	}
	return nil
}
