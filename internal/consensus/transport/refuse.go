package transport

import "github.com/coco-consortium/coco/internal/consensus"

var _ interface {
	consensus.Transport
	Refuse([]consensus.Refusal)
} = (*Transport)(nil)

// Refuse tells other nodes that this one refused a block of theirs, as Send.
func (t *Transport) Refuse(refusals []consensus.Refusal) {
	for _, r := range refusals {
		p := t.reach(r.To)
		if p == nil {
			t.counts.unknown.Add(1)
			continue
		}
		p.put(p.control, item{refusal: &refusal{r.Term, r.Index, r.Reason}, size: 64 + len(r.Reason)})
	}
}
