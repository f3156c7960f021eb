package ledger

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

const chunkPrefix = "chunk-"

// chunk is one file of the log.
type chunk struct {
	name  string // path in the file system
	first uint64 // index of its first entry

	blocks atomic.Uint64 // height of its first block plus 1, 0 while not known
}

func newChunk(dir string, first uint64) *chunk {
	return &chunk{name: path.Join(dir, fmt.Sprintf("%s%020d", chunkPrefix, first)), first: first}
}

// base is the chunk's file name, for people.
func (c *chunk) base() string { return path.Base(c.name) }

// listChunks finds the chunks of a directory in order. Other names are not ours.
func listChunks(f disk.FS, dir string) ([]*chunk, error) {
	names, err := f.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var chunks []*chunk
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, chunkPrefix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if c := newChunk(dir, first); ok && err == nil && first > 0 && c.base() == name {
			chunks = append(chunks, c)
		}
	}
	slices.SortFunc(chunks, func(a, b *chunk) int { return cmp.Compare(a.first, b.first) })
	return chunks, nil
}

// handle is an open chunk with its table, kept open while anyone reads it.
type handle struct {
	file disk.File
	*table
	short error // why the table ends before the chunk should

	mu      sync.Mutex
	users   int
	dropped bool
}

func (h *handle) acquire() *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	return h
}

func (h *handle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users--; h.dropped && h.users == 0 {
		h.file.Close() // of a file that is only read, or was synced
	}
}

// drop closes the file when the last reader is gone.
func (h *handle) drop() {
	h.acquire()
	h.mu.Lock()
	h.dropped = true
	h.mu.Unlock()
	h.release()
}

// shelf holds the handles of closed chunks, the most recently used limit of them.
type shelf struct {
	fs    disk.FS
	limit int

	mu    sync.Mutex
	items map[*chunk]*list.Element
	order list.List // of *shelved, the most recent first
}

type shelved struct {
	chunk  *chunk
	handle *handle
}

func newShelf(f disk.FS, limit int) *shelf {
	return &shelf{fs: f, limit: limit, items: map[*chunk]*list.Element{}}
}

// get gives an acquired handle of a closed chunk that ends before index next.
func (s *shelf) get(c *chunk, next uint64) (*handle, error) {
	s.mu.Lock()
	if item := s.items[c]; item != nil {
		s.order.MoveToFront(item)
		h := item.Value.(*shelved).handle.acquire()
		s.mu.Unlock()
		return h, nil
	}
	s.mu.Unlock()
	h, err := openChunk(s.fs, c, next)
	if err != nil {
		return nil, err
	}
	h.acquire()
	s.put(c, h)
	return h, nil
}

// put shelves a handle; if another was shelved meanwhile, this one is closed
// when its reader is done.
func (s *shelf) put(c *chunk, h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[c] != nil {
		h.drop()
		return
	}
	s.items[c] = s.order.PushFront(&shelved{c, h})
	for s.order.Len() > s.limit {
		s.remove(s.order.Back())
	}
}

// take drops the handles of chunks, or of all when none is named.
func (s *shelf) take(chunks ...*chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, item := range s.items {
		if len(chunks) == 0 || slices.Contains(chunks, c) {
			s.remove(item)
		}
	}
}

func (s *shelf) remove(item *list.Element) {
	gone := s.order.Remove(item).(*shelved)
	delete(s.items, gone.chunk)
	gone.handle.drop()
}

// openChunk opens a closed chunk and builds its table from the frames' heads.
func openChunk(f disk.FS, c *chunk, next uint64) (*handle, error) {
	file, err := f.OpenRead(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.damaged(0, c.first, next-1, "the file is missing")
	}
	if err != nil {
		return nil, readProblem(c.name, err)
	}
	h := &handle{file: file}
	h.table, err = readTable(file, c, next)
	if errors.Is(err, ErrDamaged) {
		h.short, err = err, nil
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return h, nil
}

// readTable builds a closed chunk's table; with ErrDamaged it is that of the
// entries before the damage.
func readTable(file disk.File, c *chunk, next uint64) (*table, error) {
	size, err := file.Size()
	if err != nil {
		return nil, readProblem(c.name, err)
	}
	w, t := newWalk(file, size), &table{first: c.first}
	w.read = 16 << 10 // bodies are jumped over
	for index := c.first; index < next; index++ {
		h, err := w.head()
		if err == nil && h.Index != index {
			err = badFrame("it is entry %d", h.Index)
		}
		var header *format.Header
		if err == nil && h.Kind == format.EntryBlock && len(t.blocks) == 0 {
			header, err = w.peekBlock(&h)
		}
		if errors.Is(err, errFrame) {
			return t, c.damaged(w.at, index, next-1, err.Error())
		}
		if err != nil {
			return nil, readProblem(c.name, err)
		}
		var height uint64
		if header != nil {
			height = header.Height
			c.blocks.Store(height + 1)
		}
		t.add(format.FrameSize(h.Length), h.Term, h.Kind == format.EntryBlock, height)
		w.skip(&h)
	}
	return t, nil
}

// peekBlock decodes the header of the block whose head was read, without its
// checksum.
func (w *walk) peekBlock(h *format.FrameHeader) (*format.Header, error) {
	const enough = 1 << 10 // bytes; a header has less than 300
	b, err := w.view(w.at+format.FrameHead, min(h.Length, enough))
	if err != nil {
		return nil, err
	}
	header, err := format.PeekHeader(b)
	if err != nil {
		return nil, badFrame("%v", err)
	}
	return header, nil
}

// firstHeight is the height of a closed chunk's first block.
func (s *shelf) firstHeight(c *chunk) (uint64, error) {
	if known := c.blocks.Load(); known > 0 {
		return known - 1, nil
	}
	file, err := s.fs.OpenRead(c.name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return 0, err
	}
	w := newWalk(file, size)
	w.read = 4 << 10
	for {
		h, err := w.head()
		if err != nil {
			return 0, err
		}
		if h.Kind == format.EntryBlock {
			header, err := w.peekBlock(&h)
			if err != nil {
				return 0, err
			}
			c.blocks.Store(header.Height + 1)
			return header.Height, nil
		}
		w.skip(&h)
	}
}

func (c *chunk) damaged(offset int64, first, last uint64, reason string) error {
	return ErrDamaged.From(&Damage{Chunk: c.base(), Offset: offset, First: first, Last: last, Reason: reason})
}
