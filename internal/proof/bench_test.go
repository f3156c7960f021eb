package proof

import "testing"

// transferClaims are as many claims as an ERC-20 transfer has, of their sizes.
func transferClaims() DomainClaims {
	d := DomainClaims{Seed: [32]byte{1}}
	for i, size := range []int{32, 1, 20, 20, 0, 2, 3, 0, 1, 4, 188} {
		d.Claims = append(d.Claims, Claim{Field: uint64(i + 1), Value: make([]byte, size)})
	}
	return d
}

func BenchmarkClaimsDigest(b *testing.B) {
	d := transferClaims()
	b.ReportAllocs()
	for b.Loop() {
		ClaimsDigest(d)
	}
}
