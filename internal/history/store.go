package history

import (
	"bytes"
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
// holds for a moment.
const (
	memTableBytes = 8 << 20
	cacheBytes    = 16 << 20
	maxOpenFiles  = 256
)

// comparer orders keys by their bytes and knows that a term's PRF is a key's
// prefix, so that a term that a file does not hold costs a filter, not a read.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "coco.history.0"
	c.Split = func(key []byte) int { return min(len(key), prefixBytes) }
	c.ImmediateSuccessor = nil // for range keys, which are not used
	return &c
}()

func openStore(dir string, disk *disk) (*pebble.DB, error) {
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrUnavailable.From(err)
	}
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
		if i < len(opts.Levels)-1 { // the last level's filters would not be asked
			opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		}
	}
	db, err := pebble.Open(dir, opts)
	switch {
	case err == nil:
		return db, nil
	case isUnavailable(err):
		return nil, ErrUnavailable.From(err)
	default:
		return nil, ErrDamaged.From(err)
	}
}

// isUnavailable tells an environment that refuses from an index that is wrong.
func isUnavailable(err error) bool {
	for _, e := range []error{fs.ErrPermission, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EMFILE, syscall.ENOTDIR, syscall.EAGAIN, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// damaged is the problem for an error of the engine while it is open.
func damaged(err error) error {
	if isUnavailable(err) {
		return ErrUnavailable.From(err)
	}
	return ErrDamaged.From(err)
}

// scan collects the stored occurrences of one term.
type scan struct {
	db      *pebble.DB
	key     func(epoch uint64) [32]byte
	term    []byte
	limit   int
	reverse bool
	found   []Found
}

// run visits the epochs between two heights, both included, in scan's order.
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
		if err := s.epoch(seg.Epoch, lo, hi); err != nil {
			return err
		}
		if s.full() {
			break
		}
	}
	return nil
}

func (s *scan) full() bool { return s.limit > 0 && len(s.found) >= s.limit }

// epoch scans the heights from to to, which share one index key.
func (s *scan) epoch(epoch, from, to uint64) (err error) {
	secrets := secrets{source: s.key}
	if err := secrets.use(epoch); err != nil {
		return ErrUnavailable.From(err)
	}
	var lower, upper [keyBytes + 1]byte // the upper bound is exclusive: one byte after the last key
	secrets.key(lower[:], s.term, from, 0)
	secrets.key(upper[:], s.term, to, math.MaxUint32)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower[:keyBytes], UpperBound: upper[:]})
	if err != nil {
		return damaged(err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = damaged(cerr)
		}
	}()
	ok, height := false, uint64(0)
	if s.reverse {
		ok = it.Last()
	} else {
		ok = it.SeekPrefixGE(lower[:keyBytes])
	}
	for ; ok && !s.full(); ok = s.advance(it) {
		key := it.Key()
		if len(key) != keyBytes || !bytes.Equal(key[:prefixBytes], lower[:prefixBytes]) {
			return ErrDamaged
		}
		h := binary.BigEndian.Uint64(key[prefixBytes:])
		if h != height || secrets.aead == nil {
			if err := secrets.at(h); err != nil {
				return ErrUnavailable.From(err)
			}
			height = h
		}
		sealed, err := it.ValueAndErr()
		if err != nil {
			return damaged(err)
		}
		value, err := secrets.open(key, sealed)
		if err != nil {
			return ErrDamaged.From(err)
		}
		s.found = append(s.found, Found{Height: h, Position: binary.BigEndian.Uint32(key[prefixBytes+8:]), Value: value})
	}
	return nil
}

func (s *scan) advance(it *pebble.Iterator) bool {
	if s.reverse {
		return it.Prev()
	}
	return it.Next()
}
