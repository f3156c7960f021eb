package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// Memory of the storage engine: two memtables, a cache, and what a compaction
// holds for a moment. The engine counts the memtables as part of its cache.
const (
	memTableBytes = 8 << 20
	cacheBytes    = 16<<20 + 2*memTableBytes
	maxOpenFiles  = 256
)

// comparer orders keys by their bytes and knows that segment and term are a key's
// prefix, so that a term that a file does not hold costs a filter, not a read.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "coco.history.1"
	c.Split = func(key []byte) int { return min(len(key), prefixBytes) }
	c.ImmediateSuccessor = nil // for range keys, which are not used
	return &c
}()

// openStore opens the storage engine. An index with a window is asked in every
// segment for terms that most do not hold, so there the last level has filters too.
func openStore(dir string, disk *disk, windowed bool) (*pebble.DB, error) {
	opts := &pebble.Options{
		FS:                          disk,
		Logger:                      disk,
		EventListener:               disk.events(),
		Comparer:                    comparer,
		FormatMajorVersion:          pebble.FormatNewest,
		DisableWAL:                  true,
		CacheSize:                   cacheBytes,
		MaxOpenFiles:                maxOpenFiles,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,    // the writer allows two
		L0CompactionThreshold:       8,    // terms are spread evenly, so a compaction rewrites the whole next level: do it seldom
		L0StopWritesThreshold:       1000, // reads slow down; blocks never wait
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
	}
	for i := range opts.Levels {
		opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		if windowed { // small files, because a filter is read as a whole
			opts.TargetFileSizes[i] = 4 << 20
		}
		if windowed || i < len(opts.Levels)-1 {
			opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		}
	}
	db, err := pebble.Open(dir, opts)
	// What neither the system nor the lock refused, the engine found in the files.
	var system syscall.Errno
	switch {
	case err == nil:
		return db, nil
	case isDamage(err) || !errors.As(err, &system) && !errors.Is(err, ErrUnavailable):
		return nil, ErrDamaged.From(err)
	default:
		return nil, ErrUnavailable.From(err)
	}
}

// isDamage tells an index that is wrong, or of which files are missing, from all
// that an environment can refuse.
func isDamage(err error) bool { return pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) }

// damaged is the problem for an error of the engine while it is open.
func damaged(err error) error {
	if isDamage(err) {
		return ErrDamaged.From(err)
	}
	return ErrUnavailable.From(err)
}

// drop deletes the segments before a height and gives their files back. Nothing
// of them may wait in the engine's memory, and the state on disk must not name
// them any more.
func drop(db *pebble.DB, first uint64) error {
	var start, end [segmentBytes]byte
	binary.BigEndian.PutUint64(end[:], first)
	if err := db.Excise(context.Background(), pebble.KeyRange{Start: start[:], End: end[:]}); err != nil {
		return damaged(err)
	}
	return nil
}

// scan collects the stored occurrences of one term.
type scan struct {
	secrets
	it      *pebble.Iterator
	term    []byte
	limit   int
	reverse bool
	found   []Found
}

// find gives the stored occurrences of a term at heights from to to, both
// included, limited and ordered as Find says.
func (x *Index) find(st state, term []byte, from, to uint64, limit int, reverse bool) (found []Found, err error) {
	it, err := x.db.NewIter(&pebble.IterOptions{UseL6Filters: x.opts.Window != Window{}})
	if err != nil {
		return nil, damaged(err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = damaged(cerr)
		}
	}()
	s := scan{secrets: secrets{source: x.opts.Key}, it: it, term: term, limit: limit, reverse: reverse}
	err = s.run(st, from, to)
	return s.found, err
}

// run visits the segments between two heights, both included, in scan's order.
func (s *scan) run(st state, from, to uint64) error {
	for i := range st.Segments {
		if s.reverse {
			i = len(st.Segments) - 1 - i
		}
		seg, last := st.Segments[i], st.Height
		if i+1 < len(st.Segments) {
			last = st.Segments[i+1].First - 1
		}
		lo, hi := max(from, seg.First), min(to, last)
		if lo > hi {
			continue
		}
		if err := s.segment(seg, lo, hi); err != nil {
			return err
		}
		if s.full() {
			break
		}
	}
	return nil
}

func (s *scan) full() bool { return s.limit > 0 && len(s.found) >= s.limit }

// segment scans the heights from to to, which are in one segment.
func (s *scan) segment(seg segment, from, to uint64) error {
	if err := s.use(seg.Epoch); err != nil {
		return err
	}
	var lower, upper [keyBytes + 1]byte // the upper bound is exclusive: one byte after the last key
	s.secrets.term(lower[:], s.term)
	upper = lower
	place(lower[:], seg.First, from, 0)
	place(upper[:], seg.First, to, math.MaxUint32)
	s.it.SetBounds(lower[:keyBytes], upper[:])
	ok := false
	if s.reverse {
		ok = s.it.Last()
	} else {
		ok = s.it.SeekPrefixGE(lower[:keyBytes])
	}
	for ; ok && !s.full(); ok = s.advance() {
		if err := s.take(lower[:prefixBytes]); err != nil {
			return err
		}
	}
	if err := s.it.Error(); err != nil {
		return damaged(err)
	}
	return nil
}

// take opens the entry at the iterator.
func (s *scan) take(prefix []byte) error {
	key := s.it.Key()
	if len(key) != keyBytes || !bytes.Equal(key[:prefixBytes], prefix) {
		return ErrDamaged
	}
	height := binary.BigEndian.Uint64(key[prefixBytes:])
	if err := s.at(height); err != nil {
		return ErrUnavailable.From(err)
	}
	sealed, err := s.it.ValueAndErr()
	if err != nil {
		return damaged(err)
	}
	value, err := s.open(key, sealed)
	if err != nil {
		return ErrDamaged.From(err)
	}
	s.found = append(s.found, Found{Height: height, Position: binary.BigEndian.Uint32(key[prefixBytes+8:]), Value: value})
	return nil
}

func (s *scan) advance() bool {
	if s.reverse {
		return s.it.Prev()
	}
	return s.it.Next()
}
