package ledger

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"testing"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// The blocks beside a chunk that is gone are found.
func TestIndexOfBesideAGap(t *testing.T) {
	for _, gone := range []uint64{1, 5} {
		d := crash.New()
		all := threeChunks(t, d, 0)
		o := testOptions()
		o.VerifyFrom = 13
		must(t, d.Remove(newChunk(testDir, gone).name))
		l := mustOpen(t, d, o)
		for i := range all {
			if all[i].Kind != format.EntryBlock {
				continue
			}
			h, err := format.PeekHeader(all[i].Body)
			must(t, err)
			inside := all[i].Index >= gone && all[i].Index < gone+4
			if at, ok := l.IndexOf(h.Height); ok == inside || ok && at != all[i].Index {
				t.Fatalf("without chunk %d, block %d: %d, %v", gone, h.Height, at, ok)
			}
		}
		if _, err := l.Chunk(gone); !errors.Is(err, ErrDamaged) && gone == 1 {
			t.Fatal(err)
		}
		must(t, l.Close())
	}
}

func TestOpenChunk(t *testing.T) {
	d := crash.New()
	threeChunks(t, d, 0)
	l := mustOpen(t, d, testOptions())
	for _, index := range []uint64{5, 7, 8} {
		c, err := l.Chunk(index)
		must(t, err)
		if c.First != 5 || c.Last != 8 || !c.Closed || path.Dir(c.Name) != testDir || c.Name != l.ChunkName(5) {
			t.Fatalf("%+v", c)
		}
	}
	for _, index := range []uint64{13, 16} {
		if c, err := l.Chunk(index); err != nil || c.First != 13 || c.Last != 15 || c.Closed {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	file, c, err := l.OpenChunk(9)
	must(t, err)
	if size, err := file.Size(); err != nil || c.Last != 12 || size == 0 {
		t.Fatal(c, err)
	}
	must(t, file.Close())
	for _, first := range []uint64{0, 2, 13, 16, 17} {
		if _, _, err := l.OpenChunk(first); !errors.Is(err, ErrAbsent) {
			t.Fatalf("chunk %d: %v", first, err)
		}
	}
	must(t, d.Remove(l.ChunkName(9)))
	if _, _, err := l.OpenChunk(9); !errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	must(t, l.Close())
	if _, err := l.Chunk(9); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// TestFrames reads every stretch of a log as frames: they are the files' bytes.
func TestFrames(t *testing.T) {
	d := crash.New()
	all := threeChunks(t, d, 0)
	l := mustOpen(t, d, testOptions())
	before := prefixes(all)
	for lo := uint64(1); lo <= uint64(len(all)); lo++ {
		for hi := lo + 1; hi <= uint64(len(all))+1; hi++ {
			frames, count, err := l.Frames(lo, hi, 2000)
			must(t, err)
			var want []byte
			for i := lo; i < lo+count; i++ {
				want = format.AppendFrame(want, before[i-1], &all[i-1])
			}
			c, err := l.Chunk(lo)
			must(t, err)
			if count == 0 || lo+count > hi || lo+count-1 > c.Last || !bytes.Equal(frames, want) || len(frames) > 2000 && count > 1 {
				t.Fatalf("entries %d to %d: %d in %d bytes", lo, hi, count, len(frames))
			}
		}
	}
	for _, r := range [][2]uint64{{0, 1}, {3, 3}, {16, 17}, {1, 17}} {
		if _, _, err := l.Frames(r[0], r[1], 1); !errors.Is(err, ErrAbsent) {
			t.Fatal(r, err)
		}
	}
	p := places(t, d, all)[6]
	flip(t, d, p.Chunk, p.Offset+70, 1)
	_, _, err := l.Frames(5, 9, 1<<20)
	if got := isDamage(t, err, ErrDamaged); got.First != 6 {
		t.Fatal(got)
	}
}
