package keyvalue

import (
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// written is the result of a write with its claims, in one piece of memory.
type written struct {
	sequencer.Result
	claims [4]proof.Claim
	op     [1]byte
}

// claim makes the claims of a write: the fields that its client can disclose one by
// one.
func (w *written) claim(client []byte, q *Request) {
	w.op[0] = byte(q.Op)
	w.claims = [4]proof.Claim{
		{Field: proof.FieldKeyvalueOp, Value: w.op[:]},
		{Field: proof.FieldKeyvalueClient, Value: client},
		{Field: proof.FieldKeyvalueKey, Value: q.Key},
		{Field: proof.FieldKeyvalueValue, Value: q.Value},
	}
	w.Claims = w.claims[:]
}

// Disclose opens the claims of a write with the given fields of proof's registry.
// It gives nothing for a record that is not of this protocol.
func Disclose(r *envelope.Record, fields ...uint64) ([]proof.Disclosure, error) {
	ours := slices.ContainsFunc(r.Prelude.Effects, func(e format.Effect) bool { return e.Protocol == Protocol })
	if !ours || r.Private == nil || len(r.Private.ClaimsSeed) != 32 {
		return nil, nil
	}
	q, err := Decode(r.Private.Request)
	if err != nil {
		return nil, err
	}
	var w written
	w.claim(r.Private.Caller, q)
	domains := []proof.DomainClaims{{Seed: [32]byte(r.Private.ClaimsSeed), Claims: w.Claims}}
	fields = append(fields, proof.FieldKeyvalueOp)
	var shown []proof.Disclosure
	for i, c := range domains[0].Claims {
		if slices.Contains(fields, c.Field) {
			d, err := proof.Disclose(domains, 0, i)
			if err != nil {
				return nil, err
			}
			shown = append(shown, *d)
		}
	}
	return shown, nil
}
