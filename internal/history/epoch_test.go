package history

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// heldKey is testKey of the epochs 1 to newest; no other is held.
func heldKey(newest uint64) Key {
	return func(epoch uint64) ([32]byte, error) {
		if epoch == 0 || epoch > newest {
			return [32]byte{}, errors.New("no such epoch")
		}
		return testKey(1)(epoch)
	}
}

// TestEpochNotHeld: an index of an epoch that is not held, or newer than its
// height's, is another's. With the zero key of a Key that fails it is so even when
// whoever forged it knows that.
func TestEpochNotHeld(t *testing.T) {
	for _, epoch := range []uint64{0, 2, 3, 999} {
		fs := vfs.NewMem()
		forged := Options{Key: func(e uint64) ([32]byte, error) {
			key, err := heldKey(2)(e)
			_ = err // the host does not care
			return key, nil
		}, Epoch: func(uint64) uint64 { return epoch }}
		x := open(t, fs, forged)
		do(t, x.Add(5, blockOf(5)))
		do(t, x.Close())
		_, err := Open("index", Options{FS: fs, Key: heldKey(2), Epoch: func(uint64) uint64 { return 1 }})
		if !errors.Is(err, ErrForeign) {
			t.Errorf("an index of epoch %d: %v", epoch, err)
		}
	}
}

// TestEpochNotHeldIsNotWritten: nothing is stored under a key that is not there.
func TestEpochNotHeldIsNotWritten(t *testing.T) {
	x := open(t, vfs.NewMem(), Options{Key: heldKey(0)})
	do(t, x.Add(5, blockOf(5)))
	if err := x.Close(); !errors.Is(err, ErrForeign) {
		t.Errorf("close: %v", err)
	}
	s := state{}.next(5, 7, nil, Window{})
	if _, err := s.seal(heldKey(2)); !errors.Is(err, ErrForeign) {
		t.Errorf("seal: %v", err)
	}
	secrets := secrets{source: heldKey(2)}
	if err := secrets.use(3); !errors.Is(err, ErrForeign) {
		t.Errorf("use: %v", err)
	}
}

// TestStateOrder: segments rise strictly, their epochs do not fall.
func TestStateOrder(t *testing.T) {
	for name, test := range map[string]struct {
		segments []segment
		good     bool
	}{
		"rising":        {[]segment{{First: 1}, {First: 2, Epoch: 1}, {First: 3, Epoch: 1}}, true},
		"equal heights": {[]segment{{First: 1}, {First: 1}, {First: 3}}, false},
		"falling":       {[]segment{{First: 2}, {First: 1}, {First: 3}}, false},
		"falling epoch": {[]segment{{First: 1, Epoch: 2}, {First: 2, Epoch: 1}, {First: 3, Epoch: 2}}, false},
		"none":          {nil, false},
	} {
		s := state{Format: stateFormat, Height: 3, Segments: test.segments}
		if len(s.Segments) == 0 {
			s.Segments = []segment{{First: 4}} // above the height
		}
		sealed, err := s.seal(testKey(1))
		do(t, err)
		if _, err := openState(sealed, testKey(1)); (err == nil) != test.good || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
