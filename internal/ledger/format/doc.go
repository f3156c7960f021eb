// Package format is the ledger's formats as bytes: records, block headers,
// blocks, log entries and frames, and the documents that genesis, recovery and
// snapshots publish. docs/reference/ledger.md says the same in prose.
//
// It is pure: no file, clock, key or goroutine. Encoding is deterministic CBOR
// (RFC 8949 4.2.1) unless a type says otherwise; decoding refuses what is not
// canonical, so that every value has one encoding and every hash one meaning.
// Structures are CBOR arrays in field order.
package format

import "crypto/sha256"

// Hash is a SHA-256 digest.
type Hash = [32]byte

// ServiceID names a service: 16 random bytes made at genesis, never changed.
type ServiceID = [16]byte

// Modes of a service, fixed at genesis.
const (
	ModeSimulated  = "simulated"
	ModeProduction = "production"
)

// ServiceDomain is the key domain that every node of the service holds.
const ServiceDomain = "service"

// Sum is SHA-256 over the concatenation of parts.
func Sum(parts ...[]byte) Hash {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	var sum Hash
	h.Sum(sum[:0])
	return sum
}
