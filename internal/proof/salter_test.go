package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"
)

// TestMAC changes the key of one MAC and compares with the library's.
func TestMAC(t *testing.T) {
	h := newHasher()
	var m mac
	pad(m.last[:0], len(Hash{}), oneBlock)
	rapid.Check(t, func(t *rapid.T) {
		key := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		m.key(&h, &key)
		for range 2 {
			message := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "message")
			known := hmac.New(sha256.New, key[:])
			known.Write(message)
			var got Hash
			if m.of(&h, pad(message, len(message), oneBlock), &got); got != Hash(known.Sum(nil)) {
				t.Fatalf("HMAC of %x under %x is %x", message, key, got)
			}
		}
	})
}

// TestHasher hashes messages of every length at which padding differs.
func TestHasher(t *testing.T) {
	h := newHasher()
	for n := range 3*oneBlock + 1 {
		message := bytes.Repeat([]byte{byte(n)}, n)
		var got Hash
		if h.sum(nil, pad(message, n, 0), &got); got != sha256.Sum256(message) {
			t.Errorf("%d bytes: %x", n, got)
		}
	}
}

// TestLeavesOfEveryLength: a leaf is the same whichever way it is hashed.
func TestLeavesOfEveryLength(t *testing.T) {
	s := newSalter(&[32]byte{1})
	for n := range 2 * longLeaf {
		c := &Claim{Field: 1 << 40, Index: 1 << 40, Value: make([]byte, n)}
		salt := s.salt(c)
		if s.leafOf(c) != claimLeaf(&salt, c) {
			t.Errorf("a value of %d bytes", n)
		}
	}
}
