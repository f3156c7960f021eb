package indexer

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// rewind goes back to the last block that the ledger and the database have in
// common. On a ledger that never replaces a block there is nothing to go back to:
// the node is of another ledger.
func (f *follower) rewind(ctx context.Context) error {
	f.ahead = nil
	f.forget()
	if err := f.place(ctx); err != nil {
		return err
	}
	to := int64(f.next) - 1
	for ; to >= 0; to-- {
		ours, err := f.Store.BlockByNumber(ctx, f.id, uint64(to))
		if err := absent(err); err != nil {
			return err
		}
		if ours == nil { // before the first block that was taken in
			break
		}
		same, err := f.has(ctx, uint64(to), ours.Hash)
		if err != nil {
			return err
		}
		if same {
			break
		}
	}
	if to == int64(f.next)-1 {
		return ledger.ErrReplaced // and is there again: ask once more
	}
	if f.final {
		return ledger.ErrForeign.From(fmt.Errorf("block %d is another than before", to+1))
	}
	f.Log.Warn("the ledger replaced blocks", "connection", f.id, "from", to+1, "blocks", int64(f.next)-1-to)
	if _, err := f.Store.Do(ctx, &offchain.Rewound{ConnectionID: f.id, To: to}); err != nil {
		return err
	}
	return f.place(ctx)
}

// has says whether the ledger has that block at that height now.
func (f *follower) has(ctx context.Context, number uint64, hash common.Hash) (bool, error) {
	blocks, err := f.driver.Blocks(ctx, number, 1)
	if err != nil {
		return false, err
	}
	return len(blocks) > 0 && blocks[0].Hash == hash, nil
}
