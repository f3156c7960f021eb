package crash

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
)

func create(t *testing.T, d *Disk, name string) disk.File {
	t.Helper()
	f, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, f disk.File, data []byte, offset int64) {
	t.Helper()
	if _, err := f.WriteAt(data, offset); err != nil {
		t.Fatal(err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	data, err := disk.ReadFile(d, name, 1<<20)
	ok(t, err)
	return data
}

func TestSyncedDataSurvives(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	content := bytes.Repeat([]byte("synced. "), 300)
	put(t, f, content, 0)
	ok(t, f.Sync())
	ok(t, d.SyncDir("."))
	for seed := range uint64(50) {
		if got := read(t, d.Crash(seed), "a"); !bytes.Equal(got, content) {
			t.Fatalf("seed %d lost synced data", seed)
		}
	}
}

// Over many seeds every sector of an unsynced write must be seen both kept and
// lost, some outcome must have a later sector without an earlier one, and some a
// sector that is torn: new in front, old behind.
func TestUnsyncedSectorsAreKeptOrLostAlone(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	const sectors = 4
	put(t, f, make([]byte, sectors*Sector), 0)
	ok(t, f.Sync())
	ok(t, d.SyncDir("."))
	put(t, f, bytes.Repeat([]byte{1}, sectors*Sector), 0)
	outcomes, torn := map[string]bool{}, 0
	for seed := range uint64(400) {
		got := read(t, d.Crash(seed), "a")
		var outcome []byte
		for i := range sectors {
			s := got[i*Sector:][:Sector]
			if n := bytes.Count(s, []byte{1}); n > 0 && n < Sector {
				if !bytes.Equal(s[:n], bytes.Repeat([]byte{1}, n)) {
					t.Fatal("a sector is torn in more than one place")
				}
				torn++
			}
			outcome = append(outcome, '0'+s[0])
		}
		outcomes[string(outcome)] = true
	}
	if len(outcomes) != 1<<sectors || torn == 0 {
		t.Fatalf("%d of %d outcomes were seen, %d torn sectors", len(outcomes), 1<<sectors, torn)
	}
}

func TestSectorHoldsOneOfItsWritesInOrder(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	ok(t, d.SyncDir("."))
	for i := byte(1); i <= 3; i++ {
		put(t, f, bytes.Repeat([]byte{i}, 100), 0)
	}
	put(t, f, []byte{9}, 0)
	seen := map[[2]byte]bool{}
	for seed := range uint64(200) {
		got := append(read(t, d.Crash(seed), "a"), 0, 0)
		seen[[2]byte(got[:2])] = true
	}
	for _, want := range [][2]byte{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {9, 3}} {
		if !seen[want] {
			t.Errorf("outcome %v was never seen", want)
		}
		delete(seen, want)
	}
	if len(seen) != 0 {
		t.Errorf("impossible outcomes %v", seen)
	}
}

func TestTruncatedBytesReadAsZero(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	put(t, f, bytes.Repeat([]byte{7}, 2*Sector), 0)
	ok(t, f.Truncate(10))
	ok(t, f.Truncate(2*Sector))
	want := append(bytes.Repeat([]byte{7}, 10), make([]byte, 2*Sector-10)...)
	if got := read(t, d, "a"); !bytes.Equal(got, want) {
		t.Fatal("old bytes came back")
	}
	ok(t, f.Sync())
	ok(t, d.SyncDir("."))
	if got := read(t, d.Crash(1), "a"); !bytes.Equal(got, want) {
		t.Fatal("old bytes came back after a crash")
	}
}

func TestDirectoryChangesAreKeptOrLostAlone(t *testing.T) {
	d := New()
	ok(t, d.MkdirAll("x"))
	create(t, d, "x/old")
	create(t, d, "x/gone")
	ok(t, d.SyncDir("."))
	ok(t, d.SyncDir("x"))
	create(t, d, "x/new")
	ok(t, d.Rename("x/old", "x/moved"))
	ok(t, d.Remove("x/gone"))
	seen := map[string]bool{}
	for seed := range uint64(200) {
		names, err := d.Crash(seed).ReadDir("x")
		ok(t, err)
		key := ""
		for _, n := range names {
			key += n + " "
		}
		if slices.Contains(names, "old") == slices.Contains(names, "moved") {
			t.Fatalf("half a rename: %s", key)
		}
		seen[key] = true
	}
	if len(seen) != 8 {
		t.Fatalf("%d of 8 outcomes were seen", len(seen))
	}
}

func TestUnsyncedDirectoryIsLostWithItsFiles(t *testing.T) {
	d := New()
	ok(t, d.MkdirAll("x"))
	f := create(t, d, "x/a")
	ok(t, f.Sync())
	ok(t, d.SyncDir("x"))
	lost := 0
	for seed := range uint64(50) {
		if _, err := d.Crash(seed).OpenRead("x/a"); errors.Is(err, fs.ErrNotExist) {
			lost++
		}
	}
	if lost == 0 || lost == 50 {
		t.Fatalf("lost %d of 50 times", lost)
	}
}

func TestCutEndsTheProcess(t *testing.T) {
	d := New()
	d.Cut(3)
	f := create(t, d, "a")
	put(t, f, []byte("x"), 0)
	if err := f.Sync(); !errors.Is(err, ErrCut) {
		t.Fatalf("operation 3: %v", err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrCut) {
		t.Fatalf("a read of a dead process: %v", err)
	}
	if _, err := d.Create("b"); !errors.Is(err, ErrCut) {
		t.Fatalf("a create of a dead process: %v", err)
	}
}

func TestRestartKeepsWhatWasWrittenUnsynced(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	ok(t, d.SyncDir("."))
	put(t, f, []byte("written"), 0)
	after := d.Restart()
	if got := read(t, after, "a"); string(got) != "written" {
		t.Fatalf("%q", got)
	}
	lost := false
	for seed := range uint64(20) {
		lost = lost || len(read(t, after.Crash(seed), "a")) == 0
	}
	if !lost {
		t.Fatal("a restart synced the file")
	}
	if err := f.Sync(); !errors.Is(err, ErrCut) {
		t.Fatalf("the old process lives: %v", err)
	}
}

func TestFaults(t *testing.T) {
	d := New()
	f := create(t, d, "a")
	d.LimitSpace(10)
	if n, err := f.WriteAt(make([]byte, 16), 0); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	put(t, f, make([]byte, 10), 0) // an overwrite needs no space
	d.SetReadOnly(true)
	if _, err := f.WriteAt([]byte{1}, 0); !errors.Is(err, syscall.EROFS) {
		t.Fatal(err)
	}
	d.SetReadOnly(false)
	ok(t, d.SyncDir("."))

	ok(t, f.Sync())
	put(t, f, []byte{5}, 0)
	d.FailNextSync(1)
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	lost := false
	for seed := uint64(1); seed < 20 && !lost; seed++ {
		put(t, f, []byte{byte(10 + seed)}, 0)
		d.FailNextSync(seed)
		if err := f.Sync(); err == nil {
			t.Fatal("a sync that fails did not fail")
		}
		ok(t, f.Sync()) // repeats nothing
		lost = read(t, d.Crash(1), "a")[0] != byte(10+seed)
	}
	if !lost {
		t.Fatal("a failed sync never lost its writes")
	}
}

func TestLockEndsWithTheProcess(t *testing.T) {
	d := New()
	held, err := d.Lock("lock")
	ok(t, err)
	if _, err := d.Lock("lock"); !errors.Is(err, disk.ErrLocked) {
		t.Fatal(err)
	}
	ok(t, held.Close())
	_, err = d.Lock("lock")
	ok(t, err)
	_, err = d.Restart().Lock("lock")
	ok(t, err)
}

func TestSameSeedSameOutcome(t *testing.T) {
	d := New()
	for _, name := range []string{"a", "b", "c"} {
		f := create(t, d, name)
		put(t, f, bytes.Repeat([]byte(name), 3000), 0)
	}
	for seed := range uint64(20) {
		one, two := d.Crash(seed), d.Crash(seed)
		names, err := one.ReadDir(".")
		ok(t, err)
		again, err := two.ReadDir(".")
		ok(t, err)
		if !slices.Equal(names, again) {
			t.Fatal("directories differ")
		}
		for _, n := range names {
			if !bytes.Equal(read(t, one, n), read(t, two, n)) {
				t.Fatal("files differ")
			}
		}
	}
}
