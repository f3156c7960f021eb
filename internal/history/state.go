package history

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// state is what an index holds: it names the runs that count. It is one small
// file, replaced as a whole, so that after a crash it is true of whatever is there.
type state struct {
	_      struct{} `cbor:",toarray"`
	Format uint64
	Runs   []runInfo // in order of height; none in an empty index
	Note   []byte
}

type runID [16]byte

// runInfo describes a run: an immutable file of the entries of some blocks that
// follow each other and are of one epoch.
type runInfo struct {
	_     struct{} `cbor:",toarray"`
	ID    runID    // random; names the file and its key
	First uint64   // height
	Last  uint64
	Epoch uint64
	Level uint64 // how often its entries were merged
	Root  uint64 // offset of the last page, which leads to all others
	Size  uint64 // of the file, in bytes
}

// Window bounds what an index keeps: it drops the oldest blocks, a run at a
// time, and gives their bytes back. The zero Window keeps everything.
type Window struct {
	Blocks uint64 // that are kept at least, unless Bytes are too few; 0 for all
	Bytes  uint64 // of files, at most but for the last run; 0 for any number
}

// parts is how many runs a full window has at least, about: up to one of them is
// dropped early.
const parts = 16

// stateFormat changes with every change of runs or state. An index of another
// format is rebuilt. The first was one of a storage engine.
const stateFormat = 2

// fits reports that blocks of a number of bytes are no more than a part.
func (w Window) fits(blocks, bytes uint64) bool {
	return (w.Blocks == 0 || blocks <= max(1, w.Blocks/parts)) && (w.Bytes == 0 || bytes <= w.Bytes/parts)
}

// exceeds reports that the first run is too much.
func (w Window) exceeds(runs []*run) bool {
	var bytes uint64
	for _, r := range runs {
		bytes += r.Size
	}
	last := runs[len(runs)-1].Last
	return w.Blocks > 0 && last+1-runs[1].First >= w.Blocks || w.Bytes > 0 && bytes > w.Bytes
}

// keep is what the window leaves of some runs.
func (w Window) keep(runs []*run) []*run {
	for len(runs) > 1 && w.exceeds(runs) {
		runs = runs[1:]
	}
	return runs
}

// fan is how many runs of a level are merged to one of the next, at most.
const fan = 8

// merge chooses runs to be merged, of a level below the given one: the oldest of
// fan that follow each other, as many as are a part of the window. Of the levels
// the lowest comes first; it has the most runs and is done the soonest.
func (w Window) merge(runs []*run, below uint64) []*run {
	most := uint64(0)
	for _, r := range runs {
		most = max(most, r.Level)
	}
	for level := uint64(0); level < below && level <= most; level++ {
		for i := 0; i+fan <= len(runs); i++ {
			group := runs[i : i+fan]
			if slices.ContainsFunc(group, func(r *run) bool { return r.Level != level || r.Epoch != group[0].Epoch }) {
				continue
			}
			n, bytes := 0, uint64(0)
			for _, r := range group {
				if bytes += r.Size; !w.fits(r.Last+1-group[0].First, bytes) {
					break
				}
				n++
			}
			if n > 1 {
				return group[:n]
			}
		}
	}
	return nil
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
	index, err := held(key, s.Runs[len(s.Runs)-1].Epoch)
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

// maxState bounds the file of the state, in bytes.
const maxState = 16 << 20

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
		return state{}, errFormat
	}
	if !s.ordered() {
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

var errFormat = ErrDamaged.From(errors.New("the index was written in another format"))

// ordered reports that there are runs, that each begins right above the one before
// it, and that none is of an older epoch than that.
func (s state) ordered() bool {
	for i, r := range s.Runs {
		if r.Last < r.First || r.Root > r.Size {
			return false
		}
		if i > 0 && (r.First != s.Runs[i-1].Last+1 || r.Epoch < s.Runs[i-1].Epoch) {
			return false
		}
	}
	return len(s.Runs) > 0
}

// Names of the files of an index.
const (
	stateName = "state"
	stateNext = "state.new" // becomes the state when it is complete, see disk.WriteFile
	lockName  = "LOCK"
	runPrefix = "run-"
)

func (id runID) name() string { return runPrefix + hex.EncodeToString(id[:]) }
