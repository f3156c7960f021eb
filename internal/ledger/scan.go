package ledger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/problem"
)

// scan finds the end of the log. It reads only; settle writes.
type scan struct {
	fs     disk.FS
	synced position // known durable, from the vote file
	lowest uint64   // index at which the log begins, from there too

	chunks []*chunk // that hold the log, in order
	end    chain    // the log's end
	last   *table   // of the chunk that was walked last, nil when there is none
	extra  bool     // that chunk has bytes behind its last frame
	rest   bool     // some of them are not zero
	why    error    // what ended the log there
	behind []*chunk // whole files behind the end
	dirty  []dirty  // chunks with entries that are not known durable
	known  int64    // bytes of the chunk walked last that are
	damage []*Damage

	verified uint64 // index from which everything was verified
}

// dirty is the part of a chunk that was adopted and is not known to be durable.
type dirty struct {
	chunk    *chunk
	from, to int64
}

// torn reports whether something lies behind the log's end.
func (s *scan) torn() bool { return s.rest || len(s.behind) > 0 }

// closed reports whether the next entry begins a chunk that is not there.
func (s *scan) closed() bool { return s.last == nil || s.last.len() > 0 && s.end.ended }

// run scans a directory, verifying every byte of the chunks from the one that
// holds index from. It verifies at least the last two chunks: the older of them
// is closed, so that the height is known.
func (s *scan) run(dir string, from uint64) error {
	s.lowest = max(s.lowest, 1)
	found, err := listChunks(s.fs, dir)
	if err != nil {
		return err
	}
	// What lies before the beginning was fetched but never adopted.
	found = slices.DeleteFunc(found, func(c *chunk) bool { return c.first < s.lowest })
	start := max(len(found)-2, 0)
	for start > 0 && found[start].first > max(from, 1) {
		start--
	}
	if start > 0 {
		err = s.startAt(found, start)
	} else {
		err = s.startFirst(found)
	}
	if err != nil {
		return err
	}
	s.chunks, s.verified = found, s.end.index+1
	if err := s.walkFrom(start); err != nil {
		return err
	}
	return s.judge(start)
}

// startFirst takes the position before the log's first entry from the vote file
// or, when that is further on, from the first frame.
func (s *scan) startFirst(found []*chunk) error {
	if s.lowest == 1 {
		return nil
	}
	s.end = chain{position: position{s.lowest - 1, s.synced.prefix}, loose: true}
	switch {
	case s.synced.index == s.lowest-1:
		return nil
	case s.synced.index < s.lowest, len(found) == 0, found[0].first != s.lowest:
		return corrupt(newChunk("", s.lowest), 0, s.lowest, badFrame("the file is missing"))
	}
	head, err := firstHead(s.fs, found[0])
	if errors.Is(err, errFrame) {
		return corrupt(found[0], 0, s.lowest, err)
	}
	s.end.prefix = head.Previous
	return err
}

// startAt takes the position before a chunk from the chunk itself, and looks at
// the older ones from far.
func (s *scan) startAt(found []*chunk, start int) error {
	s.end = chain{loose: true}
	s.end.index = found[start].first - 1
	head, err := firstHead(s.fs, found[start])
	if errors.Is(err, errFrame) {
		return corrupt(found[start], 0, found[start].first, err)
	}
	if err != nil {
		return err
	}
	s.end.prefix = head.Previous
	for i, c := range found[:start] {
		head, err := firstHead(s.fs, c)
		if err == nil && head.Index != c.first {
			err = badFrame("it is entry %d", head.Index)
		}
		if errors.Is(err, errFrame) {
			s.damage = append(s.damage, &Damage{Chunk: c.base(), First: c.first, Last: found[i+1].first - 1, Reason: err.Error()})
		} else if err != nil {
			return err
		}
	}
	if first := found[0].first; first > s.lowest {
		s.damage = append(s.damage, &Damage{Chunk: newChunk("", s.lowest).base(), First: s.lowest, Last: first - 1, Reason: "the file is missing"})
	}
	return nil
}

func firstHead(f disk.FS, c *chunk) (format.FrameHeader, error) {
	file, err := f.OpenRead(c.name)
	if err != nil {
		return format.FrameHeader{}, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return format.FrameHeader{}, err
	}
	w := newWalk(file, size)
	w.read = format.FrameHead
	return w.head()
}

// walkFrom follows the chain through the chunks from number start on, up to
// where it ends.
func (s *scan) walkFrom(start int) error {
	for i := start; i < len(s.chunks); i++ {
		c := s.chunks[i]
		if c.first != s.end.index+1 {
			s.why = badFrame("%s follows entry %d", c.base(), s.end.index)
			s.cutAt(i)
			return nil
		}
		if err := s.walkChunk(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if s.end.index > s.synced.index {
			s.dirty = append(s.dirty, dirty{c, s.known, s.last.end})
		}
		if s.why != nil || s.extra {
			s.cutAt(i + 1)
			return nil
		}
	}
	return nil
}

// cutAt leaves the first n chunks in the log.
func (s *scan) cutAt(n int) { s.behind, s.chunks = s.chunks[n:], s.chunks[:n] }

// walkChunk follows the chain through one chunk and sets why if it ends before
// the chunk does.
func (s *scan) walkChunk(c *chunk) error {
	file, err := s.fs.OpenRead(c.name)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return err
	}
	w := newWalk(file, size)
	s.last, s.known = &table{first: c.first}, 0
	for !s.closed() {
		before := w.at
		e, step, err := w.next(&s.end)
		if errors.Is(err, errFrame) {
			s.why = err
			break
		}
		if err != nil {
			return err
		}
		if step.block {
			c.blocks.CompareAndSwap(0, step.after.blocks)
		}
		s.last.add(w.at-before, e.Term, step.block, step.after.blocks-1)
		if s.end.index <= s.synced.index {
			s.known = w.at
		}
		if s.end.index == s.synced.index && s.end.prefix != s.synced.prefix {
			return corrupt(c, before, e.Index, badFrame("it is not the entry that was synced"))
		}
	}
	s.extra = w.at < size
	clean, err := w.zeros()
	s.rest = !clean
	return err
}

// judge decides whether what ended the log is damage, and refuses it if so
// (docs/reference/ledger.md, "The end of the log").
func (s *scan) judge(start int) error {
	next := s.end.index + 1
	at, offset := newChunk("", next), int64(0)
	if !s.closed() {
		at, offset = s.chunks[len(s.chunks)-1], s.last.end
	}
	if s.why == nil {
		s.why = badFrame("the log ends here")
		if s.extra && len(s.behind) > 0 {
			s.why = badFrame("the chunk before is not cut to its last frame")
		}
	}
	if errors.Is(s.why, format.ErrNewer) { // not damage, and nothing to change
		return newer(at, offset, next, s.why)
	}
	if next <= s.synced.index || errors.Is(s.why, errForeign) || start > 0 && s.end.loose {
		return corrupt(at, offset, next, s.why)
	}
	look := func(c *chunk, from int64) error {
		height, found, err := committedBehind(s.fs, c, from, s.end.blocks)
		if found {
			err = corrupt(at, offset, next, fmt.Errorf("%w; a block behind it, in %s, names block %d as committed", s.why, c.base(), height))
		}
		return err
	}
	if s.rest {
		if err := look(s.chunks[len(s.chunks)-1], s.last.end); err != nil {
			return err
		}
	}
	for _, c := range s.behind {
		if err := look(c, 0); err != nil {
			return err
		}
	}
	return nil
}

// committedBehind looks behind an offset of a chunk, where nothing continues the
// log, for an intact block whose header names a height as committed that the log
// does not reach. A block in a newer format is format.ErrNewer: it may name any. A hostile file may make every place look like a long frame, so
// that the bytes checked are bounded.
func committedBehind(f disk.FS, c *chunk, from int64, blocks uint64) (height uint64, found bool, err error) {
	file, err := f.OpenRead(c.name)
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return 0, false, err
	}
	w := newWalk(file, size)
	w.at = from
	for budget := 4*size + format.MaxBody; w.at+format.FrameAlign <= size && budget > 0; {
		h, err := w.head()
		if err == nil && h.Kind == format.EntryBlock {
			budget -= int64(h.Length)
			var e *format.Entry
			if e, err = w.entry(&h); err == nil {
				header, herr := format.PeekHeader(e.Body)
				if errors.Is(herr, format.ErrNewer) { // what it names as committed cannot be read
					return 0, false, newer(c, w.at, e.Index, herr)
				}
				if herr == nil && header.Prefix == h.Previous && header.Height > 0 && header.Committed >= blocks {
					return header.Committed, true, nil
				}
				w.skip(&h)
				continue
			}
		}
		if err != nil && !errors.Is(err, errFrame) {
			return 0, false, err
		}
		w.at += format.FrameAlign
	}
	return 0, false, nil
}

// settle makes the disk agree with the scan: what was adopted is durable, and
// what lies behind it is gone for good. What is not known to be durable is written
// once more before it is synced: if the process before ended because a sync
// failed, the kernel shows what was lost and calls it clean, so that a sync alone
// would do nothing (Rebello et al., "Can Applications Recover from fsync
// Failures?", 2020).
func (s *scan) settle(dir string) error {
	drop := !planted.Is(planted.IgnoreTornTail)
	if drop {
		for _, c := range s.behind {
			if err := s.fs.Remove(c.name); err != nil {
				return err
			}
		}
	}
	if n := len(s.chunks); n > 0 && s.last != nil && (len(s.dirty) == 0 || s.dirty[len(s.dirty)-1].chunk != s.chunks[n-1]) {
		s.dirty = append(s.dirty, dirty{s.chunks[n-1], s.last.end, s.last.end})
	}
	for i, d := range s.dirty {
		file, err := s.fs.Open(d.chunk.name)
		if err != nil {
			return err
		}
		err = rewrite(file, d.from, d.to)
		if err == nil && drop && i == len(s.dirty)-1 {
			err = s.clear(file)
		}
		if err == nil {
			err = file.Sync()
		}
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return disk.SyncDir(s.fs, dir)
}

// rewrite writes a part of a file as it is, and its size.
func rewrite(file disk.File, from, to int64) error {
	if from == to {
		return nil
	}
	size, err := file.Size()
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		return err
	}
	buf := make([]byte, min(to-from, writeSize))
	for from < to {
		part := buf[:min(to-from, int64(len(buf)))]
		if err := readFull(file, part, from); err != nil {
			return err
		}
		if _, err := file.WriteAt(part, from); err != nil {
			return err
		}
		from += int64(len(part))
	}
	return nil
}

// clear removes what lies behind the log's end in the chunk in which it ends.
func (s *scan) clear(file disk.File) error {
	switch {
	case s.closed() && s.extra:
		return file.Truncate(s.last.end)
	case s.rest:
		return zeroFrom(file, s.last.end)
	}
	return nil
}

// zeroFrom overwrites a file with zeros from an offset to its end, without
// changing its size; it does not sync.
func zeroFrom(file disk.File, from int64) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	for from < size && err == nil {
		n := min(size-from, zeroSlice)
		_, err = file.WriteAt(zeros[:n], from)
		from += n
	}
	return err
}

// newer says where the log goes on in a format that this build does not read.
func newer(c *chunk, offset int64, index uint64, why error) error {
	var p *problem.Error
	if errors.As(why, &p) {
		why = p.Cause
	}
	return format.ErrNewer.From(fmt.Errorf("entry %d, %s at byte %d: %w", index, c.base(), offset, why))
}

func corrupt(c *chunk, offset int64, index uint64, why error) error {
	return ErrCorrupt.From(&Damage{Chunk: c.base(), Offset: offset, First: index, Last: index, Reason: why.Error()})
}
