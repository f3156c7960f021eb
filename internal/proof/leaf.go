package proof

import (
	"crypto/sha256"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Hash is a SHA-256 digest.
type Hash = format.Hash

// Leaf is the ledger tree's leaf of one record: the RFC 9162 leaf hash of
// record digest ‖ SHA-256(commit evidence) ‖ claims digest. record is the
// SHA-256 of the record as stored.
func Leaf(record, evidence, claims Hash) Hash {
	var b [1 + 3*32]byte
	b[0] = rfc6962.RFC6962LeafHashPrefix
	copy(b[1:], record[:])
	copy(b[33:], evidence[:])
	copy(b[65:], claims[:])
	return sha256.Sum256(b[:])
}

// node is the RFC 9162 hash of an inner node.
func node(left, right *Hash) Hash {
	var b [1 + 2*32]byte
	b[0] = rfc6962.RFC6962NodeHashPrefix
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// leafOfHash is the RFC 9162 leaf hash of a digest.
func leafOfHash(h *Hash) Hash {
	var b [1 + 32]byte
	b[0] = rfc6962.RFC6962LeafHashPrefix
	copy(b[1:], h[:])
	return sha256.Sum256(b[:])
}
