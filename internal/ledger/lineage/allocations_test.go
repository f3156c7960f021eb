//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package lineage

import (
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// What verifying a record of another's block allocates: the record, its prelude and
// their two lists. The block of a node's own costs less.
func TestFollowAllocates(t *testing.T) {
	s := testService()
	at := s.founded().then(empty(s.founded(), 2))
	follow := func(n int, take func(*Lineage, *format.Entry) error) float64 {
		var drafts []*envelope.Draft
		for i := range n {
			drafts = append(drafts, s.draft(byte(i)))
		}
		e := s.block(at, 2, 1, nil, drafts...)
		return testing.AllocsPerRun(10, func() {
			if err := take(at.line.Clone(), &e); err != nil {
				t.Fatal(err)
			}
		})
	}
	for what, c := range map[string]struct {
		most float64
		take func(*Lineage, *format.Entry) error
	}{
		"another's": {4, func(l *Lineage, e *format.Entry) error { return l.Extend(e, at.prefix) }},
		"one's own": {2, func(l *Lineage, e *format.Entry) error { return l.Take(e, at.prefix) }},
	} {
		if each := (follow(110, c.take) - follow(10, c.take)) / 100; each > c.most+0.1 { // lists grow
			t.Errorf("%s record: %v allocations, at most %v are needed", what, each, c.most)
		}
	}
}
