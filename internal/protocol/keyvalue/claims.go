package keyvalue

import (
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// claimsOf are the fields of a write that its client can disclose one by one.
func claimsOf(client []byte, q *Request) []proof.Claim {
	return []proof.Claim{
		{Field: proof.FieldKeyvalueOp, Value: []byte{byte(q.Op)}},
		{Field: proof.FieldKeyvalueClient, Value: client},
		{Field: proof.FieldKeyvalueKey, Value: q.Key},
		{Field: proof.FieldKeyvalueValue, Value: q.Value},
	}
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
	domains := []proof.DomainClaims{{Seed: [32]byte(r.Private.ClaimsSeed), Claims: claimsOf(r.Private.Caller, q)}}
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
