package proof

import (
	"encoding/binary"
	"sync"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// salter makes the salts of one seed, the leaves that they belong to and the tree
// over them. It is used for one seed after another, so that claims cost no memory,
// and its messages stand padded, but for what differs between one and the next.
type salter struct {
	hasher
	mac  mac
	in   [oneBlock]byte // field and index, behind the key's block
	pair [2 * oneBlock]byte
	leaf [longLeaf]byte
	edge [32]Hash // of a tree of more claims than fit in memory
}

// longLeaf is from which size on a leaf is hashed as any message is: its blocks cost
// more than what is around them.
const longLeaf = 8 * oneBlock

var salters = sync.Pool{New: func() any {
	s := &salter{hasher: newHasher()}
	s.pair[0] = rfc6962.RFC6962NodeHashPrefix
	pad(s.pair[:0], 1+2*len(Hash{}), 0)
	pad(s.in[:0], 16, oneBlock)
	pad(s.mac.last[:0], len(Hash{}), oneBlock)
	return s
}}

// newSalter is a salter to be given back to salters.
func newSalter(seed *[32]byte) *salter {
	s := salters.Get().(*salter)
	s.mac.key(&s.hasher, seed)
	return s
}

func (s *salter) salt(c *Claim) (salt Hash) {
	binary.BigEndian.PutUint64(s.in[:8], c.Field)
	binary.BigEndian.PutUint64(s.in[8:], c.Index)
	s.mac.of(&s.hasher, s.in[:], &salt)
	return salt
}

// leafOf is the claimLeaf of a claim with its salt.
func (s *salter) leafOf(c *Claim) (leaf Hash) {
	salt := s.salt(c)
	if len(c.Value) > longLeaf/2 {
		return claimLeaf(&salt, c)
	}
	b := appendLeaf(s.leaf[:0], &salt, c)
	s.sum(nil, pad(b, len(b), 0), &leaf)
	return leaf
}

// root is the root of the tree over claims.
func (s *salter) root(claims []Claim) Hash {
	edge := s.edge[:0] // as a Frontier's
	for i := range claims {
		h := s.leafOf(&claims[i])
		for size := i; size&1 == 1; size >>= 1 {
			s.node(&edge[len(edge)-1], &h)
			edge = edge[:len(edge)-1]
		}
		edge = append(edge, h)
	}
	last := len(edge) - 1
	root := edge[last]
	for i := last - 1; i >= 0; i-- {
		s.node(&edge[i], &root)
	}
	return root
}

// node sets right to the node over left and right.
func (s *salter) node(left, right *Hash) {
	copy(s.pair[1:], left[:])
	copy(s.pair[1+len(left):], right[:])
	s.sum(nil, s.pair[:], right)
}

// appendLeaf appends the message of a leaf: prefix, CBOR[salt, field, index, value].
func appendLeaf(b []byte, salt *Hash, c *Claim) []byte {
	b = append(b, rfc6962.RFC6962LeafHashPrefix, 0x84, 0x58, 32) // array of 4; bytes of 32
	b = append(b, salt[:]...)
	b = format.AppendHead(b, 0, c.Field)
	b = format.AppendHead(b, 0, c.Index)
	b = format.AppendHead(b, 2, uint64(len(c.Value)))
	return append(b, c.Value...)
}
