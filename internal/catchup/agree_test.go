package catchup

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// copyOf is a disk with the donor's closed and open chunks and vote file.
func (d *donor) copyOf(t *testing.T) *crash.Disk {
	t.Helper()
	fs := crash.New()
	log := openLog(t, fs)
	entries, err := d.log.Entries(1, d.log.Head().LastIndex+1, 1<<30)
	must(t, err)
	must(t, log.Append(entries))
	must(t, log.Close())
	return fs
}

// fork is a donor that goes on from another's entries up to an index by itself.
func (d *donor) fork(t *testing.T, fs disk.FS, index uint64) *donor {
	t.Helper()
	f := *d
	f.fs, f.log = fs, openLog(t, fs)
	must(t, f.log.Cut(index))
	head := f.log.Head()
	f.height, f.block, f.term = 0, format.Hash{}, d.term+7
	if head.HasBlock {
		f.height = head.Height + 1
	}
	f.committed, f.blocks = head.LastIndex, f.height
	f.empty()
	return &f
}

// TestAgreeAtEveryFork forks a log at every entry: without a word of commitment
// the node agrees up to the fork; with one behind it, that is a fork of ledgers.
func TestAgreeAtEveryFork(t *testing.T) {
	d := newDonor(t, crash.New())
	for range 3 {
		d.chunks(1, 2)
	}
	last := d.committed
	for index := uint64(1); index < last; index++ {
		own := d.fork(t, d.copyOf(t), index)
		f := d.fetcher(own.fs, d.source())
		got, err := f.Agree(t.Context(), own.log)
		if err != nil || got != index {
			t.Fatalf("fork behind entry %d: agree on %d, %v", index, got, err)
		}
		must(t, own.log.Cut(got))
		must(t, f.Entries(t.Context(), own.log, nil))
		if own.log.Head().Prefix != d.log.Head().Prefix {
			t.Fatalf("fork behind entry %d: not caught up", index)
		}

		// The block behind the fork is named as committed by a later one.
		own = d.fork(t, d.copyOf(t), index)
		own.transaction(false)
		own.commit()
		own.transaction(false)
		_, err = d.fetcher(own.fs, d.source()).Agree(t.Context(), own.log)
		if !errors.Is(err, ErrFork) {
			t.Fatalf("a committed block behind entry %d: %v", index, err)
		}
	}
}

// TestAgreeWithWhoIsBehind: nodes that are merely behind are no fork until they
// had their time; the one that is furthest counts.
func TestAgreeWithWhoIsBehind(t *testing.T) {
	d := newDonor(t, crash.New())
	d.chunks(2, 3)
	own := openLog(t, d.copyOf(t))
	last := own.Head().LastIndex
	behind := func(committed uint64) Source {
		s := NewServer(Config{Log: d.log, FS: d.fs, Snapshots: snapshotDir, Committed: func() (uint64, uint64) { return committed, 0 },
			Allow: func(*http.Request) error { return nil }})
		return source("behind", s)
	}
	got, err := d.fetcher(crash.New(), behind(last-1)).Agree(t.Context(), own)
	if err != nil || got != last-1 {
		t.Fatal(got, err)
	}
	if got, err = d.fetcher(crash.New(), behind(2), d.source()).Agree(t.Context(), own); err != nil || got != last {
		t.Fatal(got, err)
	}
	// What the log names as committed is not known to be so by the one that answers.
	tail := d.fork(t, d.copyOf(t), last)
	tail.transaction(false)
	tail.commit()
	tail.transaction(false)
	_, err = d.fetcher(crash.New(), behind(2)).Agree(t.Context(), tail.log)
	if !errors.Is(err, ErrFork) || !strings.Contains(err.Error(), "furthest") {
		t.Fatal(err)
	}
	// It learns it while the node waits.
	f := d.fetcher(crash.New())
	f.Settle = time.Minute
	asked := 0
	f.Peers = func() []Source {
		if asked++; asked < 3 {
			return []Source{behind(2)}
		}
		return []Source{tail.source()}
	}
	if got, err = f.Agree(t.Context(), tail.log); err != nil || got != tail.committed {
		t.Fatal(got, err)
	}
}

// One node with another history beside one that agrees is not asked again.
func TestAgreeAgainstOneThatIsRolledBack(t *testing.T) {
	d := newDonor(t, crash.New())
	for range 3 {
		d.chunks(1, 2)
	}
	rolled := d.fork(t, d.copyOf(t), 3)
	for range 5 {
		rolled.transaction(false)
	}
	rolled.commit()
	own := openLog(t, d.copyOf(t))
	odd := rolled.source()
	odd.Name = "odd"
	f := d.fetcher(crash.New(), odd, d.source())
	got, err := f.Agree(t.Context(), own)
	if err != nil || got != d.committed {
		t.Fatal(got, err)
	}
	if order := f.order(); len(order) != 1 || order[0].Name != "honest" {
		t.Fatalf("%v", order)
	}
}

func TestAgreeEdges(t *testing.T) {
	d := newDonor(t, crash.New())
	d.chunks(3, 2)
	empty := openLog(t, crash.New())
	if got, err := d.fetcher(crash.New(), d.source()).Agree(t.Context(), empty); err != nil || got != 0 {
		t.Fatal(got, err)
	}
	other := newDonor(t, crash.New())
	other.transaction(false)
	if got, err := d.fetcher(crash.New(), d.source()).Agree(t.Context(), other.log); err != nil || got != 0 {
		t.Fatal(got, err)
	}
	other.transaction(false)
	if _, err := d.fetcher(crash.New(), d.source()).Agree(t.Context(), other.log); !errors.Is(err, ErrFork) {
		t.Fatal(err)
	}
	if _, err := d.fetcher(crash.New()).Agree(t.Context(), empty); !errors.Is(err, ErrSources) {
		t.Fatal(err)
	}
	// A log that begins in the middle, and a source that does.
	part := openLog(t, crash.New())
	prefix, err := d.log.Prefix(3)
	must(t, err)
	must(t, part.Begin(4, prefix))
	entries, err := d.log.Entries(4, 9, 1<<30)
	must(t, err)
	must(t, part.Append(entries))
	if got, err := d.fetcher(crash.New(), d.source()).Agree(t.Context(), part); err != nil || got != 8 {
		t.Fatal(got, err)
	}
	server := NewServer(Config{Log: part, FS: crash.New(), Committed: func() (uint64, uint64) { return 8, 5 }, Allow: func(*http.Request) error { return nil }})
	whole := openLog(t, d.copyOf(t))
	if got, err := d.fetcher(crash.New(), source("part", server)).Agree(t.Context(), whole); err != nil || got != 8 {
		t.Fatal(got, err)
	}
	must(t, whole.Cut(2)) // ends before that source begins
	if got, err := d.fetcher(crash.New(), source("part", server)).Agree(t.Context(), whole); !errors.Is(err, ErrSources) {
		t.Fatal(got, err)
	}
}

// TestAgreeNeedsWhoKnowsEnough: who had not committed what the network had when
// it let this node in cannot say that the node's entries are not committed.
func TestAgreeNeedsWhoKnowsEnough(t *testing.T) {
	d := newDonor(t, crash.New())
	d.chunks(2, 2)
	last := d.committed
	fs := d.copyOf(t)
	own := openLog(t, fs)
	late := d.fork(t, d.copyOf(t), last-2) // it lacks two entries, and says nothing else
	f := d.fetcher(fs, late.source())
	f.Least, f.Rounds = last, 2
	if got, err := f.Agree(t.Context(), own); !errors.Is(err, ErrSources) {
		t.Fatalf("agrees on %d with a node that is behind: %v", got, err)
	}
	f = d.fetcher(fs, late.source(), d.source())
	f.Least = last
	if got, err := f.Agree(t.Context(), own); err != nil || got != last {
		t.Fatalf("agrees on %d of %d: %v", got, last, err)
	}
}
