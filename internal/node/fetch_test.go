package node

import (
	"bytes"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// TestCheckAfterALie: entries of which a later one is refused do not make those of
// the next node wrong.
func TestCheckAfterALie(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	for nonce := range uint64(3) {
		pay(t, n, nonce)
	}
	entries, err := n.log.Entries(1, n.log.Head().LastIndex+1, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	last := len(entries) - 1
	for entries[last].Kind != format.EntryBlock {
		last--
	}
	lied := append([]format.Entry(nil), entries[:last+1]...)
	lied[last].Body = bytes.Clone(lied[last].Body)
	lied[last].Body[len(lied[last].Body)-1] ^= 1
	check := checkFrom(lineage.New(authorities()...), format.Hash{})
	if err := check(lied); err == nil {
		t.Fatal("a changed block passes")
	}
	if err := check(entries); err != nil {
		t.Fatal(err)
	}
}
