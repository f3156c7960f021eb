package proof

import (
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Nodes gives the hashes of a tree's perfect subtrees: Node(0, i) is leaf i,
// Node(l, i) the root over leaves i<<l to (i+1)<<l - 1. It is asked only for
// subtrees that lie within the tree size of the proof.
type Nodes interface {
	Node(level uint, index uint64) (Hash, error)
}

// Inclusion is the path of leaf index in the tree of the given size (RFC 9162
// 2.1.3.1), lowest sibling first.
func Inclusion(n Nodes, index, size uint64) ([]Hash, error) {
	plan, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, ErrPath.From(err)
	}
	return collect(n, plan)
}

// Consistency is the proof that the tree of size first is a prefix of the tree
// of size second (RFC 9162 2.1.4.1).
func Consistency(n Nodes, first, second uint64) ([]Hash, error) {
	plan, err := proof.Consistency(first, second)
	if err != nil {
		return nil, ErrPath.From(err)
	}
	return collect(n, plan)
}

// VerifyInclusion checks that leaf is at index in the tree of that size and root.
func VerifyInclusion(leaf Hash, index, size uint64, path []Hash, root Hash) error {
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], slices(path), root[:]); err != nil {
		return ErrPath.From(err)
	}
	return nil
}

// VerifyConsistency checks that the tree of size and root first is a prefix of
// the second.
func VerifyConsistency(first uint64, firstRoot Hash, second uint64, secondRoot Hash, path []Hash) error {
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, first, second, slices(path), firstRoot[:], secondRoot[:])
	if err != nil {
		return ErrPath.From(err)
	}
	return nil
}

func collect(n Nodes, plan proof.Nodes) ([]Hash, error) {
	hashes := make([][]byte, len(plan.IDs))
	for i, id := range plan.IDs {
		h, err := n.Node(id.Level, id.Index)
		if err != nil {
			return nil, ErrNodes.From(fmt.Errorf("level %d, index %d: %w", id.Level, id.Index, err))
		}
		hashes[i] = h[:]
	}
	hashes, err := plan.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, ErrPath.From(err)
	}
	path := make([]Hash, len(hashes))
	for i, h := range hashes {
		path[i] = Hash(h)
	}
	return path, nil
}

func slices(path []Hash) [][]byte {
	s := make([][]byte, len(path))
	for i := range path {
		s[i] = path[i][:]
	}
	return s
}
