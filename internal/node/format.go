package node

import (
	"context"

	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/membership"
)

// level is the format level in force in what is committed.
func (n *Node) level() uint64 {
	view := n.state.Pin()
	defer view.Release()
	level, _ := lineage.LevelOf(n.state, view) // it was followed, so it can be read
	return level
}

func (v view) Level() uint64 { return v.level() }

// RaiseFormat raises the format level of the network. It may be asked of any node.
func (n *Node) RaiseFormat(ctx context.Context, level uint64) error {
	return n.toPrimary(ctx, membership.PathRaise, &membership.Raise{Level: level}, func() error { return n.keeper.Raise(level) })
}
