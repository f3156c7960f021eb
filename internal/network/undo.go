package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrLeft says that a node which was to be added is still in the ledger's table.
var ErrLeft = problem.New("NETWORK_LEFT", "the node was not added, and the network could not be told yet",
	"nothing need be done: the network retires a learner that is silent for five minutes; coco node retire does it at once")

// undoTime is how long taking a node back may take, at most.
const undoTime = 10 * time.Second

// remove takes back a node that was added and did not become what it should: its
// number is free again and its directory stays, for the next one to go on with.
func (n *Network) remove(ctx context.Context, m *member, why error) error {
	ctx = context.WithoutCancel(ctx)
	if m.node != nil {
		why = errors.Join(why, n.stopNode(ctx, m.number))
	}
	n.forget(m)
	if slices.Contains(n.register.Nodes, m.number) {
		n.change(func() { n.register = n.register.without(m.number) })
		why = errors.Join(why, n.register.write(n.config.Data))
	}
	return n.unjoin(ctx, m, why)
}

// unjoin tells the network that a process which was joining is no more: whatever
// its address stands for in the table that is no voter is retired.
func (n *Network) unjoin(ctx context.Context, m *member, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var left []uint64
	for _, id := range n.joining(m) {
		if err := n.retire(ctx, id); err != nil {
			left = append(left, id)
			why = errors.Join(why, err)
		}
	}
	if len(left) > 0 {
		return ErrLeft.From(fmt.Errorf("the node with Raft id %v: %w", left, why))
	}
	return why
}

// joining are the Raft ids under which a member that ended was joining.
func (n *Network) joining(m *member) (ids []uint64) {
	for _, o := range n.running() {
		for _, p := range o.node.Status().Nodes {
			if joins := p.State == operations.StatePending || p.State == operations.StateLearner; joins && p.Client == m.rpc && !slices.Contains(ids, p.RaftID) {
				ids = append(ids, p.RaftID)
			}
		}
	}
	return ids
}
