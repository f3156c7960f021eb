package proof

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// oneBlock is the size of what SHA-256 compresses at a time, in bytes.
const oneBlock = sha256.BlockSize

// hasher is SHA-256 for short messages. The library's takes as long for padding one
// and copying itself as for compressing a block. Here a message comes padded, so
// that its digest is the state behind its last block (FIPS 180-4 6.2.2), which the
// library tells.
type hasher struct {
	digest digest
	state  []byte
}

type digest interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newHasher() hasher { return hasher{digest: sha256.New().(digest)} }

// stateAt is where in what the library tells the eight words of the state begin.
const stateAt = 4

// A library that told its state in another form would make every claim another one.
func init() {
	var got Hash
	h := newHasher()
	h.sum(nil, pad(append(make([]byte, 0, oneBlock), "abc"...), 3, 0), &got)
	if got != sha256.Sum256([]byte("abc")) {
		panic("proof: this toolchain's SHA-256 tells its state in a form that is not known")
	}
}

// sum sets out to the digest of what led to a state, nil for nothing, and then a
// padded message.
func (h *hasher) sum(from, padded []byte, out *Hash) {
	h.state = h.after(h.state, from, padded)
	copy(out[:], h.state[stateAt:])
}

// after is, in the room of to, the state after whole blocks.
func (h *hasher) after(to, from, blocks []byte) []byte {
	if from == nil {
		h.digest.Reset()
	} else if err := h.digest.UnmarshalBinary(from); err != nil {
		panic(err) // it is of after
	}
	h.digest.Write(blocks)
	to, err := h.digest.AppendBinary(to[:0])
	if err != nil {
		panic(err) // SHA-256 always tells its state
	}
	return to
}

// pad appends the padding of a message of n bytes behind as many bytes of whole
// blocks, to b and it (FIPS 180-4 5.1.1). b is the message, or empty and the message
// is what stands in its room.
func pad(b []byte, n, before int) []byte {
	b = append(b[:n], 0x80)
	for len(b)%oneBlock != oneBlock-8 {
		b = append(b, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(before+n)*8)
}

// mac is HMAC-SHA-256 (RFC 2104) with a key that can be changed without
// allocating, which crypto/hmac cannot. Both passes begin from the state that
// the key leaves behind.
type mac struct {
	inner, outer []byte // states
	block        [oneBlock]byte
	last         [oneBlock]byte // the inner pass's digest, padded
}

func (m *mac) key(h *hasher, key *[32]byte) {
	m.inner = m.begin(h, m.inner, key, 0x36)
	m.outer = m.begin(h, m.outer, key, 0x5c)
}

// begin is the state behind the key's block.
func (m *mac) begin(h *hasher, state []byte, key *[32]byte, with byte) []byte {
	for i := range m.block {
		m.block[i] = with
	}
	for i := range key {
		m.block[i] ^= key[i]
	}
	return h.after(state, nil, m.block[:])
}

// of sets out to the MAC of a message padded behind one block.
func (m *mac) of(h *hasher, padded []byte, out *Hash) {
	h.sum(m.inner, padded, (*Hash)(m.last[:32]))
	h.sum(m.outer, m.last[:], out)
}
