package catchup

import (
	"context"
	"crypto/sha256"
	"iter"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// Leaves are the leaves of the ledger's tree in order, computed from the stored
// records of a log that begins with the ledger's first entry; no key is needed.
// With them ledger.Tiles.Rebuild makes the tiles of a node that fetched the older
// chunks, so that it gives receipts of old transactions too.
func Leaves(ctx context.Context, log *ledger.Log) iter.Seq2[format.Hash, error] {
	return func(yield func(format.Hash, error) bool) {
		last := log.Head().LastIndex
		for index := uint64(1); index <= last; {
			err := ctx.Err()
			var entries []format.Entry
			if err == nil {
				entries, err = log.Entries(index, last+1, 4<<20)
			}
			for i := range entries {
				if err == nil && entries[i].Kind == format.EntryBlock {
					var more bool
					if more, err = leavesOf(&entries[i], yield); !more && err == nil {
						return
					}
				}
			}
			if err != nil {
				yield(format.Hash{}, err)
				return
			}
			index += uint64(len(entries))
		}
	}
}

// leavesOf yields the leaves of a block; more is false when no more are wanted.
func leavesOf(e *format.Entry, yield func(format.Hash, error) bool) (more bool, err error) {
	b, _, err := format.DecodeBlock(e.Body)
	if err != nil {
		return false, err
	}
	for _, stored := range b.Records {
		_, prelude, err := format.DecodeRecord(stored)
		if err != nil {
			return false, err
		}
		if !yield(proof.Leaf(sha256.Sum256(stored), prelude.Evidence, prelude.Claims), nil) {
			return false, nil
		}
	}
	return true, nil
}
