package history

import (
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/disk/crash"
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
		fs := crash.New()
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
	x := open(t, crash.New(), Options{Key: heldKey(0)})
	do(t, x.Add(5, blockOf(5)))
	if err := x.Close(); !errors.Is(err, ErrForeign) {
		t.Errorf("close: %v", err)
	}
	s := state{Format: stateFormat, Runs: []runInfo{{First: 5, Last: 5, Epoch: 7}}}
	if _, err := s.seal(heldKey(2)); !errors.Is(err, ErrForeign) {
		t.Errorf("seal: %v", err)
	}
	secrets := secrets{source: heldKey(2)}
	if _, err := secrets.terms(3); !errors.Is(err, ErrForeign) {
		t.Errorf("terms: %v", err)
	}
	if _, err := secrets.run(3, runID{}); !errors.Is(err, ErrForeign) {
		t.Errorf("run: %v", err)
	}
}

// TestStateOrder: runs follow each other without a gap, their epochs do not fall.
func TestStateOrder(t *testing.T) {
	for name, test := range map[string]struct {
		runs []runInfo
		good bool
	}{
		"rising":        {[]runInfo{{First: 1, Last: 1}, {First: 2, Last: 4, Epoch: 1}, {First: 5, Last: 5, Epoch: 1}}, true},
		"a gap":         {[]runInfo{{First: 1, Last: 1}, {First: 3, Last: 3}}, false},
		"overlapping":   {[]runInfo{{First: 1, Last: 2}, {First: 2, Last: 3}}, false},
		"backwards":     {[]runInfo{{First: 1, Last: 0}}, false},
		"falling epoch": {[]runInfo{{First: 1, Last: 1, Epoch: 2}, {First: 2, Last: 2, Epoch: 1}}, false},
		"root outside":  {[]runInfo{{First: 1, Last: 1, Root: 2, Size: 1}}, false},
	} {
		s := state{Format: stateFormat, Runs: test.runs}
		sealed, err := s.seal(testKey(1))
		do(t, err)
		if _, err := openState(sealed, testKey(1)); (err == nil) != test.good || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
