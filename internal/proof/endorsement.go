package proof

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Purpose is what a key is endorsed for.
type Purpose string

// The purposes, and the number that goes with each.
const (
	PurposeNode       Purpose = "node"       // signs blocks; number: its raft id
	PurposeCheckpoint Purpose = "checkpoint" // signs checkpoints, Ed25519; number: recovery count when it was made
	PurposeService    Purpose = "service"    // is the service key; number: recovery count when it was made
)

// Subject is what the service key says of another key.
type Subject struct {
	Service format.ServiceID
	Mode    string
	Purpose Purpose
	Key     []byte // SPKI, for checkpoints the 32 bytes of the Ed25519 key
	Number  uint64
}

type subjectForm struct {
	_       struct{} `cbor:",toarray"`
	Form    string
	Service format.ServiceID
	Mode    string
	Purpose string
	Key     []byte
	Number  uint64
}

// Endorse is the service key's COSE_Sign1 over CBOR["coco/endorsement/1",
// service id, mode, purpose, key, number], detached, with the protected headers
// {1: -7, 4: SHA-256(SPKI of the service key)}.
func Endorse(service crypto.Signer, s Subject) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(service.Public())
	if err != nil {
		return nil, fmt.Errorf("endorse: %w", err)
	}
	return sign1(service, endorsementProtected(sha256.Sum256(spki)), s.encode())
}

// VerifyEndorsement checks that the service key by made the endorsement.
func VerifyEndorsement(by *Key, s Subject, message []byte) error {
	return verify1(by, endorsementProtected(by.ID), s.encode(), message)
}

func (s *Subject) encode() []byte {
	return format.Encode(&subjectForm{
		Form: "coco/endorsement/1", Service: s.Service, Mode: s.Mode,
		Purpose: string(s.Purpose), Key: s.Key, Number: s.Number,
	})
}

func endorsementProtected(kid Hash) []byte {
	return appendBytes([]byte{0xa2, 0x01, 0x26, 0x04}, kid[:])
}
