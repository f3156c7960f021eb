package node

import (
	"context"
	"errors"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Past says which old states are kept.
type Past struct {
	Blocks uint64 // how many of them, 0 for none
	Bytes  uint64 // of the files that they take, about
}

// openPast opens the old states. They follow the state, which stands at a height of
// the ledger, from now on, or as soon as they can be opened: no trouble with them
// keeps a node from starting.
func (n *Node) openPast(ring *keys.Ring, height uint64) {
	c := n.config
	if c.Past.Blocks == 0 {
		n.past = history.NewPast(n.state)
		if err := history.Remove(dirPast, c.FS); err != nil {
			c.Logger.Warn("old state that is not wanted any more is still there", "err", err)
		}
		return
	}
	options := history.PastOptions{Options: indexOptions(c, ring, "past"), Constant: []string{evm.TableCode}, Ledger: former{n}}
	options.Log = c.Logger.With("index", "past")
	options.Window = history.Window{Blocks: c.Past.Blocks, Bytes: c.Past.Bytes}
	n.past = history.OpenPast(dirPast, n.state, options)
	if last, ok := n.past.Height(); height > 0 && (!ok || last < height) {
		c.Logger.Warn("old state is not there and is kept anew", "from", height)
	}
	n.state.Observe(n.past.Observe)
}

// closePast closes the old states. Those that the disk did not take are kept anew
// by the next start, or taken from the ledger.
func (n *Node) closePast() error {
	err := n.past.Close()
	if errors.Is(err, history.ErrUnavailable) {
		n.config.Logger.Warn("old state is not complete on disk", "err", err)
		return nil
	}
	return err
}

// former shows the ledger to the past.
type former struct{ node *Node }

func (f former) Head() uint64 { return f.node.log.Head().Height }

func (f former) Hash(ctx context.Context, height uint64) ([32]byte, error) {
	b, err := f.node.archive.Block(ctx, height)
	if err != nil {
		return [32]byte{}, err
	}
	return b.Hash, nil
}

func (f former) Writes(ctx context.Context, height uint64) (writes []kv.Write, err error) {
	b, err := f.node.archive.Block(ctx, height)
	if err != nil {
		return nil, err
	}
	for i := range b.Records {
		r := &b.Records[i]
		for _, list := range [][]format.Write{r.Public, r.Private.Writes} {
			w, err := sequencer.Writes(f.node.state, list)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w...)
		}
	}
	return writes, nil
}

// confirmer tells the past which blocks are committed.
type confirmer struct{ past *history.Past }

func (f confirmer) Committed(c *sequencer.Committed) { f.past.Confirm(c.Header.Height, c.Hash) }
