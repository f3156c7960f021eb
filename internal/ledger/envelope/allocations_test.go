//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package envelope

import (
	"testing"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// TestSealAllocatesForTheBlock: nothing is allocated for a record.
func TestSealAllocatesForTheBlock(t *testing.T) {
	k, err := KeysOf(ring(format.ModeSimulated, keys.Secret{1}), 0, place)
	if err != nil {
		t.Fatal(err)
	}
	drafts := make([]*Draft, 300)
	for i := range drafts {
		drafts[i] = transfer()
	}
	if n := testing.AllocsPerRun(10, func() { k.SealAll(5, drafts, 0, 1) }); n > 30 {
		t.Fatalf("%v allocations for a block of %d records", n, len(drafts))
	}
}

// What opening a record of a transfer allocates on a backup: the record, its prelude,
// plaintext and lists, and nothing for their bytes.
func TestOpenAllocates(t *testing.T) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	k, err := KeysOf(r, 0, place)
	if err != nil {
		t.Fatal(err)
	}
	open := func(n int) float64 {
		var records []*Record
		for i := range n {
			records = append(records, k.Seal(5+uint64(i), transfer()))
		}
		e := entry(t, k, records, nil)
		return testing.AllocsPerRun(20, func() {
			if _, err := Open(r, e); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := open(10), open(110)
	if each := (many - few) / 100; each > 10 {
		t.Errorf("a record: %v allocations", each)
	}
	if block := few - (many-few)/10; block > 95 {
		t.Errorf("a block: %v allocations beside its records'", block)
	}
}
