package node

import (
	"context"
	"fmt"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

type tiles struct{ leaves []proof.Hash }

func (t *tiles) Committed(c *sequencer.Committed) {
	for i := range c.Records {
		t.leaves = append(t.leaves, c.Records[i].Leaf)
	}
}
func (t *tiles) Node(level uint, index uint64) (proof.Hash, error) {
	var f proof.Frontier
	for i := index << level; i < (index+1)<<level; i++ {
		if i >= uint64(len(t.leaves)) {
			return proof.Hash{}, fmt.Errorf("no node")
		}
		f.Append(t.leaves[i])
	}
	return f.Root(), nil
}
func (n *Node) rebuildTiles(context.Context) error { return nil }

func (n *Node) restore(ctx context.Context, ring *keys.Ring) (*base, error) {
	n.tiles = &tiles{}
	return &base{line: lineage.New(authorities()...)}, nil
}

type snapshots struct{}

func newSnapshots(*Node) *snapshots               { return &snapshots{} }
func (*snapshots) Committed(*sequencer.Committed) {}
func (*snapshots) run(ctx context.Context)        { <-ctx.Done() }
