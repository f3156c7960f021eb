package node

import (
	"context"
	"fmt"
	"iter"
	"log/slog"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// tiles feeds the hash tiles with committed leaves. They are a copy of what the
// ledger says: what cannot be written now is made again when it is needed.
type tiles struct {
	*ledger.Tiles
	logger *slog.Logger
}

// Committed appends a block's leaves.
func (t *tiles) Committed(c *sequencer.Committed) {
	leaves := make([]format.Hash, len(c.Records))
	for i := range c.Records {
		leaves[i] = c.Records[i].Leaf
	}
	if err := t.Append(leaves...); err != nil {
		t.logger.Warn("hash tiles cannot be written", "err", err)
	}
}

// rebuildTiles makes the tiles again from the ledger, once all of it is here.
func (n *Node) rebuildTiles(ctx context.Context) error {
	if first := n.log.First(); first > 1 {
		return ledger.ErrAbsent.From(fmt.Errorf("the entries before %d", first))
	}
	n.config.Logger.Warn("the hash tiles are made again from the ledger")
	return n.tiles.Rebuild(n.leaves(ctx))
}

// leaves are the leaves of the committed blocks, in order.
func (n *Node) leaves(ctx context.Context) iter.Seq2[format.Hash, error] {
	return func(yield func(format.Hash, error) bool) {
		for height, head := uint64(0), n.sequencer.Head().Height; height <= head; height++ {
			b, err := n.archive.Block(ctx, height)
			if err != nil {
				yield(format.Hash{}, err)
				return
			}
			for i := range b.Records {
				if !yield(b.Records[i].Leaf, nil) {
					return
				}
			}
		}
	}
}
