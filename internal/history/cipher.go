package history

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
)

// A key is first height of the segment u64 BE ‖ PRF(index key, term) ‖ height
// u64 BE ‖ position u32 BE, a value is nonce ‖ AES-256-GCM under HKDF(index key;
// epoch, height) with the key as additional data (see the package comment).
const (
	segmentBytes = 8
	prefixBytes  = segmentBytes + 16
	keyBytes     = prefixBytes + 8 + 4
	nonceBytes   = 12
	tagBytes     = 16
)

func sealedBytes(value []byte) int { return nonceBytes + len(value) + tagBytes }

// secrets turns terms into keys and seals and opens values. It stands at one
// epoch (use) and one height (at); it is for one goroutine.
type secrets struct {
	source Key
	epoch  uint64
	prf    hash.Hash // keyed by the epoch's index key, nil before the first use
	prk    []byte    // HKDF's extract of the index key
	sum    [sha256.Size]byte
	aead   cipher.AEAD // of the height it stands at, nil before the first
	height uint64
	nonces []byte // random and not used yet
}

// held is the index key of an epoch, which is ErrForeign when it is not held: who
// wrote of it did not have the ledger secret.
func held(source Key, epoch uint64) ([32]byte, error) {
	key, err := source(epoch)
	if err != nil {
		return [32]byte{}, ErrForeign.From(err)
	}
	return key, nil
}

// use goes to an epoch.
func (s *secrets) use(epoch uint64) error {
	if s.prf != nil && s.epoch == epoch {
		return nil
	}
	index, err := held(s.source, epoch)
	if err != nil {
		return err
	}
	if s.prk, err = hkdf.Extract(sha256.New, index[:], nil); err != nil {
		return ErrUnavailable.From(err)
	}
	s.epoch, s.prf, s.aead = epoch, hmac.New(sha256.New, index[:]), nil
	return nil
}

// at goes to a height of the epoch.
func (s *secrets) at(height uint64) error {
	if s.aead != nil && s.height == height {
		return nil
	}
	info := binary.BigEndian.AppendUint64([]byte("coco/index-value"), s.epoch)
	info = binary.BigEndian.AppendUint64(info, height)
	key, err := hkdf.Expand(sha256.New, s.prk, string(info), 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.height = height
	s.aead, err = cipher.NewGCM(block)
	return err
}

// draw makes nonces for n values at once.
func (s *secrets) draw(random io.Reader, n int) error {
	s.nonces = make([]byte, n*nonceBytes)
	_, err := io.ReadFull(random, s.nonces)
	return err
}

// term writes a term's part of a key to dst, of keyBytes.
func (s *secrets) term(dst, term []byte) {
	s.prf.Reset()
	s.prf.Write(term)
	copy(dst[segmentBytes:prefixBytes], s.prf.Sum(s.sum[:0]))
}

// place writes the rest of a key to dst.
func place(dst []byte, segment, height uint64, position uint32) {
	binary.BigEndian.PutUint64(dst, segment)
	binary.BigEndian.PutUint64(dst[prefixBytes:], height)
	binary.BigEndian.PutUint32(dst[prefixBytes+8:], position)
}

// seal writes the sealed value to dst, of sealedBytes, with a nonce drawn before.
func (s *secrets) seal(dst, key, value []byte) {
	nonce := s.nonces[:nonceBytes]
	s.nonces = s.nonces[nonceBytes:]
	copy(dst, nonce)
	s.aead.Seal(dst[:nonceBytes], nonce, value, key)
}

func (s *secrets) open(key, sealed []byte) ([]byte, error) {
	if len(sealed) < nonceBytes+tagBytes {
		return nil, io.ErrUnexpectedEOF
	}
	return s.aead.Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], key)
}
