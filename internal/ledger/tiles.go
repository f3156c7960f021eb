package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"sync"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// ErrTiles says that a hash tile is missing, torn or wrong. The ledger itself is
// not affected.
var ErrTiles = problem.New("LEDGER_TILES", "a hash tile beside the ledger is missing or damaged",
	"let the node rebuild the tiles from the ledger")

const (
	tileBytes = TileWidth * 32
	tileCache = 128 // tiles kept in memory
)

// Tiles is the Merkle tree over the ledger's committed leaves, in the layout of
// C2SP tlog-tiles: <dir>/tile/<level>/<number> holds 256 hashes of tile level <level>,
// the number in groups of three digits with x before all but the last. Only full
// tiles are files; the right edge is in memory.
//
// Tiles are a copy of what the ledger says and are not synced: whatever is read
// is held to the hash above it, up to the edge, so that a torn or wrong tile is
// found at once, and Rebuild makes it again. Tiles is safe for concurrent use,
// with one goroutine that appends.
type Tiles struct {
	fs  disk.FS
	dir string

	mu    sync.Mutex
	edge  Edge
	size  uint64
	cache map[tileID]*tile
	queue []tileID // of the cache, the oldest first
}

type tileID struct {
	level  uint
	number uint64
}

type tile [TileWidth]format.Hash

var _ proof.Nodes = (*Tiles)(nil)

// NewTiles is the empty tree, to which all leaves are appended. Tiles that are
// there already are written again.
func NewTiles(f disk.FS, dir string) *Tiles {
	return &Tiles{fs: f, dir: dir, cache: map[tileID]*tile{}}
}

// ResumeTiles is the tree whose right edge is known, such as from a snapshot.
func ResumeTiles(f disk.FS, dir string, edge Edge) (*Tiles, error) {
	if err := edge.Check(); err != nil {
		return nil, err
	}
	t := NewTiles(f, dir)
	t.edge, t.size = edge.Clone(), edge.Size()
	return t, nil
}

// Size is the number of leaves.
func (t *Tiles) Size() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// Edge is the right edge now.
func (t *Tiles) Edge() Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.edge.Clone()
}

// Append adds leaves in order and writes the tiles that they fill. The tree has
// them even if that fails; Rebuild makes up for the files.
func (t *Tiles) Append(leaves ...format.Hash) error {
	var err error
	for i := range leaves {
		for _, f := range t.add(leaves[i]) {
			if werr := t.store(f.id, f.hashes); err == nil {
				err = werr
			}
		}
	}
	return err
}

// filled is a tile that was just filled.
type filled struct {
	id     tileID
	hashes *tile
}

// add adds one leaf and gives the tiles that it fills.
func (t *Tiles) add(hash format.Hash) (full []filled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size++
	for level := uint(0); ; level++ {
		if int(level) == len(t.edge) {
			t.edge = append(t.edge, make([]format.Hash, 0, TileWidth))
		}
		t.edge[level] = append(t.edge[level], hash)
		if len(t.edge[level]) < TileWidth {
			return full
		}
		id := tileID{level, t.size>>(tileHeight*(level+1)) - 1}
		hashes := tile(t.edge[level])
		t.keep(id, &hashes)
		full = append(full, filled{id, &hashes})
		hash = perfectRoot(hashes[:])
		t.edge[level] = t.edge[level][:0]
	}
}

// keep wants the lock.
func (t *Tiles) keep(id tileID, hashes *tile) {
	if t.cache[id] == nil {
		t.queue = append(t.queue, id)
	}
	t.cache[id] = hashes
	if len(t.queue) > tileCache {
		delete(t.cache, t.queue[0])
		t.queue = t.queue[1:]
	}
}

// Node implements proof.Nodes: the root of leaves index<<level to
// (index+1)<<level - 1.
func (t *Tiles) Node(level uint, index uint64) (format.Hash, error) {
	within := level % tileHeight
	id := tileID{level / tileHeight, index << within / TileWidth}
	from := int(index << within % TileWidth)

	t.mu.Lock()
	if level >= 64 || index >= t.size>>level {
		size := t.size
		t.mu.Unlock()
		return format.Hash{}, fmt.Errorf("the tree of %d leaves has no node %d on level %d", size, index, level)
	}
	if id.number == t.full(id.level) {
		root := perfectRoot(t.edge[id.level][from : from+1<<within])
		t.mu.Unlock()
		return root, nil
	}
	t.mu.Unlock()

	hashes, err := t.load(id)
	if err != nil {
		return format.Hash{}, err
	}
	return perfectRoot(hashes[from : from+1<<within]), nil
}

// full is the number of full tiles on a level; it wants the lock.
func (t *Tiles) full(level uint) uint64 {
	if level >= 64/tileHeight-1 {
		return 0
	}
	return t.size >> (tileHeight * (level + 1))
}

// load gives a full tile, from the cache or from its file, held to the tiles
// above it up to one that is known.
func (t *Tiles) load(id tileID) (*tile, error) {
	t.mu.Lock()
	if known := t.cache[id]; known != nil {
		t.mu.Unlock()
		return known, nil
	}
	chain := []tileID{id}
	var root format.Hash
	for {
		top := chain[len(chain)-1]
		above := tileID{top.level + 1, top.number / TileWidth}
		if known := t.cache[above]; known != nil {
			root = known[top.number%TileWidth]
			break
		}
		if above.number == t.full(above.level) {
			root = t.edge[above.level][top.number%TileWidth]
			break
		}
		chain = append(chain, above)
	}
	t.mu.Unlock()

	var hashes *tile
	for i := len(chain) - 1; i >= 0; i-- {
		var err error
		if hashes, err = t.read(chain[i], root); err != nil {
			return nil, err
		}
		if i > 0 {
			root = hashes[chain[i-1].number%TileWidth]
		}
	}
	return hashes, nil
}

// read reads a tile whose root is known.
func (t *Tiles) read(id tileID, root format.Hash) (*tile, error) {
	name := t.path(id)
	file, err := t.fs.OpenRead(name)
	if err != nil {
		return nil, ErrTiles.From(err)
	}
	defer file.Close()
	data := make([]byte, tileBytes+1)
	n, err := file.ReadAt(data, 0)
	if n != tileBytes || !errors.Is(err, io.EOF) {
		return nil, ErrTiles.From(fmt.Errorf("%s does not have %d bytes", name, tileBytes))
	}
	var hashes tile
	for i := range hashes {
		hashes[i] = format.Hash(data[i*32:])
	}
	if perfectRoot(hashes[:]) != root {
		return nil, ErrTiles.From(fmt.Errorf("%s does not have the root that the tree has there", name))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(id, &hashes)
	return &hashes, nil
}

// store writes a tile to its file.
func (t *Tiles) store(id tileID, hashes *tile) error {
	data := make([]byte, 0, tileBytes)
	for i := range hashes {
		data = append(data, hashes[i][:]...)
	}
	if err := t.write(t.path(id), data); err != nil {
		return ErrTiles.From(err)
	}
	return nil
}

func (t *Tiles) write(name string, data []byte) error {
	file, err := t.fs.Create(name)
	if errors.Is(err, fs.ErrNotExist) { // the first of its directory
		if err = t.fs.MkdirAll(path.Dir(name)); err == nil {
			file, err = t.fs.Create(name)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		if file, err = t.fs.Open(name); err == nil {
			err = file.Truncate(tileBytes)
		}
	}
	if err == nil {
		_, err = file.WriteAt(data, 0)
	}
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// Rebuild writes all tiles again from the tree's leaves in order, of which it
// takes as many as the tree has now. Leaves that do not give this tree are
// refused at the end.
func (t *Tiles) Rebuild(leaves iter.Seq2[format.Hash, error]) error {
	want := t.Edge()
	again := NewTiles(t.fs, t.dir)
	for leaf, err := range leaves {
		if err != nil {
			return err
		}
		if again.size == want.Size() {
			break
		}
		if err := again.Append(leaf); err != nil {
			return err
		}
	}
	if again.size != want.Size() || again.edge.Frontier().Root() != want.Frontier().Root() {
		return ErrTiles.From(fmt.Errorf("the leaves given do not make the tree of %d leaves", want.Size()))
	}
	return nil
}

// path is the tile's file.
func (t *Tiles) path(id tileID) string {
	name := fmt.Sprintf("%03d", id.number%1000)
	for n := id.number / 1000; n > 0; n /= 1000 {
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	return path.Join(t.dir, "tile", fmt.Sprint(id.level), name)
}
