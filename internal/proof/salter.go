package proof

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// salter makes the salts of one seed and the leaves that they belong to. It is
// used for one seed after another, so that claims cost no memory.
type salter struct {
	mac  mac
	in   [16]byte
	edge [32]Hash // of a tree of more claims than fit in memory
}

var salters = sync.Pool{New: func() any { return &salter{mac: newMAC()} }}

// newSalter is a salter to be given back to salters.
func newSalter(seed *[32]byte) *salter {
	s := salters.Get().(*salter)
	s.mac.key(seed)
	return s
}

func (s *salter) salt(c *Claim) Hash {
	binary.BigEndian.PutUint64(s.in[:8], c.Field)
	binary.BigEndian.PutUint64(s.in[8:], c.Index)
	return s.mac.of(s.in[:])
}

func (s *salter) leaf(c *Claim) Hash {
	salt := s.salt(c)
	return claimLeaf(&salt, c)
}

// mac is HMAC-SHA-256 (RFC 2104) with a key that can be changed without
// allocating, which crypto/hmac cannot. Both passes begin from the state that
// the key leaves behind.
type mac struct {
	digest       digest
	inner, outer []byte // states
	block        [sha256.BlockSize]byte
	sum          Hash
}

type digest interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newMAC() mac { return mac{digest: sha256.New().(digest)} }

func (m *mac) key(key *[32]byte) {
	m.inner = m.begin(m.inner, key, 0x36)
	m.outer = m.begin(m.outer, key, 0x5c)
}

// begin is the state behind the key's block.
func (m *mac) begin(state []byte, key *[32]byte, pad byte) []byte {
	for i := range m.block {
		m.block[i] = pad
	}
	for i := range key {
		m.block[i] ^= key[i]
	}
	m.digest.Reset()
	m.digest.Write(m.block[:])
	state, err := m.digest.AppendBinary(state[:0])
	if err != nil {
		panic(err) // SHA-256 always tells its state
	}
	return state
}

func (m *mac) of(message []byte) Hash {
	m.pass(m.inner, message)
	m.pass(m.outer, m.sum[:])
	return m.sum
}

// pass sets sum to the digest of what led to a state and then the message.
func (m *mac) pass(state, message []byte) {
	if err := m.digest.UnmarshalBinary(state); err != nil {
		panic(err) // it is of begin
	}
	m.digest.Write(message)
	m.digest.Sum(m.sum[:0])
}
