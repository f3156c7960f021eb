package history

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/disk/fault"
)

// sick is a disk that answers everything with one error while it is set.
type sick struct{ errno atomic.Uintptr }

func (s *sick) ask(fault.Op) error {
	if n := s.errno.Load(); n != 0 {
		return syscall.Errno(n)
	}
	return nil
}

// opened waits until a past has an index.
func opened(t *testing.T, p *Past) {
	t.Helper()
	for range 60_000 {
		if p.current() != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("old state was not opened again")
}

// grown is a chronicle of twenty blocks whose past is closed.
func grown(t *testing.T, fs disk.FS) *chronicle {
	c := newChronicle(fs, Window{Blocks: 100})
	do(t, c.start(-1))
	for range 20 {
		do(t, c.commit(map[string]string{"a": string(rune('a' + len(c.blocks)))}))
	}
	do(t, c.past.Close())
	return c
}

// TestPastThatCannotBeOpened: a disk that refuses for whatever reason leaves the
// files alone and a store with its newest state; when it is well the window is back.
func TestPastThatCannotBeOpened(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EACCES, syscall.EINTR} {
		ill := &sick{}
		c := grown(t, fault.Wrap(crash.New(), ill.ask))
		ill.errno.Store(uintptr(errno))
		do(t, c.start(19))
		if _, err := c.past.At(3); !errors.Is(err, ErrPast) {
			t.Errorf("%v: block 3 is %v", errno, err)
		}
		do(t, c.read(19, "a"))
		ill.errno.Store(0)
		opened(t, c.past)
		do(t, c.read(3, "a"))
		do(t, c.past.Close())
	}
}

// TestPastMissesBlocks: blocks that came while it could not be opened end the window.
func TestPastMissesBlocks(t *testing.T) {
	ill := &sick{}
	c := grown(t, fault.Wrap(crash.New(), ill.ask))
	ill.errno.Store(uintptr(syscall.EMFILE))
	do(t, c.load(19))
	c.opts.pause = time.Hour
	c.past = OpenPast(c.dir, c.store, c.opts)
	c.store.Observe(c.past.Observe)
	do(t, c.commit(map[string]string{"a": "missed"}))
	ill.errno.Store(0)
	do(t, c.past.Close()) // which does not wait for the hour

	c.opts.pause = time.Millisecond
	do(t, c.start(20))
	opened(t, c.past)
	do(t, c.commit(map[string]string{"a": "x"}))
	if _, err := c.past.At(3); !errors.Is(err, ErrPast) {
		t.Errorf("block 3 behind the gap is %v", err)
	}
	do(t, c.read(20, "a"))
	do(t, c.past.Close())
}

// TestPastOneBlockAtATime: a process that replays nothing and adds one block leaves
// images that the next process knows for the ledger's.
func TestPastOneBlockAtATime(t *testing.T) {
	c := grown(t, crash.New())
	for range 3 {
		do(t, c.start(len(c.blocks)-1))
		do(t, c.commit(map[string]string{"a": "z"}))
		do(t, c.past.Close())
	}
	do(t, c.start(len(c.blocks)-1))
	if oldest := c.past.Oldest(); oldest != 0 {
		t.Errorf("state is kept from block %d", oldest)
	}
	do(t, c.past.Close())
}

// TestPastOfBlockZero: images of block 0 alone are the ledger's without a block before.
func TestPastOfBlockZero(t *testing.T) {
	c := newChronicle(crash.New(), Window{Blocks: 100})
	do(t, c.start(-1))
	do(t, c.commit(map[string]string{"a": "z"}))
	do(t, c.past.Close())
	for last := range 3 {
		do(t, c.start(last))
		do(t, c.commit(map[string]string{"a": "y"}))
		do(t, c.past.Close())
	}
	do(t, c.start(3))
	do(t, c.read(0, "a"))
	do(t, c.past.Close())
}

// TestPastWithoutItsLedger: a ledger that cannot be read now speaks against nothing.
func TestPastWithoutItsLedger(t *testing.T) {
	c := grown(t, crash.New())
	c.trouble, c.opts.pause = errors.New("not now"), time.Hour
	do(t, c.load(19))
	c.past = OpenPast(c.dir, c.store, c.opts)
	if _, err := c.past.At(3); !errors.Is(err, ErrPast) {
		t.Errorf("block 3 is %v", err)
	}
	do(t, c.past.Close())
	c.trouble = nil
	do(t, c.start(19))
	do(t, c.read(3, "a"))
	do(t, c.past.Close())
}

// TestPastIsRenewedUntilItIs: one try that fails is not the last.
func TestPastIsRenewedUntilItIs(t *testing.T) {
	ill := &sick{}
	c := grown(t, fault.Wrap(crash.New(), ill.ask))
	do(t, c.start(19))
	ill.errno.Store(uintptr(syscall.EIO))
	c.past.renew(c.past.current(), ErrDamaged)
	do(t, c.commit(map[string]string{"a": "missed"}))
	time.Sleep(5 * time.Millisecond) // some tries
	ill.errno.Store(0)
	opened(t, c.past)
	do(t, c.commit(map[string]string{"a": "x"}))
	do(t, c.read(20, "a"))
	do(t, c.past.Close())
}

// TestHeldIndexIsNotDamaged: an index that is open already, or a disk that refuses,
// says nothing against the files.
func TestHeldIndexIsNotDamaged(t *testing.T) {
	opts := Options{FS: disk.OS(t.TempDir()), Key: testKey(1)}
	x, err := Open("index", opts)
	do(t, err)
	if _, err := Open("index", opts); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an index that is open: %v", err)
	}
	do(t, x.Close())
	for _, errno := range []syscall.Errno{syscall.ENFILE, syscall.ENOMEM, syscall.EINTR, syscall.EBUSY} {
		if err := damaged(errno); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
