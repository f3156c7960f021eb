// Package envelope seals transactions into records and opens them again.
//
// A record's private part is encrypted under a key of its block and domain, its
// commit evidence is an HMAC that no one without the service's secret computes,
// and its claims are salted from a random seed inside the sealed part
// (docs/reference/ledger.md). The package knows keys and formats; it does not
// know blocks' signatures, trees or files.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// ErrOpen says that sealed bytes do not open with the keys of this service.
var ErrOpen = problem.New("SEALED_CONTENT", "a sealed part of the ledger does not open with this service's keys",
	"check that the keys folder and the ledger belong together; coco ledger verify names damaged blocks")

// Place is where a block stands, to which its keys are bound.
type Place struct {
	Format   uint64 // level in which it is written; no key depends on it
	View     uint64
	Height   uint64
	Previous format.Hash // block hash of the block before
	Writer   format.Hash // SHA-256 of the writing node's public key
}

// Draft is a record before sealing.
type Draft struct {
	Kind    format.RecordKind
	Effects []format.Effect
	Public  []format.Write
	Private format.Private // ClaimsSeed is set by Seal when there are claims
	Claims  []proof.Claim
}

// Keys are the keys of one block in the service's domain.
type Keys struct {
	epoch   uint64
	record  cipher.AEAD
	section cipher.AEAD
	place   Place

	// What HMAC hashes for a commit evidence: key and message, but for the seqno,
	// and key and digest.
	inner [sha256.BlockSize + 8 + 2*32]byte
	outer [sha256.BlockSize + 32]byte
}

// KeysOf derives the keys of a block. epoch 0 means the newest.
func KeysOf(ring *keys.Ring, epoch uint64, p Place) (*Keys, error) {
	if epoch == 0 {
		epoch = ring.Newest(format.ServiceDomain)
	}
	e := keys.Epoch{Domain: format.ServiceDomain, Number: epoch}
	record, err := ring.Derive(e, "coco/record", p.View, p.Height, e.Domain)
	if err != nil {
		return nil, err
	}
	section, err := ring.Derive(e, "coco/section", p.View, p.Height, e.Domain)
	if err != nil {
		return nil, err
	}
	evidence, err := ring.Derive(e, "commit-evidence", p.View, p.Height)
	if err != nil {
		return nil, err
	}
	k := &Keys{epoch: epoch, place: p}
	k.prepare(evidence)
	if k.record, err = newGCM(record); err != nil {
		return nil, err
	}
	k.section, err = newGCM(section)
	return k, err
}

func newGCM(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Evidence is the commit evidence of a record: HMAC-SHA-256 over u64 seqno ‖
// previous block hash ‖ writer. It leaves the node only after the commit.
func (k *Keys) Evidence(seqno uint64) format.Hash {
	in, out := k.inner, k.outer
	binary.BigEndian.PutUint64(in[sha256.BlockSize:], seqno)
	sum := sha256.Sum256(in[:])
	copy(out[sha256.BlockSize:], sum[:])
	return sha256.Sum256(out[:])
}

// prepare makes the two messages that HMAC (RFC 2104) hashes under a key.
func (k *Keys) prepare(key [32]byte) {
	for i := range sha256.BlockSize {
		k.inner[i], k.outer[i] = 0x36, 0x5c
	}
	for i := range key {
		k.inner[i] ^= key[i]
		k.outer[i] ^= key[i]
	}
	copy(k.inner[sha256.BlockSize+8:], k.place.Previous[:])
	copy(k.inner[sha256.BlockSize+8+32:], k.place.Writer[:])
}

// SealSection seals the block section; the result's SHA-256 goes into the header.
func (k *Keys) SealSection(s Section) []byte {
	sealed := format.Sealed{Domain: format.ServiceDomain, Epoch: k.epoch}
	if !planted.Is(planted.ReuseNonce) {
		rand.Read(sealed.Nonce[:])
	}
	sealed.Ciphertext = k.section.Seal(nil, sealed.Nonce[:], format.Encode(s), sectionContext)
	return format.Encode(&sealed)
}

var sectionContext = []byte("coco/block-section")

// Section is the plaintext of a block section: what each protocol keeps with
// the block.
type Section []SectionPart

// SectionPart is one protocol's share.
type SectionPart struct {
	_        struct{} `cbor:",toarray"`
	Protocol string
	Data     []byte
}

// Of is the share of one protocol, nil when it has none.
func (s Section) Of(protocol string) []byte {
	for _, p := range s {
		if p.Protocol == protocol {
			return p.Data
		}
	}
	return nil
}

func openErr(height uint64, what string) error {
	return ErrOpen.From(fmt.Errorf("block %d: %s", height, what))
}

// Random is a value that nobody can predict before the previous block is sealed
// and that every node of the service recomputes: HKDF(service epoch secret;
// "randao", height, previous block hash).
func Random(ring *keys.Ring, height uint64, previous format.Hash) (format.Hash, error) {
	e := keys.Epoch{Domain: format.ServiceDomain, Number: ring.Newest(format.ServiceDomain)}
	return ring.Derive(e, "randao", height, previous)
}
