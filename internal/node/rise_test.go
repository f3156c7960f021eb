package node

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// forgetful is a disk that once fails to read which processes a directory had,
// after that was written.
type forgetful struct {
	disk.FS
	written, failed atomic.Bool
}

func (f *forgetful) Rename(from, to string) error {
	err := f.FS.Rename(from, to)
	if to == fileFormerly {
		f.written.Store(true)
	}
	return err
}

func (f *forgetful) OpenRead(name string) (disk.File, error) {
	if name == fileFormerly && f.written.Load() && !f.failed.Swap(true) {
		return nil, errors.New("an error of the disk")
	}
	return f.FS.OpenRead(name)
}

// TestRiseTriesAgain: a learner that fails to learn whom it replaces asks again
// later; it does not become a voter beside a dead one.
func TestRiseTriesAgain(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	second := launch(t, t.TempDir(), Joins, first)
	awaitVoter(t, second)
	third := launch(t, t.TempDir(), Joins, first)
	awaitVoter(t, third)
	stop(t, third)
	f := &forgetful{FS: third.config.FS}
	again := launchOn(t, f, third.config.Data, Joins, first, second)
	awaitVoter(t, again)
	if got := again.members.get().Get(third.id).Status; got != format.NodeRetired || !f.failed.Load() {
		t.Errorf("the process before is %v", got)
	}
}
