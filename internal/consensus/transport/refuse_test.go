package transport

import (
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/consensus"
)

func TestRefusalsArrive(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.add(2)
	b.Refuse([]consensus.Refusal{{To: 1, Term: 3, Index: 9, Reason: strings.Repeat("the root differs ", 100)}, {To: 7}})
	if r := await(t, a.refusals, "a refusal"); r != [3]uint64{2, 3, 9} {
		t.Errorf("refusal %v", r)
	}
	if n := b.Totals().Unknown; n != 1 {
		t.Errorf("%d refusals to unknown nodes", n)
	}
}
