package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"path"
	"syscall"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

const (
	treeDir = "ledger"
	tileDir = treeDir + "/tile"
)

func leafOf(i uint64) format.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
}

func grow(t testing.TB, tiles *Tiles, to uint64) {
	t.Helper()
	for i := tiles.Size(); i < to; i++ {
		must(t, tiles.Append(leafOf(i)))
	}
}

func allLeaves(n uint64) iter.Seq2[format.Hash, error] {
	return func(yield func(format.Hash, error) bool) {
		for i := range n {
			if !yield(leafOf(i), nil) {
				return
			}
		}
	}
}

// proves checks inclusion proofs made from the tiles against the root that a
// frontier has.
func proves(t *testing.T, tiles *Tiles, indices ...uint64) {
	t.Helper()
	size, root := tiles.Size(), tiles.Edge().Frontier().Root()
	for _, i := range indices {
		p, err := proof.Inclusion(tiles, i, size)
		must(t, err)
		must(t, proof.VerifyInclusion(leafOf(i), i, size, p, root))
	}
}

func TestTilesProveInclusion(t *testing.T) {
	tiles := NewTiles(crash.New(), treeDir)
	var f proof.Frontier
	for _, size := range []uint64{1, 2, 3, 255, 256, 257, 511, 512, 70_000} {
		for i := f.Size(); i < size; i++ {
			f.Append(leafOf(i))
		}
		grow(t, tiles, size)
		if tiles.Edge().Frontier().Root() != f.Root() || tiles.Size() != size {
			t.Fatalf("another root with %d leaves", size)
		}
		proves(t, tiles, 0, size/2, size-1)
	}
	first := uint64(300)
	var old proof.Frontier
	for i := range first {
		old.Append(leafOf(i))
	}
	p, err := proof.Consistency(tiles, first, 70_000)
	must(t, err)
	must(t, proof.VerifyConsistency(first, old.Root(), 70_000, f.Root(), p))
	for _, bad := range []struct {
		level uint
		index uint64
	}{{0, 70_000}, {16, 1}, {17, 0}, {63, 1}, {64, 0}, {200, 0}} {
		if _, err := tiles.Node(bad.level, bad.index); err == nil {
			t.Errorf("node %v is not in the tree", bad)
		}
	}
}

// The layout is that of C2SP tlog-tiles.
func TestTilePaths(t *testing.T) {
	tiles := NewTiles(nil, "")
	for id, want := range map[tileID]string{
		{0, 0}: "tile/0/000", {0, 999}: "tile/0/999", {2, 1000}: "tile/2/x001/000",
		{0, 1234067}: "tile/0/x001/x234/067", {1, 67}: "tile/1/067",
	} {
		if got := tiles.path(id); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	d := crash.New()
	grow(t, NewTiles(d, treeDir), 600)
	names, err := d.ReadDir(tileDir + "/0")
	must(t, err)
	data, err := disk.ReadFile(d, tileDir+"/0/001", 1<<20)
	must(t, err)
	if leaf := leafOf(256); len(names) != 2 || len(data) != 8192 || [32]byte(data) != leaf {
		t.Fatal("the second tile does not begin with leaf 256")
	}
}

func TestTilesResume(t *testing.T) {
	d := crash.New()
	tiles := NewTiles(d, treeDir)
	grow(t, tiles, 66_000)
	again, err := ResumeTiles(d, treeDir, tiles.Edge())
	must(t, err)
	proves(t, again, 0, 255, 256, 65_535, 65_999)
	grow(t, again, 66_300)
	proves(t, again, 0, 66_000, 66_299)
	if _, err := ResumeTiles(d, treeDir, Edge{make([]format.Hash, 256)}); !errors.Is(err, format.ErrFormat) {
		t.Fatal(err)
	}
	if _, err := ResumeTiles(d, treeDir, make(Edge, 9)); !errors.Is(err, format.ErrFormat) {
		t.Fatal(err)
	}
}

// A damaged tile is found by whoever reads it, on every level, and Rebuild makes
// it again.
func TestDamagedTilesAreFoundAndRebuilt(t *testing.T) {
	const size = 66_000
	d := crash.New()
	whole := NewTiles(d, treeDir)
	grow(t, whole, size)
	for _, name := range []string{"0/000", "0/200", "1/000"} {
		for what, damage := range map[string]func(f disk.File) error{
			"flipped": func(f disk.File) error { _, err := f.WriteAt([]byte{1}, 4000); return err },
			"short":   func(f disk.File) error { return f.Truncate(8191) },
			"long":    func(f disk.File) error { return f.Truncate(8193) },
		} {
			f, err := d.Open(path.Join(tileDir, name))
			must(t, err)
			must(t, damage(f))
			tiles, err := ResumeTiles(d, treeDir, whole.Edge()) // without what is in memory
			must(t, err)
			if _, err := proof.Inclusion(tiles, 200*256+3, size); name != "0/000" && !errors.Is(err, ErrTiles) {
				t.Fatalf("%s %s: %v", name, what, err)
			}
			if _, err := tiles.Node(0, 5); name != "0/200" && !errors.Is(err, ErrTiles) {
				t.Fatalf("%s %s: %v", name, what, err)
			}
			must(t, tiles.Rebuild(allLeaves(size+10)))
			proves(t, tiles, 5, 200*256+3)
		}
	}
}

func TestRebuildRefusesOtherLeaves(t *testing.T) {
	tiles := NewTiles(crash.New(), treeDir)
	grow(t, tiles, 300)
	if err := tiles.Rebuild(allLeaves(299)); !errors.Is(err, ErrTiles) {
		t.Fatal(err)
	}
	failed := errors.New("no leaf")
	if err := tiles.Rebuild(func(yield func(format.Hash, error) bool) { yield(format.Hash{}, failed) }); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	other := func(yield func(format.Hash, error) bool) {
		for i := range uint64(300) {
			if !yield(leafOf(i+1), nil) {
				return
			}
		}
	}
	if err := tiles.Rebuild(other); !errors.Is(err, ErrTiles) {
		t.Fatal(err)
	}
}

// After a power loss tiles may be gone or torn; the tree says so or is right.
func TestTilesAfterACrash(t *testing.T) {
	d := crash.New()
	whole := NewTiles(d, treeDir)
	grow(t, whole, 2000)
	lost := 0
	for seed := range uint64(20) {
		tiles, err := ResumeTiles(d.Crash(seed), treeDir, whole.Edge())
		must(t, err)
		for i := range uint64(2000) {
			h, err := tiles.Node(0, i)
			if errors.Is(err, ErrTiles) {
				lost++
				continue
			}
			must(t, err)
			if h != leafOf(i) {
				t.Fatalf("seed %d: leaf %d is wrong", seed, i)
			}
		}
	}
	if lost == 0 {
		t.Fatal("no crash lost a tile")
	}
}

// A full disk costs the files, not the tree.
func TestTilesOnAFullDisk(t *testing.T) {
	d := crash.New()
	tiles := NewTiles(d, treeDir)
	d.LimitSpace(100)
	var failed error
	for i := range uint64(40_000) {
		if err := tiles.Append(leafOf(i)); err != nil {
			failed = err
		}
	}
	if !errors.Is(failed, ErrTiles) || !errors.Is(failed, syscall.ENOSPC) {
		t.Fatal(failed)
	}
	if _, err := tiles.Node(0, 0); !errors.Is(err, ErrTiles) {
		t.Fatal(err)
	}
	d.LimitSpace(10 << 20)
	must(t, tiles.Rebuild(allLeaves(40_000)))
	proves(t, tiles, 0, 39_999)
}

func BenchmarkTilesAppend(b *testing.B) {
	tiles := NewTiles(disk.OS(b.TempDir()), tileDir)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		must(b, tiles.Append(leafOf(i)))
	}
}
