package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// prefixes are the prefix hashes before each entry and behind the last.
func prefixes(all []format.Entry) []format.Hash {
	p := make([]format.Hash, len(all)+1)
	for i := range all {
		p[i+1] = format.NextPrefix(p[i], &all[i])
	}
	return p
}

// give copies a donor's chunk to where a joiner's log looks for it.
func give(donor, to disk.FS, first uint64) error {
	data, err := disk.ReadFile(donor, newChunk(testDir, first).name, 1<<20)
	if err != nil {
		return err
	}
	return disk.WriteFile(to, newChunk(testDir, first).name, data)
}

// sameFiles holds the joiner's chunks to the donor's, the zeros behind the last
// frame of the open one aside.
func sameFiles(donor, joiner disk.FS, first uint64) error {
	theirs, err := listChunks(donor, testDir)
	if err != nil {
		return err
	}
	for _, c := range theirs {
		if c.first < first {
			continue
		}
		want, err := disk.ReadFile(donor, c.name, 1<<20)
		if err != nil {
			return err
		}
		got, err := disk.ReadFile(joiner, c.name, 1<<20)
		if err != nil {
			return err
		}
		if c == theirs[len(theirs)-1] {
			want, got = bytes.TrimRight(want, "\x00"), bytes.TrimRight(got, "\x00")
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s differs", c.base())
		}
	}
	return nil
}

// edges checks what a log tells of the part that it has and of the one before.
func edges(l *Log, all []format.Entry) error {
	first, before := l.First(), prefixes(all)
	for i := range all {
		index := all[i].Index
		e, err := l.Entry(index)
		term, terr := l.Term(index)
		p, perr := l.Prefix(index)
		switch {
		case index < first:
			if !errors.Is(err, ErrAbsent) || !errors.Is(terr, ErrAbsent) {
				return fmt.Errorf("entry %d of a log that begins at %d: %v, %v", index, first, err, terr)
			}
			if index == first-1 && (perr != nil || p != before[index]) || index < first-1 && !errors.Is(perr, ErrAbsent) {
				return fmt.Errorf("prefix of %d of a log that begins at %d: %v", index, first, perr)
			}
		case err != nil || terr != nil || perr != nil:
			return errors.Join(err, terr, perr)
		case sameEntry(e, &all[i]) != nil || term != all[i].Term || p != before[index]:
			return fmt.Errorf("entry %d is not what was written", index)
		}
		if all[i].Kind != format.EntryBlock {
			continue
		}
		h, err := format.PeekHeader(all[i].Body)
		if err != nil {
			return err
		}
		if at, ok := l.IndexOf(h.Height); ok != (index >= first) || ok && at != index {
			return fmt.Errorf("block %d at %d, %v", h.Height, at, ok)
		}
	}
	if head := l.Head(); head.LastIndex != uint64(len(all)) || head.Prefix != before[len(all)] || head.LastTerm != all[len(all)-1].Term {
		return fmt.Errorf("%+v", head)
	}
	return nil
}

// TestBeginInTheMiddle begins a log at every chunk, the open one included, and
// fetches the older ones one by one, newest first.
func TestBeginInTheMiddle(t *testing.T) {
	donor := crash.New()
	all := threeChunks(t, donor, 0)
	before := prefixes(all)
	for _, first := range []uint64{5, 9, 13} {
		d := crash.New()
		l := mustOpen(t, d, testOptions())
		must(t, l.Begin(first, before[first-1]))
		if h := l.Head(); h.LastIndex != first-1 || h.Prefix != before[first-1] || h.HasBlock || l.First() != first {
			t.Fatalf("%+v", h)
		}
		if _, ok := l.FirstHeight(); ok {
			t.Fatal("a height without a block")
		}
		must(t, l.Close())
		l = mustOpen(t, d, testOptions())
		must(t, l.Append(all[first-1:first])) // an empty entry: still no block
		must(t, l.Sync())
		must(t, l.Close())
		l = mustOpen(t, d, testOptions())
		if h := l.Head(); h.LastIndex != first || h.HasBlock {
			t.Fatalf("%+v", h)
		}
		must(t, l.Append(all[first:]))
		must(t, edges(l, all))
		for next := first - 4; ; next -= 4 {
			if _, err := l.VerifyOlder(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			must(t, l.Close())
			o := testOptions()
			o.VerifyFrom = next
			l = mustOpen(t, d, o)
			must(t, edges(l, all))
			want, err := format.PeekHeader(all[next+4].Body)
			must(t, err)
			if h, ok := l.FirstHeight(); !ok || h != want.Height {
				t.Fatalf("the log begins with block %d, want %d", h, want.Height)
			}
			if int64(next) < 0 {
				break
			}
			must(t, give(donor, d, next))
			must(t, l.Adopt(t.Context(), next))
			if l.First() != next {
				t.Fatal(l.First())
			}
			must(t, edges(l, all))
		}
		must(t, sameFiles(donor, d, 1))
	}
}

// TestBeginRefuses: a log with entries stays where it is, and one that begins
// later takes only what it follows.
func TestBeginRefuses(t *testing.T) {
	donor := crash.New()
	all := threeChunks(t, donor, 0)
	before := prefixes(all)
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrOrder) {
			t.Fatal(err)
		}
	}
	refused(l.Begin(0, format.Hash{}))
	refused(l.Begin(1, format.Hash{1}))
	must(t, l.Begin(9, before[8]))
	must(t, l.Begin(5, before[4])) // another snapshot was chosen
	refused(l.Append(all[8:]))
	refused(l.Append(all[3:]))
	must(t, l.Append(all[4:]))
	refused(l.Begin(9, before[8]))
	refused(l.Cut(3))
	must(t, l.Cut(4))
	must(t, l.Begin(1, format.Hash{}))
	must(t, l.Append(all))
	must(t, l.Close())
	must(t, sameFiles(donor, d, 1))
	for index := len(all); index >= 0; index-- {
		l = mustOpen(t, d, testOptions())
		must(t, l.Cut(uint64(index)))
		must(t, nothingBehind(d, l))
		must(t, l.Close())
		l = mustOpen(t, d, testOptions())
		if h := l.Head(); h.LastIndex != uint64(index) || h.Prefix != before[index] || h.Torn {
			t.Fatalf("cut to %d: %+v", index, h)
		}
		must(t, l.Close())
	}
}

// A log that begins in the middle and loses its first chunk or its vote file is
// damaged, not younger than it was; nothing is removed.
func TestBeginningGone(t *testing.T) {
	for _, name := range []string{newChunk(testDir, 5).name, "node/raft/vote"} {
		donor := crash.New()
		all := threeChunks(t, donor, 0)
		d := crash.New()
		l := mustOpen(t, d, testOptions())
		must(t, l.Begin(5, prefixes(all)[4]))
		must(t, l.Append(all[4:]))
		must(t, l.Close())
		must(t, d.Remove(name))
		ops := d.Ops()
		_, err := Open(d, testDir, testOptions())
		isDamage(t, err, ErrCorrupt)
		if d.Ops() != ops {
			t.Fatal("a refused log was written to")
		}
	}
}

// TestAdoptRefusesWhatIsNotTheLedgers tries every flipped bit, cut and foreign
// file: none is adopted, and the log goes on as it was.
func TestAdoptRefusesWhatIsNotTheLedgers(t *testing.T) {
	donor, other := crash.New(), crash.New()
	all := threeChunks(t, donor, 0)
	threeChunks(t, other, 1000)
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	must(t, l.Begin(9, prefixes(all)[8]))
	must(t, l.Append(all[8:]))
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: %v", what, err)
		}
		if l.First() != 9 {
			t.Fatalf("%s: adopted", what)
		}
	}
	refused("no file", l.Adopt(t.Context(), 5))
	name := newChunk(testDir, 5).name
	good, err := disk.ReadFile(donor, name, 1<<20)
	must(t, err)
	put := func(data []byte) { must(t, disk.WriteFile(d, name, data)) }
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		put(bad)
		refused(fmt.Sprintf("flipped at %d", at), l.Adopt(t.Context(), 5))
	}
	for size := 0; size < len(good); size += format.FrameAlign {
		put(good[:size])
		refused(fmt.Sprintf("cut to %d", size), l.Adopt(t.Context(), 5))
	}
	put(append(bytes.Clone(good), make([]byte, format.FrameAlign)...))
	refused("longer", l.Adopt(t.Context(), 5))
	must(t, give(other, d, 5))
	refused("foreign", l.Adopt(t.Context(), 5))
	must(t, give(donor, d, 1))
	refused("not the next", l.Adopt(t.Context(), 1))
	for _, first := range []uint64{0, 9, 13} {
		if err := l.Adopt(t.Context(), first); !errors.Is(err, ErrOrder) {
			t.Fatal(err)
		}
	}
	put(good)
	must(t, l.Adopt(t.Context(), 5))
	must(t, l.Adopt(t.Context(), 1))
	must(t, edges(l, all))
	must(t, l.Close())
	must(t, sameFiles(donor, d, 1))
}

// TestCrashWhileJoining cuts the power at every operation of a joining log: what
// is there afterwards is a log of the donor's entries, and the join goes on to
// the same files.
func TestCrashWhileJoining(t *testing.T) {
	donor := crash.New()
	all := threeChunks(t, donor, 0)
	before := prefixes(all)
	join := func(d disk.FS) error {
		l, err := Open(d, testDir, testOptions())
		if err != nil {
			return err
		}
		if l.First() == 1 && l.Head().LastIndex == 0 {
			if err := l.Begin(9, before[8]); err != nil {
				return err
			}
		}
		if err := edges(l, all[:l.Head().LastIndex]); l.Head().LastIndex >= l.First() && err != nil {
			return err
		}
		if err := l.Cut(max(10, l.First()) - 1); err != nil {
			return err
		}
		if err := l.Append(all[l.Head().LastIndex:]); err != nil {
			return err
		}
		for l.First() > 1 {
			first := l.First() - 4
			if err := give(donor, d, first); err != nil {
				return err
			}
			if err := l.Adopt(t.Context(), first); err != nil {
				return err
			}
		}
		if term, _ := l.Vote(); term < 7 {
			if err := l.SetVote(7, 3); err != nil {
				return err
			}
			if err := l.ResetVote(8); err != nil {
				return err
			}
		}
		if err := l.Sync(); err != nil {
			return err
		}
		return edges(l, all)
	}
	cuts := 0
	for cut, over := 1, false; !over; cut++ {
		d := crash.New()
		d.Cut(cut)
		err := join(d)
		if over = err == nil; err != nil && !errors.Is(err, crash.ErrCut) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		cuts++
		for seed := range uint64(8) {
			after := d.Crash(seed)
			if err := join(after); err != nil {
				t.Fatalf("cut %d seed %d: %v", cut, seed, err)
			}
			if err := sameFiles(donor, after, 1); err != nil {
				t.Fatalf("cut %d seed %d: %v", cut, seed, err)
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// TestAdoptBesideReadersAndAppender adopts chunks while a log is read and grows.
func TestAdoptBesideReadersAndAppender(t *testing.T) {
	donor, d := crash.New(), disk.OS(t.TempDir())
	l := mustOpen(t, donor, testOptions())
	w := &writer{}
	var all []format.Entry
	var firsts []uint64
	for i := range uint64(40) {
		firsts = append(firsts, w.end.index+1)
		all = append(all, w.empty(i+1), w.block(i+1, 3000, false), w.block(i+1, 10, true))
	}
	must(t, l.Append(all))
	must(t, l.Close())
	joiner := mustOpen(t, d, Options{Ahead: 64 << 10, OpenChunks: 2, Now: time.Now})
	must(t, joiner.Begin(firsts[30], prefixes(all)[firsts[30]-1]))
	must(t, joiner.Append(all[firsts[30]-1:firsts[32]-1]))
	var work sync.WaitGroup
	failed := make(chan error, 3)
	check := func(err error) {
		if err != nil {
			failed <- err
		}
	}
	done := make(chan struct{})
	work.Go(func() {
		defer close(done)
		for i := 29; i >= 0; i-- {
			err := give(donor, d, firsts[i])
			if err == nil {
				err = joiner.Adopt(t.Context(), firsts[i])
			}
			if err != nil {
				check(err)
				return
			}
		}
	})
	work.Go(func() {
		for i := firsts[32] - 1; i < uint64(len(all)); i++ {
			if err := joiner.Append(all[i : i+1]); err != nil {
				check(err)
				return
			}
		}
	})
	work.Go(func() {
		for {
			first := joiner.First()
			e, err := joiner.Entry(first)
			if err == nil {
				err = sameEntry(e, &all[first-1])
			}
			if _, err := joiner.Entry(first - 1); first > 1 && err != nil && !errors.Is(err, ErrAbsent) {
				check(err)
				return
			}
			if err != nil {
				check(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	work.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	must(t, edges(joiner, all))
	must(t, joiner.Close())
	must(t, sameFiles(donor, d, 1))
}

func TestResetVote(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(1, 10, false), w.empty(4)}))
	must(t, l.SetVote(5, 2))
	for _, term := range []uint64{3, 4} {
		if err := l.ResetVote(term); !errors.Is(err, ErrOrder) {
			t.Fatal(err)
		}
	}
	must(t, l.ResetVote(5))
	for range 2 { // with either slot gone it stays reset
		l = mustOpen(t, d.Crash(1), testOptions())
		if term, vote := l.Vote(); term != 5 || vote != 0 {
			t.Fatal(term, vote)
		}
		f, err := d.Open("node/raft/vote")
		must(t, err)
		_, err = f.WriteAt([]byte{1}, int64(l.vote.current().sequence%2)*slotSize+20)
		must(t, err)
	}
	must(t, l.SetVote(5, 1))
}
