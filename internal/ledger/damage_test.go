package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// threeChunks makes a log of three closed chunks and an open one, stopped in
// order, and gives its entries.
func threeChunks(t testing.TB, d disk.FS, salt uint64) []format.Entry {
	t.Helper()
	l := mustOpen(t, d, testOptions())
	w := &writer{salt: salt}
	var all []format.Entry
	for i := range 4 {
		all = append(all, w.empty(uint64(i+1)), w.block(uint64(i+1), 600, false), w.config(uint64(i+1)))
		if i < 3 {
			all = append(all, w.block(uint64(i+1), 100, true))
		}
	}
	must(t, l.Append(all))
	must(t, l.Close())
	return all
}

// places lists where each entry's frame lies.
func places(t testing.TB, d disk.FS, all []format.Entry) map[uint64]Damage {
	t.Helper()
	at := map[uint64]Damage{}
	chunks, err := listChunks(d, testDir)
	must(t, err)
	for i := range all {
		if len(chunks) > 1 && chunks[1].first == all[i].Index {
			chunks = chunks[1:]
		}
		p := at[all[i].Index-1]
		p.Offset += p.lastSize()
		if p.Chunk != chunks[0].base() {
			p.Offset = 0
		}
		at[all[i].Index] = Damage{Chunk: chunks[0].base(), Offset: p.Offset, First: all[i].Index, Last: uint64(format.FrameSize(len(all[i].Body)))}
	}
	return at
}

func (d Damage) lastSize() int64 { return int64(d.Last) }

func flip(t testing.TB, d disk.FS, name string, offset int64, bit byte) {
	t.Helper()
	f, err := d.Open(path.Join(testDir, name))
	must(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	must(t, err)
	b[0] ^= bit
	_, err = f.WriteAt(b, offset)
	must(t, err)
}

// TestEveryFlippedBitIsNamed flips a bit in every byte of every frame, padding
// included: the log is refused with the very place, and nothing is changed.
func TestEveryFlippedBitIsNamed(t *testing.T) {
	d := crash.New()
	all := threeChunks(t, d, 0)
	flips := 0
	for index, p := range places(t, d, all) {
		for at := p.Offset; at < p.Offset+p.lastSize(); at++ {
			bit := byte(1) << (at % 8)
			flip(t, d, p.Chunk, at, bit)
			ops := d.Ops()
			_, err := Open(d, testDir, testOptions())
			got := isDamage(t, err, ErrCorrupt)
			if got.Chunk != p.Chunk || got.First != index || got.Offset != p.Offset {
				t.Fatalf("flipped %s at %d in entry %d, named %v", p.Chunk, at, index, got)
			}
			if d.Ops() != ops {
				t.Fatal("a refused log was written to")
			}
			flip(t, d, p.Chunk, at, bit)
			flips++
		}
	}
	mustOpen(t, d, testOptions())
	t.Logf("%d flips", flips)
}

// TestFilesGoneOrForeign damages whole files.
func TestFilesGoneOrForeign(t *testing.T) {
	chunk := func(first uint64) string { return newChunk(testDir, first).name }
	remove := func(name string) func(*testing.T, *crash.Disk) {
		return func(t *testing.T, d *crash.Disk) { must(t, d.Remove(name)) }
	}
	for name, c := range map[string]struct {
		do    func(*testing.T, *crash.Disk)
		first uint64
	}{
		"first chunk":  {remove(chunk(1)), 1},
		"second chunk": {remove(chunk(5)), 5},
		"open chunk":   {remove(chunk(13)), 13},
		"vote file":    {remove("node/raft/vote"), 0},
		"both slots": {func(t *testing.T, d *crash.Disk) {
			f, err := d.Open("node/raft/vote")
			must(t, err)
			_, err = f.WriteAt(make([]byte, 1024), 0)
			must(t, err)
		}, 0},
		"cut short": {func(t *testing.T, d *crash.Disk) {
			f, err := d.Open(chunk(5))
			must(t, err)
			must(t, f.Truncate(512))
		}, 6},
		"not cut": {func(t *testing.T, d *crash.Disk) {
			f, err := d.Open(chunk(5))
			must(t, err)
			size, err := f.Size()
			must(t, err)
			must(t, f.Truncate(size+512))
		}, 9},
		"swapped": {func(t *testing.T, d *crash.Disk) {
			must(t, d.Rename(chunk(5), chunk(99)))
			must(t, d.Rename(chunk(9), chunk(5)))
			must(t, d.Rename(chunk(99), chunk(9)))
		}, 5},
		"foreign": {func(t *testing.T, d *crash.Disk) {
			other := crash.New()
			threeChunks(t, other, 1000)
			data, err := disk.ReadFile(other, chunk(13), 1<<20)
			must(t, err)
			must(t, disk.WriteFile(d, chunk(13), data))
		}, 13},
	} {
		t.Run(name, func(t *testing.T) {
			d := crash.New()
			threeChunks(t, d, 0)
			c.do(t, d)
			_, err := Open(d, testDir, testOptions())
			if got := isDamage(t, err, ErrCorrupt); got.First != c.first {
				t.Fatalf("%v", got)
			}
		})
	}
}

// A whole other log under this one's vote file is not the log that was synced.
func TestForeignLogIsRefused(t *testing.T) {
	d, other := crash.New(), crash.New()
	threeChunks(t, d, 0)
	threeChunks(t, other, 1000)
	chunks, err := listChunks(other, testDir)
	must(t, err)
	for _, c := range chunks {
		data, err := disk.ReadFile(other, c.name, 1<<20)
		must(t, err)
		must(t, disk.WriteFile(d, c.name, data))
	}
	_, err = Open(d, testDir, testOptions())
	isDamage(t, err, ErrCorrupt)
}

// Damage behind what is synced ends the log, unless a later block says that
// what is gone was committed.
func TestDamageBehindSynced(t *testing.T) {
	for _, committed := range []bool{false, true} {
		d := crash.New()
		l := mustOpen(t, d, testOptions())
		w := &writer{}
		must(t, l.Append([]format.Entry{w.block(1, 10, false)}))
		must(t, l.Append([]format.Entry{w.block(1, 10, false)}))
		from := l.open.end - 512
		if committed {
			w.committed = 1
		}
		must(t, l.Append([]format.Entry{w.block(1, 10, false)}))
		must(t, l.Close())
		forgetSynced(t, d)
		flip(t, d, newChunk("", 1).base(), from+100, 4)
		l, err := Open(d, testDir, testOptions())
		if committed {
			if got := isDamage(t, err, ErrCorrupt); got.First != 2 || !strings.Contains(got.Reason, "names block 1 as committed") {
				t.Fatal(got)
			}
			continue
		}
		must(t, err)
		if h := l.Head(); h.LastIndex != 1 || !h.Torn {
			t.Fatalf("%+v", h)
		}
		must(t, nothingBehind(d, l))
	}
}

// An intact frame of another history at the very place where the next entry is
// due is not what a crash leaves.
func TestForeignFrameBehindTheEnd(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(1, 10, false)}))
	name, at := l.chunks[0].name, l.open.end
	must(t, l.Close())
	other := &writer{salt: 1000}
	other.block(1, 10, false)
	before := other.end.prefix
	foreign := other.empty(1)
	f, err := d.Open(name)
	must(t, err)
	_, err = f.WriteAt(format.AppendFrame(nil, before, &foreign), at)
	must(t, err)
	_, err = Open(d, testDir, testOptions())
	if got := isDamage(t, err, ErrCorrupt); got.First != 2 || got.Offset != at {
		t.Fatal(got)
	}
}

func TestOneSlotIsEnough(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	must(t, l.SetVote(3, 1))
	must(t, l.SetVote(4, 2))
	newest := l.vote.current().sequence
	must(t, l.Close())
	f, err := d.Open("node/raft/vote")
	must(t, err)
	_, err = f.WriteAt([]byte{1}, int64(newest%2)*slotSize+20)
	must(t, err)
	l = mustOpen(t, d, testOptions())
	if term, vote := l.Vote(); term != 3 || vote != 1 {
		t.Fatal(term, vote)
	}
}

// TestVerifyOlder opens from the newest chunks only; older damage is named by
// VerifyOlder, and only that range is refused.
func TestVerifyOlder(t *testing.T) {
	open := func(t *testing.T, d disk.FS) *Log {
		o := testOptions()
		o.VerifyFrom = 13
		return mustOpen(t, d, o)
	}
	t.Run("intact", func(t *testing.T) {
		d := crash.New()
		all := threeChunks(t, d, 0)
		l := open(t, d)
		var progress []int
		found, err := l.VerifyOlder(t.Context(), func(done, total int) { progress = append(progress, done, total) })
		must(t, err)
		if len(found) != 0 || len(progress) != 4 || progress[2] != 2 || progress[3] != 2 {
			t.Fatal(found, progress)
		}
		served(t, l, all, 0, 0)
	})
	t.Run("flipped", func(t *testing.T) {
		d := crash.New()
		all := threeChunks(t, d, 0)
		random := rand.New(rand.NewPCG(1, 1))
		for index, p := range places(t, d, all) {
			if index > 8 {
				continue
			}
			at := p.Offset + random.Int64N(p.lastSize())
			flip(t, d, p.Chunk, at, 1)
			l := open(t, d)
			found, err := l.VerifyOlder(t.Context(), nil)
			must(t, err)
			last := (index-1)/4*4 + 4 // of its chunk
			if len(found) != 1 || found[0].Chunk != p.Chunk || found[0].First > index || found[0].Last != last {
				t.Fatalf("flipped entry %d, found %v", index, found)
			}
			served(t, l, all, found[0].First, last)
			must(t, l.Close())
			flip(t, d, p.Chunk, at, 1)
		}
	})
	t.Run("missing", func(t *testing.T) {
		for _, first := range []uint64{1, 5} {
			d := crash.New()
			all := threeChunks(t, d, 0)
			must(t, d.Remove(newChunk(testDir, first).name))
			l := open(t, d)
			found, err := l.VerifyOlder(t.Context(), nil)
			must(t, err)
			if len(found) != 1 || found[0].First != first || found[0].Last != first+3 {
				t.Fatal(found)
			}
			served(t, l, all, first, first+3)
		}
	})
	t.Run("foreign", func(t *testing.T) {
		d, other := crash.New(), crash.New()
		all := threeChunks(t, d, 0)
		threeChunks(t, other, 1000)
		data, err := disk.ReadFile(other, newChunk(testDir, 5).name, 1<<20)
		must(t, err)
		must(t, disk.WriteFile(d, newChunk(testDir, 5).name, data))
		l := open(t, d)
		found, err := l.VerifyOlder(t.Context(), nil)
		must(t, err)
		if len(found) == 0 || found[0].First != 5 || found[0].Last != 8 {
			t.Fatal(found)
		}
		_, err = l.Entry(6)
		isDamage(t, err, ErrDamaged)
		must(t, sameEntry(mustEntry(t, l, 9), &all[8]))
	})
	t.Run("cancelled", func(t *testing.T) {
		d := crash.New()
		threeChunks(t, d, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t, d).VerifyOlder(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

func mustEntry(t *testing.T, l *Log, index uint64) *format.Entry {
	t.Helper()
	e, err := l.Entry(index)
	must(t, err)
	return e
}

// served checks that all entries but the damaged range are served.
func served(t *testing.T, l *Log, all []format.Entry, first, last uint64) {
	t.Helper()
	for i := range all {
		e, err := l.Entry(all[i].Index)
		if all[i].Index >= first && all[i].Index <= last {
			isDamage(t, err, ErrDamaged)
			continue
		}
		must(t, err)
		must(t, sameEntry(e, &all[i]))
	}
}

// Damage that happens while the log is open is named when it is read.
func TestDamageUnderARunningNode(t *testing.T) {
	d := crash.New()
	all := threeChunks(t, d, 0)
	l := mustOpen(t, d, testOptions())
	for index, p := range places(t, d, all) {
		flip(t, d, p.Chunk, p.Offset+70%p.lastSize(), 1)
		flip(t, d, p.Chunk, p.Offset+2, 1)
		_, err := l.Entry(index)
		if got := isDamage(t, err, ErrDamaged); got.First > index || got.Chunk != p.Chunk {
			t.Fatal(got)
		}
		flip(t, d, p.Chunk, p.Offset+70%p.lastSize(), 1)
		flip(t, d, p.Chunk, p.Offset+2, 1)
	}
}
