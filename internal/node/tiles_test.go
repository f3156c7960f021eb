package node

import (
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// rebuilder makes the tiles again while a block is published: they have its
// leaves, and the committed head does not tell of it yet.
type rebuilder struct {
	node *Node
	err  chan error
}

func (r rebuilder) Committed(*sequencer.Committed) { r.err <- r.node.rebuildTiles(r.node.running) }

func TestTilesAreRebuiltWhileABlockIsPublished(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	r := rebuilder{n, make(chan error, 100)}
	n.sequencer.Followers = append(slices.Clone(n.sequencer.Followers), r)
	pay(t, n, 0)
	if err := <-r.err; err != nil {
		t.Error(err)
	}
}
