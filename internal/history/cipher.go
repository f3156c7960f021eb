package history

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// termBytes is the length of a term's key: AES-CMAC (RFC 4493, with a key of 256
// bits) of the term under HKDF(index key of the epoch; "coco/index-term").
const termBytes = aes.BlockSize

type termKey [termBytes]byte

// tagBytes is what sealing adds to a page: AES-256-GCM under the key of the run,
// HKDF(index key; "coco/index-run", epoch, run), with the page's place as nonce.
const tagBytes = 16

// secrets holds what follows from the index keys of the epochs that were used.
type secrets struct {
	source Key
	mu     sync.Mutex
	epochs map[uint64]*prf
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

// terms gives the function that turns an epoch's terms into keys.
func (s *secrets) terms(epoch uint64) (*prf, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.epochs[epoch]; p != nil {
		return p, nil
	}
	block, err := s.cipher(epoch, []byte("coco/index-term"))
	if err != nil {
		return nil, err
	}
	if s.epochs == nil {
		s.epochs = map[uint64]*prf{}
	}
	p := newPRF(block)
	s.epochs[epoch] = p
	return p, nil
}

// run gives the cipher of a run's pages.
func (s *secrets) run(epoch uint64, id runID) (cipher.AEAD, error) {
	info := binary.BigEndian.AppendUint64([]byte("coco/index-run"), epoch)
	block, err := s.cipher(epoch, append(info, id[:]...))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, ErrUnavailable.From(err)
	}
	return aead, nil
}

func (s *secrets) cipher(epoch uint64, info []byte) (cipher.Block, error) {
	index, err := held(s.source, epoch)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, index[:], nil, string(info), 32)
	if err != nil {
		return nil, ErrUnavailable.From(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrUnavailable.From(err)
	}
	return block, nil
}

// prf is AES-CMAC under one key, for concurrent use.
type prf struct {
	block cipher.Block
	last  [2]termKey // RFC 4493's K1, for a whole last block, and K2
}

func newPRF(block cipher.Block) *prf {
	p := &prf{block: block}
	var zero termKey
	block.Encrypt(zero[:], zero[:])
	p.last[0] = double(zero)
	p.last[1] = double(p.last[0])
	return p
}

// double multiplies by x in the field of RFC 4493, 2.3.
func double(k termKey) (d termKey) {
	carry := byte(0)
	for i := len(k) - 1; i >= 0; i-- {
		d[i] = k[i]<<1 | carry
		carry = k[i] >> 7
	}
	d[len(d)-1] ^= carry * 0x87
	return d
}

// sum writes a term's key to dst.
func (p *prf) sum(dst *termKey, term []byte) {
	*dst = termKey{}
	for len(term) > termBytes {
		xor(dst, term[:termBytes])
		p.block.Encrypt(dst[:], dst[:])
		term = term[termBytes:]
	}
	xor(dst, term)
	if len(term) == termBytes {
		xor(dst, p.last[0][:])
	} else {
		dst[len(term)] ^= 0x80
		xor(dst, p.last[1][:])
	}
	p.block.Encrypt(dst[:], dst[:])
}

func xor(dst *termKey, b []byte) {
	for i := range b {
		dst[i] ^= b[i]
	}
}

// nonce is that of the page at a place of its file. No two pages of a run have
// one place, and each run has a key of its own.
func nonce(offset uint64) (n [12]byte) {
	binary.BigEndian.PutUint64(n[4:], offset)
	return n
}
