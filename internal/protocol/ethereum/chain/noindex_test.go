package chain

import (
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/history"
)

// Without an index what is in the newest blocks is found, what is older is refused
// as such, and nothing looks as if it were being made.
func TestNoIndex(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		w.commit(t, 1)
	}
	c, err := Open(t.Context(), w, NoIndex, 30)
	if err != nil {
		t.Fatal(err)
	}
	if b, at, err := c.Transaction(t.Context(), w.blocks[3].Receipts[0].TxHash); err != nil || b.Number() != 3 || at != 0 {
		t.Errorf("a transaction in a block that is read from the ledger: %v", err)
	}
	c.limits.behind = 20
	_, _, byHash := c.Transaction(t.Context(), w.blocks[3].Receipts[0].TxHash)
	_, byFilter := c.Logs(t.Context(), Filter{To: 30, Addresses: []common.Address{{1}}})
	for _, err := range []error{byHash, byFilter} {
		if !errors.Is(err, history.ErrOff) {
			t.Errorf("what is older than the newest blocks: %v", err)
		}
	}
	if p, busy := c.Indexing(); busy {
		t.Errorf("an index is being made that nobody wants: %+v", p)
	}
	if b, err := c.ByNumber(t.Context(), 3); err != nil || b.Number() != 3 {
		t.Errorf("a block by its number: %v", err)
	}
}
