package node

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/coco-consortium/coco/internal/catchup"
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

// rebuildTiles makes the tiles again from the ledger, once all of it is here. The
// tiles say how many leaves they want: the log has all of them before a follower
// hears of a block.
func (n *Node) rebuildTiles(ctx context.Context) error {
	if first := n.log.First(); first > 1 {
		return ledger.ErrAbsent.From(fmt.Errorf("the entries before %d", first))
	}
	n.config.Logger.Warn("the hash tiles are made again from the ledger")
	return n.tiles.Rebuild(catchup.Leaves(ctx, n.log))
}
