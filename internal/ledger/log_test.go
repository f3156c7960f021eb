package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

const testDir = "node/ledger"

// testOptions make every run the same: no goroutine, a clock that stands, and
// little space ahead so that its end is met often.
func testOptions() Options {
	return Options{Ahead: 4 << 10, ChunkBytes: 1 << 20, Inline: true, OpenChunks: 2,
		Now: func() time.Time { return time.Unix(1000, 0) }}
}

// writer makes entries that continue a chain.
type writer struct {
	end       chain
	committed uint64 // to name in the next header
	named     uint64 // blocks that some header named as committed
	salt      uint64 // makes bodies differ
}

func (w *writer) block(term uint64, size int, chunkEnd bool) format.Entry {
	w.salt++
	h := format.Header{Height: w.end.blocks, View: term, FirstSeqno: w.end.blocks + 1, Count: 1,
		TreeSize: w.end.blocks + 1, Prefix: w.end.prefix, Time: w.salt, ChunkEnd: chunkEnd}
	if h.Height > 0 {
		h.Committed = min(w.committed, h.Height-1)
		w.named = max(w.named, h.Committed+1)
	}
	record := bytes.Repeat(binary.BigEndian.AppendUint64(nil, w.salt*0x9e3779b97f4a7c15), size/8+1)
	b := format.Block{Header: h.Encode(), Signature: []byte("signature"), Records: [][]byte{record[:size]}}
	return w.entry(term, format.EntryBlock, b.Encode())
}

func (w *writer) empty(term uint64) format.Entry { return w.entry(term, format.EntryRaftEmpty, nil) }

func (w *writer) config(term uint64) format.Entry {
	c := format.RaftConfig{View: term, Seqno: w.end.blocks, Changes: []format.ConfigChange{{RaftID: term}}}
	return w.entry(term, format.EntryRaftConfig, format.Encode(&c))
}

func (w *writer) entry(term uint64, kind format.EntryKind, body []byte) format.Entry {
	e := format.Entry{Index: w.end.index + 1, Term: term, Kind: kind, Body: body}
	s, err := w.end.next(&e)
	if err != nil {
		panic(err)
	}
	w.end = s.after
	return e
}

func mustOpen(t testing.TB, d disk.FS, o Options) *Log {
	t.Helper()
	l, err := Open(d, testDir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isDamage(t testing.TB, err error, kind *problem.Error) *Damage {
	t.Helper()
	var d *Damage
	if !errors.Is(err, kind) || !errors.As(err, &d) {
		t.Fatalf("want %s with the place, got %v", kind.Code, err)
	}
	return d
}

// sameEntry compares an entry as read with the one that was written.
func sameEntry(got, want *format.Entry) error {
	if got.Index != want.Index || got.Term != want.Term || got.Kind != want.Kind || !bytes.Equal(got.Body, want.Body) {
		return fmt.Errorf("entry %d is not what was written", want.Index)
	}
	return nil
}

func TestEmptyLog(t *testing.T) {
	d := crash.New()
	for range 2 {
		l := mustOpen(t, d, testOptions())
		if h := l.Head(); h != (Head{}) || l.ChunkUsed() != 0 {
			t.Fatalf("%+v", h)
		}
		if _, err := l.Entry(1); !errors.Is(err, ErrAbsent) {
			t.Fatal(err)
		}
		if _, ok := l.IndexOf(0); ok {
			t.Fatal("an empty log has no block 0")
		}
		must(t, l.Close())
		must(t, l.Close())
	}
}

func TestAppendRefusesWhatDoesNotContinue(t *testing.T) {
	l := mustOpen(t, crash.New(), testOptions())
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(2, 10, false), w.empty(3)}))
	before := l.Head()
	ahead := *w
	ahead.entry(3, format.EntryRaftEmpty, nil)
	old := *w
	old.end.term = 0
	wrongHeight := *w
	wrongHeight.end.blocks = 7
	wrongPast := *w
	wrongPast.end.prefix = format.Hash{1}
	for name, e := range map[string]format.Entry{
		"gap":            ahead.empty(3),
		"index 0":        {Index: 0, Term: 3, Kind: format.EntryRaftEmpty},
		"term goes back": old.empty(2),
		"height":         wrongHeight.block(3, 1, false),
		"other past":     wrongPast.block(3, 1, false),
		"not a block":    {Index: 3, Term: 3, Kind: format.EntryBlock, Body: []byte("junk")},
		"unknown kind":   {Index: 3, Term: 3, Kind: 9},
		"empty body":     {Index: 3, Term: 3, Kind: format.EntryRaftEmpty, Body: []byte{1}},
	} {
		if err := l.Append([]format.Entry{e}); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.Head() != before {
		t.Fatal("a refused entry changed the log")
	}
	must(t, l.Append([]format.Entry{w.empty(3)}))
}

func TestVotesNeverGoBack(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	must(t, l.SetVote(5, 0))
	must(t, l.SetVote(5, 2))
	must(t, l.SetVote(5, 2))
	for _, bad := range [][2]uint64{{4, 2}, {5, 3}, {5, 0}} {
		if err := l.SetVote(bad[0], bad[1]); !errors.Is(err, ErrOrder) {
			t.Errorf("vote %v: %v", bad, err)
		}
	}
	must(t, l.SetVote(6, 0))
	must(t, l.SetVote(6, 1))
	must(t, l.Close())
	l = mustOpen(t, d, testOptions())
	if term, vote := l.Vote(); term != 6 || vote != 1 {
		t.Fatalf("term %d vote %d", term, vote)
	}
}

// A batch with a chunk's end inside it goes to the disk in one write a chunk.
func TestAppendGathersFrames(t *testing.T) {
	d := crash.New()
	o := testOptions()
	o.Ahead = -1
	l := mustOpen(t, d, o)
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(1, 300, false)}))
	must(t, l.Sync())
	var batch []format.Entry
	for i := range 50 {
		batch = append(batch, w.block(1, 300, i == 24))
	}
	before := d.Ops()
	must(t, l.Append(batch))
	const roll = 1 + 1 + 2 + 2 // truncate, sync, vote written and synced, chunk created and its name synced
	if got := d.Ops() - before; got != 2+roll {
		t.Fatalf("%d operations", got)
	}
}

func TestVoteFileIsRefreshedOnceASecond(t *testing.T) {
	d := crash.New()
	now := time.Unix(0, 0)
	o := testOptions()
	o.Now = func() time.Time { return now }
	l := mustOpen(t, d, o)
	w := &writer{}
	synced := func() uint64 {
		b, ok, err := readVote(d, "node/raft/vote")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return b.synced.index
	}
	step := func(pass time.Duration, want uint64) {
		t.Helper()
		now = now.Add(pass)
		must(t, l.Append([]format.Entry{w.block(1, 10, false)}))
		must(t, l.Sync())
		if got := synced(); got != want {
			t.Fatalf("synced %d, want %d", got, want)
		}
	}
	step(0, 0)
	step(999*time.Millisecond, 0)
	step(time.Millisecond, 3)
	step(0, 3)
	must(t, l.SetVote(2, 1)) // a change of term refreshes
	if synced() != 4 {
		t.Fatal("a vote does not note what is synced")
	}
	must(t, l.Append([]format.Entry{w.block(2, 10, true)})) // and so does a closed chunk
	if synced() != 5 {
		t.Fatal("a closed chunk does not note what is synced")
	}
	must(t, l.Append([]format.Entry{w.block(2, 10, false)}))
	must(t, l.Close()) // and a stop
	if synced() != 6 {
		t.Fatal("a stop does not note what is synced")
	}
}

func TestWriteFailures(t *testing.T) {
	faults := map[string]struct {
		on, off func(*crash.Disk)
		next    string
		cause   error
	}{
		"full":      {func(d *crash.Disk) { d.LimitSpace(100) }, func(d *crash.Disk) { d.LimitSpace(1 << 20) }, "free space", syscall.ENOSPC},
		"read-only": {func(d *crash.Disk) { d.SetReadOnly(true) }, func(d *crash.Disk) { d.SetReadOnly(false) }, "mount the disk", syscall.EROFS},
		"sync":      {func(d *crash.Disk) { d.FailNextSync(3) }, func(*crash.Disk) {}, "check the disk", syscall.EIO},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			d := crash.New()
			l := mustOpen(t, d, testOptions())
			w := &writer{}
			first := w.block(1, 100, false)
			must(t, l.Append([]format.Entry{first}))
			must(t, l.Sync())
			fault.on(d)
			err := l.Append([]format.Entry{w.block(1, 20<<10, false)})
			if err == nil {
				err = l.Sync()
			}
			var p *problem.Error
			if !errors.Is(err, ErrWrite) || !errors.Is(err, fault.cause) || !errors.As(err, &p) || !bytes.Contains([]byte(p.Next), []byte(fault.next)) {
				t.Fatalf("%v", err)
			}
			fault.off(d)
			if err := l.Append([]format.Entry{w.empty(1)}); !errors.Is(err, ErrWrite) {
				t.Fatalf("a log that failed takes entries: %v", err)
			}
			if err := l.Sync(); !errors.Is(err, ErrWrite) {
				t.Fatalf("a log that failed syncs: %v", err)
			}
			if err := l.SetVote(9, 9); !errors.Is(err, ErrWrite) {
				t.Fatalf("a log that failed votes: %v", err)
			}
			got, err := l.Entry(1)
			must(t, err)
			must(t, sameEntry(got, &first))
			must(t, l.Close())

			l = mustOpen(t, d.Crash(1), testOptions())
			got, err = l.Entry(1)
			must(t, err)
			must(t, sameEntry(got, &first))
			must(t, l.Append([]format.Entry{(&writer{end: l.end}).empty(2)}))
			must(t, l.Close())
		})
	}
}

func TestClosedLog(t *testing.T) {
	l := mustOpen(t, crash.New(), testOptions())
	w := &writer{}
	must(t, l.Append([]format.Entry{w.empty(1)}))
	must(t, l.Close())
	_, err := l.Entry(1)
	for _, err := range []error{err, l.Append([]format.Entry{w.empty(1)}), l.Sync(), l.SetVote(1, 1)} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

// TestFailedSyncIsNotTrusted ends a process because a sync failed and starts the
// next one on the same kernel, which still shows what the disk lost. What the
// second one calls durable has to be.
func TestFailedSyncIsNotTrusted(t *testing.T) {
	o := testOptions()
	for seed := range uint64(60) {
		if o.Ahead = -1; seed%6 == 3 {
			o.Ahead = 4 << 10 // so that the chunk's end cuts the file; zeroing syncs too, which the others go without
		}
		d := crash.New()
		l := mustOpen(t, d, o)
		w := &writer{}
		must(t, l.Append([]format.Entry{w.block(1, 100, false), w.block(1, 300, false)}))
		must(t, l.Sync())
		if seed%2 == 0 {
			must(t, l.Append([]format.Entry{w.block(1, 2000, true), w.block(1, 2000, false)}))
		}
		d.FailNextSync(seed + 1)
		err := l.Append([]format.Entry{w.block(1, 200, seed%3 == 0)})
		if err == nil {
			err = l.Sync()
		}
		if !errors.Is(err, ErrWrite) {
			t.Fatal(err)
		}
		d = d.Restart()
		l = mustOpen(t, d, o)
		last := l.Head().Synced
		if seed%3 == 0 { // the chunk ended; the next one makes its size matter
			e := (&writer{end: l.end}).empty(2)
			must(t, l.Append([]format.Entry{e}))
			must(t, l.Sync())
			last++
		}
		l = mustOpen(t, d.Crash(seed), o)
		if l.Head().LastIndex < last {
			t.Fatalf("seed %d: entry %d was called durable, the ledger ends at %d", seed, last, l.Head().LastIndex)
		}
		must(t, l.Close())
	}
}
