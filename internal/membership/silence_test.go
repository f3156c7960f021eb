package membership

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// TestTidy: learners of which nothing is heard are retired after a while, and
// nobody else.
func TestTidy(t *testing.T) {
	w, k := newWorld(voter, learner, learner, format.NodePending, learner)
	now := time.Unix(1_700_000_000, 0)
	k.Clock = func() time.Time { return now }
	after := func(d time.Duration, want ...uint64) {
		t.Helper()
		now = now.Add(d)
		if got, err := k.Tidy(); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: retired %v, want %v", err, got, want)
		}
	}
	w.silent = []uint64{2, 3, 4, 5}
	after(0)
	after(Silence - time.Second)
	w.silent = []uint64{2, 4, 5} // the third is heard again
	after(0)
	w.silent = []uint64{2, 3, 4, 5}
	after(time.Second, 4)
	after(Silence - time.Minute) // the third waits anew, the fourth is no learner any more
	after(-time.Hour)            // a clock that is set back makes nobody wait less
	after(Silence - time.Second)
	after(time.Second, 3)
	if got := w.members.IDs(voter); !slices.Equal(got, []uint64{1, 2}) {
		t.Error("voters:", got)
	}
	if got := w.members.IDs(learner); !slices.Equal(got, []uint64{6}) {
		t.Error("learners:", got)
	}
	w.silent = []uint64{6}
	after(time.Hour)
	w.view++ // another primary has led meanwhile
	after(Silence)
	after(Silence, 6)
	w.leads = false
	if _, err := k.Tidy(); !errors.Is(err, sequencer.ErrNotPrimary) {
		t.Error(err)
	}
}
