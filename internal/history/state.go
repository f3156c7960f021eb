package history

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
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
}

// segment is a run of heights that one epoch's key indexes.
type segment struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Epoch uint64
}

// stateFormat changes with every change of keys, values or state. An index of
// another format is rebuilt.
const stateFormat = 0

// stateKey is as long as a term's PRF, so that every key has a whole prefix.
var stateKey = []byte("coco index state")

func (s state) empty() bool { return len(s.Segments) == 0 }

// next is the state after a block. The old one stays as it is.
func (s state) next(height, epoch uint64) state {
	s.Height = height
	if n := len(s.Segments); n == 0 || s.Segments[n-1].Epoch != epoch {
		s.Segments = append(slices.Clip(s.Segments), segment{First: height, Epoch: epoch})
	}
	return s
}

// seal encodes the state under a MAC by the index key of its last epoch: only
// the network that the index belongs to can tell it apart from noise.
func (s state) seal(key func(epoch uint64) [32]byte) ([]byte, error) {
	body := format.Encode(s)
	mac, err := stateMAC(key, s, body)
	return append(mac, body...), err
}

func stateMAC(key func(epoch uint64) [32]byte, s state, body []byte) ([]byte, error) {
	index := key(s.Segments[len(s.Segments)-1].Epoch)
	k, err := hkdf.Key(sha256.New, index[:], nil, "coco/index-state", 32)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, k)
	h.Write(body)
	return h.Sum(nil), nil
}

// openState is the inverse of seal.
func openState(data []byte, key func(epoch uint64) [32]byte) (state, error) {
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
	if s.empty() || s.Height < s.Segments[len(s.Segments)-1].First || !slices.IsSortedFunc(s.Segments, bySegment) {
		return state{}, ErrDamaged.From(errors.New("the state contradicts itself"))
	}
	want, err := stateMAC(key, s, body)
	if err != nil {
		return state{}, ErrUnavailable.From(err)
	}
	if !hmac.Equal(mac, want) {
		return state{}, ErrForeign
	}
	return s, nil
}

// bySegment orders segments; equal epochs or heights are out of order too.
func bySegment(a, b segment) int {
	if a.First < b.First && a.Epoch < b.Epoch {
		return -1
	}
	return 1
}

func readState(db *pebble.DB, key func(epoch uint64) [32]byte) (state, error) {
	data, closer, err := db.Get(stateKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return state{}, nil
	}
	if err != nil {
		return state{}, damaged(err)
	}
	defer closer.Close()
	return openState(data, key)
}
