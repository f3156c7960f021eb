package history

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// state is where the index stands. It is written in the same batch as the
// entries of its height, so after a crash it is true of whatever is there.
type state struct {
	_        struct{} `cbor:",toarray"`
	Format   uint64
	Height   uint64
	Segments []segment // in order of height; none in an empty index
	Bytes    uint64    // of the last segment so far
	Note     []byte
}

// segment is a run of heights that one epoch's key indexes and that is dropped
// as one.
type segment struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Epoch uint64
	Bytes uint64 // when it has ended
}

// Window bounds what an index keeps: it drops the oldest blocks, a segment at a
// time, and gives their bytes back. The zero Window keeps everything.
type Window struct {
	Blocks uint64 // that are kept at least, unless Bytes are too few; 0 for all
	Bytes  uint64 // of entries as they are stored, at most but for the last segment; 0 for any number
}

// parts is how many segments a full window has, about: a read asks them all for
// a term that is in none of them, and up to one of them is dropped early.
const parts = 16

// entryBytes is what an entry takes in a file beyond its sealed value: key,
// engine's trailer and lengths, its share of index and filter.
const entryBytes = keyBytes + 16

// stateFormat changes with every change of keys, values or state. An index of
// another format is rebuilt.
const stateFormat = 1

// stateName takes the place of a term in the key of the state, which lies in the
// last segment: a file that holds nothing else but a dropped segment is free.
const stateName = "coco index state"

func stateKey(segment uint64) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, prefixBytes), segment), stateName...)
}

func (s state) empty() bool { return len(s.Segments) == 0 }

// first is the first height that is kept.
func (s state) first() uint64 { return s.Segments[0].First }

// last is the segment that grows.
func (s state) last() segment { return s.Segments[len(s.Segments)-1] }

// next is the state after a block. The old one stays as it is.
func (s state) next(height, epoch uint64, entries []Entry, w Window) state {
	s.Format = stateFormat
	if s.empty() || s.last().Epoch != epoch || w.ends(s, height) {
		s.Segments = slices.Clone(s.Segments)
		if n := len(s.Segments); n > 0 {
			s.Segments[n-1].Bytes = s.Bytes
		}
		s.Segments, s.Bytes = append(s.Segments, segment{First: height, Epoch: epoch}), 0
	}
	s.Height = height
	for _, e := range entries {
		s.Bytes += uint64(entryBytes + sealedBytes(e.Value))
	}
	for len(s.Segments) > 1 && w.exceeds(s) {
		s.Segments = s.Segments[1:]
	}
	return s
}

// ends reports that a segment ends before a height.
func (w Window) ends(s state, height uint64) bool {
	return w.Blocks > 0 && height-s.last().First >= max(1, w.Blocks/parts) || w.Bytes > 0 && s.Bytes >= w.Bytes/parts
}

// exceeds reports that the first segment is too much.
func (w Window) exceeds(s state) bool {
	bytes := s.Bytes
	for _, g := range s.Segments {
		bytes += g.Bytes
	}
	return w.Blocks > 0 && s.Height+1-s.Segments[1].First >= w.Blocks || w.Bytes > 0 && bytes > w.Bytes
}

// seal encodes the state under a MAC by the index key of its last epoch: only
// the network that the index belongs to can tell it apart from noise.
func (s state) seal(key Key) ([]byte, error) {
	body := format.Encode(s)
	mac, err := stateMAC(key, s, body)
	if err != nil {
		return nil, err
	}
	return append(mac, body...), nil
}

func stateMAC(key Key, s state, body []byte) ([]byte, error) {
	index, err := held(key, s.last().Epoch)
	if err != nil {
		return nil, err
	}
	k, err := hkdf.Key(sha256.New, index[:], nil, "coco/index-state", 32)
	if err != nil {
		return nil, ErrUnavailable.From(err)
	}
	h := hmac.New(sha256.New, k)
	h.Write(body)
	return h.Sum(nil), nil
}

// openState is the inverse of seal.
func openState(data []byte, key Key) (state, error) {
	var s state
	if len(data) < sha256.Size {
		return state{}, ErrDamaged.From(errors.New("the state is cut short"))
	}
	mac, body := data[:sha256.Size], data[sha256.Size:]
	if err := format.Decode(body, &s); err != nil {
		return state{}, ErrDamaged.From(err)
	}
	if s.Format != stateFormat {
		return state{}, ErrDamaged.From(errors.New("the index was written in another format"))
	}
	if s.empty() || s.Height < s.last().First || !s.ordered() {
		return state{}, ErrDamaged.From(errors.New("the state contradicts itself"))
	}
	want, err := stateMAC(key, s, body)
	if err != nil {
		return state{}, err
	}
	if !hmac.Equal(mac, want) {
		return state{}, ErrForeign
	}
	return s, nil
}

// ordered reports that each segment begins above the one before it and is of no
// older epoch.
func (s state) ordered() bool {
	for i := 1; i < len(s.Segments); i++ {
		a, b := s.Segments[i-1], s.Segments[i]
		if b.First <= a.First || b.Epoch < a.Epoch {
			return false
		}
	}
	return true
}

func readState(db *pebble.DB, key Key, epoch func(height uint64) uint64) (state, error) {
	segment, ok, err := lastSegment(db)
	if err != nil || !ok {
		return state{}, err
	}
	data, closer, err := db.Get(stateKey(segment))
	if errors.Is(err, pebble.ErrNotFound) {
		return state{}, ErrDamaged.From(errors.New("the state is missing"))
	}
	if err != nil {
		return state{}, damaged(err)
	}
	defer closer.Close()
	s, err := openState(data, key)
	switch {
	case err != nil:
		return state{}, err
	case s.last().First != segment:
		return state{}, ErrDamaged.From(errors.New("the state is of another segment"))
	case s.last().Epoch > epoch(s.Height):
		return state{}, ErrForeign.From(fmt.Errorf("it is of epoch %d, block %d is not", s.last().Epoch, s.Height))
	}
	return s, nil
}

// lastSegment finds the segment of the last key, none in an empty index.
func lastSegment(db *pebble.DB) (segment uint64, ok bool, err error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return 0, false, damaged(err)
	}
	if ok = it.Last(); ok && len(it.Key()) >= segmentBytes {
		segment = binary.BigEndian.Uint64(it.Key())
	}
	if err := it.Close(); err != nil {
		return 0, false, damaged(err)
	}
	return segment, ok, nil
}
