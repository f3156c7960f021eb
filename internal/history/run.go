package history

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/disk"
)

// run is a run that is open for reading, by any number of goroutines.
type run struct {
	runInfo
	files    disk.FS
	name     string
	file     disk.File
	aead     cipher.AEAD
	sections []section
	users    atomic.Int32 // the index itself and those that read; the last closes the file
	gone     atomic.Bool  // and removes it
}

var errPage = ErrDamaged.From(errors.New("a page of a run contradicts itself"))

// openRun opens a file that the state names.
func openRun(dir string, files disk.FS, s *secrets, info runInfo) (*run, error) {
	r := &run{runInfo: info, files: files, name: path.Join(dir, info.ID.name())}
	var err error
	if r.aead, err = s.run(info.Epoch, info.ID); err != nil {
		return nil, err
	}
	if r.file, err = files.OpenRead(r.name); err != nil {
		return nil, damaged(err)
	}
	r.users.Store(1)
	if err := r.readRoot(); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

// readRoot reads where the sections are. Their number is only bounded by the file.
func (r *run) readRoot() error {
	size, err := r.file.Size()
	if err != nil {
		return damaged(err)
	}
	if uint64(size) != r.Size {
		return ErrDamaged.From(io.ErrUnexpectedEOF)
	}
	root, err := r.page(nil, r.Root, r.Size-r.Root)
	if err != nil {
		return err
	}
	if len(root)%sectionEntry != 0 {
		return errPage
	}
	for ; len(root) > 0; root = root[sectionEntry:] {
		s := section{first: firstKey(root), offset: binary.BigEndian.Uint64(root[firstBytes:]), filter: binary.BigEndian.Uint64(root[firstBytes+8:]),
			filterPages: binary.BigEndian.Uint32(root[firstBytes+16:]), indexBytes: binary.BigEndian.Uint32(root[firstBytes+20:])}
		if s.offset > s.filter || s.filter > r.Root || s.filterPages == 0 || s.index()+uint64(s.indexBytes) > r.Root {
			return errPage
		}
		r.sections = append(r.sections, s)
	}
	return nil
}

// index is the offset of the section's index page.
func (s *section) index() uint64 { return s.filter + uint64(s.filterPages)*(filterBytes+tagBytes) }

// page reads and opens a page into dst, which it may replace by a larger one.
func (r *run) page(dst []byte, offset, size uint64) ([]byte, error) {
	if size < tagBytes || offset+size > r.Size {
		return nil, errPage
	}
	dst = slices.Grow(dst[:0], int(size))[:size]
	if n, err := r.file.ReadAt(dst, int64(offset)); n < len(dst) {
		return nil, damaged(err)
	}
	n := nonce(offset)
	plain, err := r.aead.Open(dst[:0], n[:], dst, nil)
	if err != nil {
		return nil, ErrDamaged.From(err)
	}
	return plain, nil
}

// use keeps the file open until release.
func (r *run) use() { r.users.Add(1) }

func (r *run) release() {
	if r.users.Add(-1) > 0 {
		return
	}
	_ = r.file.Close() // it was only read
	if r.gone.Load() {
		_ = r.files.Remove(r.name) // else the next start does
	}
}

// discard ends the use of a run that the state on disk does not name.
func (r *run) discard() {
	r.gone.Store(true)
	r.release()
}

// query collects the occurrences of one term at heights from to to, both included.
type query struct {
	epoch    uint64
	term     termKey
	from, to uint64
	limit    int
	reverse  bool
	found    []Found
	page     []byte
	leaf     []byte
}

var queries = sync.Pool{New: func() any { return new(query) }}

func (q *query) full() bool { return q.limit > 0 && len(q.found) >= q.limit }

// find adds what the run holds to the query.
func (r *run) find(q *query) error {
	if r.Last < q.from || r.First > q.to {
		return nil
	}
	low, high := keyOf(&q.term, q.from), keyOf(&q.term, q.to)
	begin, end := around(len(r.sections), func(i int) *firstKey { return &r.sections[i].first }, &low, &high)
	for i := begin; i < end && !q.full(); i++ {
		s := &r.sections[i]
		if q.reverse {
			s = &r.sections[end-1-(i-begin)]
		}
		if err := r.section(q, s, &low, &high); err != nil {
			return err
		}
	}
	return nil
}

// around gives those parts that may hold keys from low to high: from the last that
// begins before low to the last that begins at high or before.
func around(n int, first func(i int) *firstKey, low, high *firstKey) (begin, end int) {
	begin = sort.Search(n, func(i int) bool { return bytes.Compare(first(i)[:], low[:]) >= 0 })
	end = begin + sort.Search(n-begin, func(i int) bool { return bytes.Compare(first(begin + i)[:], high[:]) > 0 })
	return max(begin, 1) - 1, end
}

func (r *run) section(q *query, s *section, low, high *firstKey) (err error) {
	page := uint64(filterPage(&q.term, int(s.filterPages)))
	if q.page, err = r.page(q.page, s.filter+page*(filterBytes+tagBytes), filterBytes+tagBytes); err != nil {
		return err
	}
	if !mayHold(q.page, &q.term) {
		return nil
	}
	if q.page, err = r.page(q.page, s.index(), uint64(s.indexBytes)); err != nil {
		return err
	}
	leaves := q.page
	n := len(leaves) / leafEntry
	begin, end := around(n, func(i int) *firstKey { return (*firstKey)(leaves[i*leafEntry:]) }, low, high)
	offset := s.offset
	for i := range begin {
		offset += leafSize(leaves, i)
	}
	if q.reverse {
		for i := begin; i < end; i++ {
			offset += leafSize(leaves, i)
		}
	}
	for i := begin; i < end && !q.full(); i++ {
		at := i
		if q.reverse {
			at = end - 1 - (i - begin)
			offset -= leafSize(leaves, at)
		}
		if q.leaf, err = r.page(q.leaf, offset, leafSize(leaves, at)); err != nil {
			return err
		}
		if err := q.read(q.leaf); err != nil {
			return err
		}
		if !q.reverse {
			offset += leafSize(leaves, at)
		}
	}
	return nil
}

func leafSize(leaves []byte, i int) uint64 {
	return uint64(binary.BigEndian.Uint32(leaves[i*leafEntry+firstBytes:]))
}

// read takes what is asked for from a leaf.
func (q *query) read(leaf []byte) error {
	begin := len(q.found)
	c := cursor{leaf: leaf}
	for {
		more, err := c.list()
		if err != nil {
			return err
		}
		order := 1
		if more {
			order = bytes.Compare(c.term[:], q.term[:])
		}
		if order > 0 {
			break
		}
		for order == 0 && len(c.body) > 0 && (q.reverse || !q.full()) {
			if err := c.posting(); err != nil {
				return err
			}
			if c.height > q.to {
				break
			}
			if c.height >= q.from {
				q.found = append(q.found, Found{Height: c.height, Position: c.position, Value: bytes.Clone(c.value)})
			}
		}
	}
	if q.reverse {
		slices.Reverse(q.found[begin:])
		if q.limit > 0 {
			q.found = q.found[:min(len(q.found), q.limit)]
		}
	}
	return nil
}

// cursor goes through a leaf.
type cursor struct {
	leaf     []byte // lists that follow
	body     []byte // postings of the list that follow
	began    bool   // one of the list was read
	term     termKey
	height   uint64
	position uint32
	value    []byte
}

// list goes to the next list and reports whether there is one.
func (c *cursor) list() (bool, error) {
	if len(c.leaf) == 0 {
		return false, nil
	}
	if len(c.leaf) < termBytes {
		return false, errPage
	}
	c.term = termKey(c.leaf)
	size, n := binary.Uvarint(c.leaf[termBytes:])
	rest := c.leaf[termBytes+max(n, 0):]
	if n <= 0 || size > uint64(len(rest)) || size == 0 {
		return false, errPage
	}
	c.body, c.leaf, c.began = rest[:size], rest[size:], false
	return true, nil
}

// posting reads the next posting of the list.
func (c *cursor) posting() error {
	height, a := binary.Uvarint(c.body)
	if a <= 0 {
		return errPage
	}
	position, b := binary.Uvarint(c.body[a:])
	if b <= 0 {
		return errPage
	}
	size, n := binary.Uvarint(c.body[a+b:])
	rest := c.body[a+b+max(n, 0):]
	if n <= 0 || size > uint64(len(rest)) {
		return errPage
	}
	switch {
	case !c.began:
		c.height, c.position = height, uint32(position)
	case height == 0:
		c.position += uint32(position)
	default:
		c.height, c.position = c.height+height, uint32(position)
	}
	c.began, c.value, c.body = true, rest[:size:size], rest[size:]
	return nil
}

// isDamage tells an index that is wrong, or of which files are missing, from all
// that an environment can refuse.
func isDamage(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// damaged is the problem for an error of the file system.
func damaged(err error) error {
	if isDamage(err) {
		return ErrDamaged.From(err)
	}
	return ErrUnavailable.From(err)
}
