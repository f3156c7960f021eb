// Package proof is what makes the ledger checkable by others: the leaves and
// root of its Merkle tree (RFC 9162), salted claims, the signatures over a root
// and over the keys that sign, receipts and checkpoints.
//
// It promises that a thing is either exactly as docs/reference/ledger.md says or
// refused: signatures have one encoding, decoders take canonical bytes only and
// have limits. It is pure: no file, clock or key store; keys, times and bytes
// are arguments, and signatures are deterministic (RFC 6979), so the same block
// is never signed in two ways.
//
// It does not decide what a ledger must look like (package verify does), nor
// whether a node's evidence may be believed (package attest).
package proof

import "github.com/coco-consortium/coco/internal/problem"

// Kinds of refusal. errors.Is with one of these holds for every refusal of its kind.
var (
	ErrSignature = problem.New("PROOF_SIGNATURE", "a signature does not hold",
		"do not rely on it: it was altered, or made by another key or for something else")
	ErrPath = problem.New("PROOF_PATH", "a Merkle proof does not lead to the root",
		"do not rely on it: ask for the proof again from a node that you trust")
	ErrClaim = problem.New("PROOF_CLAIM", "a disclosed claim does not belong to the receipt",
		"do not rely on the disclosed value")
	ErrReceipt = problem.New("RECEIPT_INVALID", "the receipt does not hold",
		"do not rely on it: ask for the receipt again, and check that the service certificate belongs to that service")
	ErrCheckpoint = problem.New("CHECKPOINT_INVALID", "the checkpoint does not hold",
		"do not rely on it: get the checkpoint again, and check that it belongs to that service")
	ErrSimulated = problem.New("SIMULATED_REFUSED", "the service runs on a simulated platform, which protects nothing",
		"allow simulated services explicitly if this is a development network")
	ErrService = problem.New("SERVICE_KEY", "the service certificate cannot be used",
		"give the service.pem of the service: one self-signed certificate or public key, ECDSA P-256")
	ErrNodes = problem.New("PROOF_NODES", "a node of the Merkle tree cannot be read",
		"rebuild the hash tiles beside the ledger")
)
