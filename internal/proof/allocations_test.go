//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package proof

import (
	"testing"
)

// TestClaimsAllocateNothing: a transfer's claims are most of what sealing costs. A
// collection empties pools now and then, which is why one is allowed.
func TestClaimsAllocateNothing(t *testing.T) {
	d := transferClaims()
	ClaimsDigest(d)
	if n := testing.AllocsPerRun(1000, func() { ClaimsDigest(d) }); n > 1 {
		t.Fatalf("%v allocations", n)
	}
}
