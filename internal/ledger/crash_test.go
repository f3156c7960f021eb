package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// witness remembers what a log was given and what it acknowledged.
type witness struct {
	*writer
	term    uint64
	written map[uint64][]format.Entry // every entry ever given, by index
	acked   []format.Entry            // what must be there after a crash
	current []format.Entry            // what the log should hold
	ends    []chain
	atMost  int // entries that can be there, after a cut with nothing behind it

	vote, asked [2]uint64 // acknowledged, and being asked for
}

func newWitness() *witness {
	return &witness{writer: &writer{}, term: 1, written: map[uint64][]format.Entry{}, ends: []chain{{}}}
}

// append gives the log n entries from index from on, made by next.
func (w *witness) append(l *Log, from uint64, n int, next func() format.Entry) error {
	w.end = w.ends[from-1]
	w.current, w.ends = w.current[:from-1:from-1], w.ends[:from:from]
	if uint64(len(w.acked)) >= from {
		w.acked = w.acked[:from-1] // from now on it may be gone
	}
	for range n {
		e := next()
		w.current, w.ends = append(w.current, e), append(w.ends, w.end)
		w.written[e.Index] = append(w.written[e.Index], e)
	}
	w.atMost = len(w.current)
	return l.Append(w.current[from-1:])
}

// cut drops what lies behind an entry, for good once it is done.
func (w *witness) cut(l *Log, last int) error {
	w.end = w.ends[last]
	w.current, w.ends = w.current[:last:last], w.ends[:last+1:last+1]
	w.acked = w.acked[:min(len(w.acked), last)]
	err := l.Cut(uint64(last))
	if err == nil {
		w.atMost = last
	}
	return err
}

func (w *witness) sync(l *Log) error {
	err := l.Sync()
	if err == nil {
		w.acked = w.current
		w.committed = max(w.ends[len(w.acked)].blocks, 1) - 1
	}
	return err
}

// floor is the index of the last entry that some block named as committed.
func (w *witness) floor() int {
	return slices.IndexFunc(w.ends, func(end chain) bool { return end.blocks >= w.named })
}

func (w *witness) setVote(l *Log, term, vote uint64) error {
	w.asked = [2]uint64{term, vote}
	err := l.SetVote(term, vote)
	if err == nil {
		w.vote = w.asked
	}
	return err
}

// workload does everything that a log does, until the disk ends it.
func (w *witness) workload(l *Log, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 1))
	entry := func() format.Entry {
		switch random.IntN(8) {
		case 0:
			return w.empty(w.term)
		case 1:
			return w.config(w.term)
		case 2:
			return w.block(w.term, random.IntN(200), true)
		}
		return w.block(w.term, random.IntN(1800), false)
	}
	// A follower gets blocks that name the one before as committed.
	follow := func() format.Entry {
		w.committed = w.end.blocks
		return w.block(w.term, random.IntN(900), false)
	}
	for range 14 {
		var err error
		next := uint64(len(w.current)) + 1
		switch random.IntN(7) {
		case 0, 1:
			err = w.append(l, next, 1+random.IntN(4), entry)
		case 2:
			err = w.append(l, next, 3, follow)
		case 3: // Raft never overwrites what is committed
			floor := w.floor()
			if w.term++; len(w.current) > floor {
				err = w.append(l, uint64(floor+1+random.IntN(len(w.current)-floor)), 1+random.IntN(3), entry)
			}
		case 4:
			w.term++
			err = w.setVote(l, w.term, uint64(random.IntN(3)))
		case 5:
			err = w.sync(l)
		case 6:
			floor := w.floor()
			err = w.cut(l, floor+random.IntN(len(w.current)-floor+1))
		}
		if err != nil {
			return err
		}
	}
	return w.sync(l)
}

// check holds a log that was opened after a crash to what was acknowledged.
func (w *witness) check(d disk.FS, l *Log) error {
	last := l.Head().LastIndex
	if last < uint64(len(w.acked)) {
		return fmt.Errorf("%d entries were acknowledged, %d are there", len(w.acked), last)
	}
	if last > uint64(w.atMost) {
		return fmt.Errorf("%d entries are there, the log was cut to %d", last, w.atMost)
	}
	var c chain
	for index := uint64(1); index <= last; index++ {
		e, err := l.Entry(index)
		if err != nil {
			return err
		}
		s, err := c.next(e)
		if err != nil {
			return fmt.Errorf("the chain breaks: %w", err)
		}
		c = s.after
		if index <= uint64(len(w.acked)) {
			if err := sameEntry(e, &w.acked[index-1]); err != nil {
				return err
			}
		}
		known := false
		for i := range w.written[index] {
			known = known || sameEntry(e, &w.written[index][i]) == nil
		}
		if !known {
			return fmt.Errorf("entry %d was never written", index)
		}
	}
	if c.position != l.end.position {
		return errors.New("the head is not the chain's end")
	}
	term, vote := l.Vote()
	if got := [2]uint64{term, vote}; got != w.vote && got != w.asked {
		return fmt.Errorf("vote %v, acknowledged %v, asked for %v", got, w.vote, w.asked)
	}
	return nothingBehind(d, l)
}

// nothingBehind checks on the disk that the log's end is followed by zeros and
// by no other chunk.
func nothingBehind(d disk.FS, l *Log) error {
	chunks, err := listChunks(d, testDir)
	if err != nil {
		return err
	}
	last := chunks[len(chunks)-1]
	if last.first != l.open.first || len(chunks) != len(l.chunks) {
		return fmt.Errorf("%s lies behind the log's end", last.base())
	}
	data, err := disk.ReadFile(d, path.Join(testDir, last.base()), 1<<30)
	if err != nil {
		return err
	}
	if !zero(data[l.open.end:]) {
		return fmt.Errorf("old bytes lie behind the log's end in %s", last.base())
	}
	return nil
}

// TestCrash cuts the power at every operation of several workloads, and looks at
// several outcomes of each: what was acknowledged is there, nothing is invented,
// nothing old lies behind the end, and the log goes on from there.
func TestCrash(t *testing.T) {
	cuts, outcomes := 0, 0
	for workload := range uint64(6) {
		for cut, over := 1, false; !over; cut++ {
			d := crash.New()
			w := newWitness()
			d.Cut(cut)
			l, err := Open(d, testDir, testOptions())
			if err == nil {
				err = w.workload(l, workload)
			}
			over = err == nil
			if err != nil && !errors.Is(err, crash.ErrCut) {
				t.Fatalf("workload %d cut %d: %v", workload, cut, err)
			}
			cuts++
			for seed := range uint64(6) {
				outcomes++
				if err := w.after(d.Crash(seed), seed); err != nil {
					t.Fatalf("workload %d cut %d seed %d: %v", workload, cut, seed, err)
				}
			}
			if err := w.killed(d, uint64(cut)); err != nil {
				t.Fatalf("workload %d cut %d killed: %v", workload, cut, err)
			}
		}
	}
	t.Logf("%d cuts, %d outcomes", cuts, outcomes)
}

// after opens the disk after a crash, checks, goes on, crashes again.
func (w *witness) after(d *crash.Disk, seed uint64) error {
	l, err := Open(d, testDir, testOptions())
	if err != nil {
		return err
	}
	if err := w.check(d, l); err != nil {
		return err
	}
	// What was adopted is durable at once.
	head := l.Head()
	if again, err := Open(d.Crash(seed), testDir, testOptions()); err != nil {
		return err
	} else if h := again.Head(); h.LastIndex != head.LastIndex || h.Prefix != head.Prefix || h.Torn {
		return fmt.Errorf("adopted %d entries, a second crash leaves %d", head.LastIndex, h.LastIndex)
	}
	next := writer{end: l.end, salt: 1 << 40}
	term := max(l.end.term, w.term) + 2
	batch := []format.Entry{next.empty(term), next.block(term, 700, seed%2 == 0), next.block(term, 700, false)}
	if err := l.Append(batch); err != nil {
		return err
	}
	if err := l.Sync(); err != nil {
		return err
	}
	l, err = Open(d.Crash(seed+100), testDir, testOptions())
	if err != nil {
		return fmt.Errorf("after going on: %w", err)
	}
	if h := l.Head(); h.Prefix != next.end.prefix {
		return fmt.Errorf("after going on: %d entries, want %d", h.LastIndex, next.end.index)
	}
	return nil
}

// killed ends only the process: everything written is there, and what the next
// process adopts must survive a power loss right after.
func (w *witness) killed(d *crash.Disk, seed uint64) error {
	d = d.Restart()
	l, err := Open(d, testDir, testOptions())
	if err != nil {
		return err
	}
	if err := w.check(d, l); err != nil {
		return err
	}
	again, err := Open(d.Crash(seed), testDir, testOptions())
	if err != nil {
		return err
	}
	if again.Head().Prefix != l.Head().Prefix {
		return errors.New("what was adopted was not made durable")
	}
	return nil
}

// TestTornTailDoesNotComeBack loses the first of three unsynced entries and
// writes it again: the two that lay behind it must stay gone, although they
// would continue it.
func TestTornTailDoesNotComeBack(t *testing.T) {
	d := crash.New()
	o := testOptions()
	l := mustOpen(t, d, o)
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(1, 100, false)}))
	must(t, l.Sync())
	lost := w.block(1, 100, false)
	must(t, l.Append([]format.Entry{lost, w.block(1, 100, false), w.block(1, 100, false)}))
	name := l.chunks[0].name
	from, _ := l.open.span(2)
	must(t, l.Close())
	file, err := d.Open(name)
	must(t, err)
	_, err = file.WriteAt(make([]byte, format.FrameAlign), from)
	must(t, err)
	forgetSynced(t, d)

	l = mustOpen(t, d, o)
	if h := l.Head(); h.LastIndex != 1 || !h.Torn {
		t.Fatalf("%+v", h)
	}
	must(t, l.Append([]format.Entry{lost}))
	must(t, l.Close())
	l = mustOpen(t, d, o)
	if h := l.Head(); h.LastIndex != 2 || h.Torn {
		t.Fatalf("an entry came back: %+v", h)
	}
}

// forgetSynced takes the vote file's note of what is synced back to nothing.
func forgetSynced(t *testing.T, d disk.FS) {
	t.Helper()
	b, ok, err := readVote(d, "node/raft/vote")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	v, err := openVote(d, "node/raft/vote", b, testOptions().Now)
	must(t, err)
	must(t, v.lower(position{}))
	must(t, v.close())
}

// TestOverwriteZeroesFirst cuts the power when the first new frame of an
// overwrite is about to be written: nothing of the old frames may be left by
// then, in this chunk and in later ones.
func TestOverwriteZeroesFirst(t *testing.T) {
	overwrite := func(cut int) (d *crash.Disk, from int64, ops int, err error) {
		d = crash.New()
		o := testOptions()
		o.Ahead = -1
		l := mustOpen(t, d, o)
		w := &writer{}
		must(t, l.Append([]format.Entry{w.block(1, 100, false)}))
		at := *w
		must(t, l.Append([]format.Entry{w.block(1, 2000, false), w.block(1, 2000, true), w.block(1, 100, true), w.block(1, 100, false)}))
		must(t, l.Sync())
		if cut > 0 {
			d.Cut(cut)
		}
		before := d.Ops()
		err = l.Append([]format.Entry{at.empty(2)})
		return d, format.FrameSize(len(w.block(1, 100, false).Body)), d.Ops() - before, err
	}
	_, _, ops, err := overwrite(0)
	must(t, err)
	d, from, _, err := overwrite(ops) // the last operation writes the frame
	if !errors.Is(err, crash.ErrCut) {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		after := d.Crash(seed)
		chunks, err := listChunks(after, testDir)
		must(t, err)
		data, err := disk.ReadFile(after, chunks[0].name, 1<<20)
		must(t, err)
		if len(chunks) != 1 || len(data) < 2000 || !zero(data[from:]) {
			t.Fatalf("seed %d: the old frames are not gone when the first new one is written", seed)
		}
	}
}
