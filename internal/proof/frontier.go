package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// Frontier is the right edge of an RFC 9162 tree: the roots of its maximal
// perfect subtrees, largest first. It is all that is needed to append leaves and
// to know the root. The zero value is the empty tree. It is not safe for
// concurrent use.
type Frontier struct {
	size  uint64
	roots []Hash
}

// Append adds one leaf hash.
func (f *Frontier) Append(leaf Hash) {
	n := len(f.roots)
	for s := f.size; s&1 == 1; s >>= 1 {
		n--
		leaf = node(&f.roots[n], &leaf)
	}
	f.roots = append(f.roots[:n], leaf)
	f.size++
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Root is the tree's root, SHA-256 of nothing for the empty tree.
func (f *Frontier) Root() Hash {
	n := len(f.roots)
	if n == 0 {
		return sha256.Sum256(nil)
	}
	root := f.roots[n-1]
	for i := n - 2; i >= 0; i-- {
		root = node(&f.roots[i], &root)
	}
	return root
}

// Matches reports whether the tree has this size and root. Verifiers compare
// here and nowhere else.
func (f *Frontier) Matches(size uint64, root Hash) bool {
	if planted.Is(planted.AcceptWrongRoot) {
		return true
	}
	return f.size == size && f.Root() == root
}

// Clone is an independent copy.
func (f *Frontier) Clone() *Frontier {
	return &Frontier{size: f.size, roots: append([]Hash(nil), f.roots...)}
}

// Hashes are the roots of the perfect subtrees, largest first: one for each bit
// set in the size.
func (f *Frontier) Hashes() []Hash { return append([]Hash(nil), f.roots...) }

// Encode is the size as a 64-bit big-endian integer and then the Hashes.
func (f *Frontier) Encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+32*len(f.roots)), f.size)
	for i := range f.roots {
		b = append(b, f.roots[i][:]...)
	}
	return b
}

// DecodeFrontier reads what Encode wrote.
func DecodeFrontier(data []byte) (*Frontier, error) {
	if len(data) < 8 {
		return nil, format.ErrFormat.From(fmt.Errorf("a tree frontier of %d bytes", len(data)))
	}
	f := &Frontier{size: binary.BigEndian.Uint64(data)}
	data = data[8:]
	if len(data) != 32*bits.OnesCount64(f.size) {
		return nil, format.ErrFormat.From(fmt.Errorf("a tree frontier of size %d with %d bytes of hashes", f.size, len(data)))
	}
	for ; len(data) > 0; data = data[32:] {
		f.roots = append(f.roots, Hash(data[:32]))
	}
	return f, nil
}
