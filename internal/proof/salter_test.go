package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"
)

// TestMAC changes the key of one MAC and compares with the library's.
func TestMAC(t *testing.T) {
	m := newMAC()
	rapid.Check(t, func(t *rapid.T) {
		key := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		m.key(&key)
		for range 2 {
			message := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "message")
			known := hmac.New(sha256.New, key[:])
			known.Write(message)
			if got := m.of(message); got != Hash(known.Sum(nil)) {
				t.Fatalf("HMAC of %x under %x is %x", message, key, got)
			}
		}
	})
}

// TestClaimsAllocateNothing: a transfer's claims are most of what sealing costs. A
// race detector empties pools now and then, which is why one is allowed.
func TestClaimsAllocateNothing(t *testing.T) {
	d := transferClaims()
	ClaimsDigest(d)
	if n := testing.AllocsPerRun(1000, func() { ClaimsDigest(d) }); n > 1 {
		t.Fatalf("%v allocations", n)
	}
}
