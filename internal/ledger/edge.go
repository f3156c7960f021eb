package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// TileWidth is the number of hashes in a full tile.
const TileWidth = 256

const tileHeight = 8 // tree levels in a tile

// Edge is the right edge of a tree as tiles see it: for each tile level the
// hashes behind its last full tile, fewer than TileWidth. Level l holds roots of
// perfect subtrees of 256^l leaves. Its CBOR is an array of arrays of 32-byte
// strings.
type Edge [][]format.Hash

// Size is the number of leaves of the whole tree.
func (e Edge) Size() uint64 {
	var size uint64
	for l, hashes := range e {
		size += uint64(len(hashes)) << (tileHeight * l)
	}
	return size
}

// Check tells whether e can be an edge at all.
func (e Edge) Check() error {
	const levels = 64 / tileHeight
	if len(e) > levels {
		return format.ErrFormat.From(fmt.Errorf("a tree edge of %d tile levels", len(e)))
	}
	for _, hashes := range e {
		if len(hashes) >= TileWidth {
			return format.ErrFormat.From(fmt.Errorf("a tree edge with %d hashes on a level", len(hashes)))
		}
	}
	return nil
}

// Frontier is the same edge as compact range, from which leaves are appended.
func (e Edge) Frontier() *proof.Frontier {
	data := binary.BigEndian.AppendUint64(nil, e.Size())
	for _, hashes := range slices.Backward(e) {
		for width := TileWidth / 2; width > 0; width /= 2 {
			if len(hashes)&width != 0 {
				root := perfectRoot(hashes[:width])
				data, hashes = append(data, root[:]...), hashes[width:]
			}
		}
	}
	f, err := proof.DecodeFrontier(data)
	if err != nil {
		panic(err) // there is one hash for each bit of the size
	}
	return f
}

// Clone is an independent copy.
func (e Edge) Clone() Edge {
	c := make(Edge, len(e))
	for l := range e {
		c[l] = slices.Clone(e[l])
	}
	return c
}

// perfectRoot is the root over a power of two hashes (RFC 9162 2.1.1).
func perfectRoot(hashes []format.Hash) format.Hash {
	level := slices.Clone(hashes)
	for n := len(level); n > 1; n /= 2 {
		for i := range n / 2 {
			level[i] = parentHash(&level[2*i], &level[2*i+1])
		}
	}
	return level[0]
}

func parentHash(left, right *format.Hash) format.Hash {
	var b [1 + 2*32]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}
