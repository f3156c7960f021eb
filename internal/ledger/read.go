package ledger

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Entry reads an entry. Its checksum is verified.
func (l *Log) Entry(index uint64) (*format.Entry, error) {
	entries, err := l.Entries(index, index+1, 0)
	if err != nil {
		return nil, err
	}
	return &entries[0], nil
}

// Entries reads the entries lo to hi-1: at least one, then as many as fit in
// maxBytes of the files. They share memory, and their checksums are verified.
func (l *Log) Entries(lo, hi uint64, maxBytes int) ([]format.Entry, error) {
	if lo >= hi {
		return nil, nil
	}
	if last := l.Head().LastIndex; hi > last+1 {
		return nil, absent(hi-1, last)
	}
	var entries []format.Entry
	for lo < hi {
		n := len(entries)
		var err error
		if entries, err = l.readRun(entries, lo, hi, &maxBytes); err != nil {
			return nil, err
		}
		if len(entries) == n {
			break
		}
		lo += uint64(len(entries) - n)
	}
	if len(entries) == 0 { // the log was cut meanwhile
		return nil, absent(lo, l.Head().LastIndex)
	}
	return entries, nil
}

// readRun appends entries of one chunk from lo on, read in one call, and takes
// their size from budget. An entry that does not fit is left unless it is the
// first of all.
func (l *Log) readRun(entries []format.Entry, lo, hi uint64, budget *int) ([]format.Entry, error) {
	cuts := l.cuts.Load()
	h, err := l.find(lo)
	if err != nil {
		return nil, err
	}
	defer h.release()
	r := l.runOf(h, lo, hi, int64(*budget), len(entries) == 0)
	if r.count == 0 {
		return entries, nil
	}
	*budget -= int(r.to - r.from)
	data := make([]byte, r.to-r.from)
	if err := readFull(h.file, data, r.from); err != nil {
		return nil, l.unreadable(h.first, r.from, lo, cuts, err)
	}
	for i, at := uint64(0), int64(0); i < r.count; i++ {
		e, size, err := parseFrame(data[at:], lo+i)
		if err != nil {
			return nil, l.unreadable(h.first, r.from+at, lo+i, cuts, err)
		}
		entries = append(entries, *e)
		at += size
	}
	return entries, nil
}

// Frames reads the frames of the entries lo to hi-1 as they lie in their files:
// at least one, then as many of one chunk as fit in maxBytes. Their checksums are
// verified. count is how many they are.
func (l *Log) Frames(lo, hi uint64, maxBytes int) (frames []byte, count uint64, err error) {
	if last := l.Head().LastIndex; lo >= hi || hi > last+1 {
		return nil, 0, absent(hi-1, last)
	}
	cuts := l.cuts.Load()
	h, err := l.find(lo)
	if err != nil {
		return nil, 0, err
	}
	defer h.release()
	r := l.runOf(h, lo, hi, int64(maxBytes), true)
	if r.count == 0 { // the log was cut meanwhile
		return nil, 0, absent(lo, l.Head().LastIndex)
	}
	frames = make([]byte, r.to-r.from)
	if err := readFull(h.file, frames, r.from); err != nil {
		return nil, 0, l.unreadable(h.first, r.from, lo, cuts, err)
	}
	for at := int64(0); count < r.count; count++ {
		_, size, err := parseFrame(frames[at:], lo+count)
		if err != nil {
			return nil, 0, l.unreadable(h.first, r.from+at, lo+count, cuts, err)
		}
		at += size
	}
	return frames, count, nil
}

// run is consecutive entries of one chunk.
type run struct {
	from, to int64 // bytes in the file
	count    uint64
}

func (l *Log) runOf(h *handle, lo, hi uint64, budget int64, first bool) run {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var r run
	for index := lo; index < hi && index < h.first+h.len(); index++ {
		from, to := h.span(index)
		if index == lo {
			r.from = from
		}
		if to-r.from > budget && !(first && index == lo) {
			break
		}
		r.to = to
		r.count++
	}
	return r
}

// readFull reads all of data; that the file ends before is a bad frame.
func readFull(file disk.File, data []byte, offset int64) error {
	n, err := file.ReadAt(data, offset)
	switch {
	case n == len(data):
		return nil
	case errors.Is(err, io.EOF):
		return badFrame("the file ends inside the frame")
	}
	return err
}

// parseHead decodes the head of the frame that should be an entry's.
func parseHead(data []byte, index uint64) (format.FrameHeader, error) {
	f, err := format.ParseFrameHead(data)
	if err != nil {
		return f, badFrame("%v", errors.Unwrap(err))
	}
	if f.Index != index {
		return f, badFrame("it is entry %d", f.Index)
	}
	return f, nil
}

func parseFrame(data []byte, index uint64) (*format.Entry, int64, error) {
	f, err := parseHead(data, index)
	if err != nil {
		return nil, 0, err
	}
	size := format.FrameSize(f.Length)
	if size > int64(len(data)) {
		return nil, 0, badFrame("it is longer than its place")
	}
	end := format.FrameHead + f.Length
	e, err := f.Entry(data[format.FrameHead:end:end])
	if err != nil {
		return nil, 0, badFrame("%v", errors.Unwrap(err))
	}
	return e, size, nil
}

// unreadable names what could not be read, unless the log was cut meanwhile.
func (l *Log) unreadable(first uint64, offset int64, index, cuts uint64, err error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	if cuts != l.cuts.Load() {
		return absent(index, l.end.index)
	}
	if !errors.Is(err, errFrame) {
		return readProblem(newChunk("", first).base(), err)
	}
	return newChunk("", first).damaged(offset, index, index, err.Error())
}

// Term is an entry's term; that of index 0, before the ledger, is 0.
func (l *Log) Term(index uint64) (uint64, error) {
	if index == 0 {
		return 0, nil
	}
	h, err := l.find(index)
	if err != nil {
		return 0, err
	}
	defer h.release()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if index >= h.first+h.len() {
		return 0, absent(index, l.end.index)
	}
	return h.term(index), nil
}

// Prefix is the prefix hash after an entry, which the next entry's frame holds.
func (l *Log) Prefix(index uint64) (format.Hash, error) {
	var none format.Hash
	l.mu.RLock()
	end := l.end.position
	l.mu.RUnlock()
	switch {
	case index == 0:
		return none, nil
	case index == end.index:
		return end.prefix, nil
	}
	cuts := l.cuts.Load()
	h, err := l.find(index + 1)
	if err != nil {
		return none, err
	}
	defer h.release()
	r := l.runOf(h, index+1, index+2, 0, true)
	if r.count == 0 {
		return none, absent(index+1, end.index)
	}
	head := make([]byte, format.FrameHead)
	if err := readFull(h.file, head, r.from); err != nil {
		return none, l.unreadable(h.first, r.from, index+1, cuts, err)
	}
	f, err := parseHead(head, index+1)
	if err != nil {
		return none, l.unreadable(h.first, r.from, index+1, cuts, err)
	}
	return f.Previous, nil
}

// IndexOf is the index of the block of a height; false when the log does not
// have it or the range is damaged.
func (l *Log) IndexOf(height uint64) (uint64, bool) {
	l.mu.RLock()
	if height >= l.end.blocks || l.closed {
		l.mu.RUnlock()
		return 0, false
	}
	if index, ok := l.open.block(height); ok {
		l.mu.RUnlock()
		return index, true
	}
	chunks := l.chunks
	l.mu.RUnlock()

	closed := chunks[:len(chunks)-1]
	at, ok := l.lastFrom(closed, height)
	if !ok {
		return 0, false
	}
	h, err := l.find(closed[at].first)
	if err != nil {
		return 0, false
	}
	defer h.release()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return h.block(height)
}

// lastFrom finds the last of some closed chunks that is known to begin at or
// below a height. Chunks that do not tell are passed over: the block is in one of
// them if it is not in the one that is found.
func (l *Log) lastFrom(closed []*chunk, height uint64) (at int, ok bool) {
	low, high := 0, len(closed) // those before low are done with, those from high on begin behind
	for low < high {
		mid := (low + high) / 2
		probe, first := mid, uint64(0)
		err := errFrame
		for ; probe < high; probe++ {
			if first, err = l.shelf.firstHeight(closed[probe]); err == nil {
				break
			}
		}
		switch {
		case err != nil || first > height:
			high = mid
		default:
			at, ok, low = probe, true, probe+1
		}
	}
	return at, ok
}

// find gives the acquired handle of the chunk that holds an entry. The table of
// the open chunk is read under l.mu only.
func (l *Log) find(index uint64) (*handle, error) {
	l.mu.RLock()
	if l.closed {
		l.mu.RUnlock()
		return nil, ErrClosed
	}
	if index < l.first || index > l.end.index {
		first, last := l.first, l.end.index
		l.mu.RUnlock()
		if 0 < index && index < first {
			return nil, missing(index, first)
		}
		return nil, absent(index, last)
	}
	for _, d := range l.damage {
		if d.First <= index && index <= d.Last {
			l.mu.RUnlock()
			return nil, ErrDamaged.From(d)
		}
	}
	at, cuts := l.chunkOf(index), l.cuts.Load()
	if at == len(l.chunks)-1 {
		h := l.open.acquire()
		l.mu.RUnlock()
		return h, nil
	}
	c, next := l.chunks[at], l.chunks[at+1].first
	l.mu.RUnlock()
	h, err := l.shelf.get(c, next)
	if err == nil && index-h.first >= h.len() {
		h.release()
		err = h.short
	}
	if err == nil {
		return h, nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if cuts != l.cuts.Load() {
		return nil, absent(index, l.end.index)
	}
	return nil, err
}

// chunkOf is the number of the chunk that holds an entry; it wants the lock.
func (l *Log) chunkOf(index uint64) int {
	return max(sort.Search(len(l.chunks), func(i int) bool { return l.chunks[i].first > index })-1, 0)
}

// missing says that an entry lies before the log's beginning.
func missing(index, first uint64) error {
	return errFetching.From(fmt.Errorf("entry %d, the log begins at %d", index, first))
}

func absent(index, last uint64) error {
	return ErrAbsent.From(fmt.Errorf("entry %d, the last is %d", index, last))
}
