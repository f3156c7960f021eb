package snapshot

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

var update = flag.Bool("update", false, "rewrite the golden files; a change of format needs an ADR")

const testDir = "node/snapshot"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testRing() *keys.Ring {
	service := keys.Service{ID: [16]byte{1, 2, 3}, Mode: format.ModeSimulated}
	return keys.NewRing(service, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: {9, 9}})
}

func newState(t testing.TB) *kv.Store {
	t.Helper()
	s, err := kv.New(kv.Table{Name: "eth.accounts", Kind: kv.Point}, kv.Table{Name: "eth.code", Kind: kv.Ordered},
		kv.Table{Name: "public:coco.service", Kind: kv.Ordered})
	must(t, err)
	return s
}

// fill applies a block of n accounts, some code and a public row.
func fill(t testing.TB, s *kv.Store, height uint64, n int) {
	t.Helper()
	id := func(name string) kv.TableID {
		id, ok := s.Table(name)
		if !ok {
			t.Fatal(name)
		}
		return id
	}
	var writes []kv.Write
	for i := range n {
		key := binary.BigEndian.AppendUint64(nil, uint64(i))
		writes = append(writes, kv.Write{Table: id("eth.accounts"), Key: key, Value: bytes.Repeat(key, 8)})
	}
	writes = append(writes,
		kv.Write{Table: id("eth.code"), Key: []byte("a"), Value: []byte("SECRET MARKER")},
		kv.Write{Table: id("eth.code"), Key: []byte("empty"), Value: []byte{}},
		kv.Write{Table: id("public:coco.service"), Key: []byte("genesis"), Value: []byte("document")})
	must(t, s.Apply(height, writes))
}

func testMeta(height uint64) Meta {
	tiles := ledger.NewTiles(crash.New(), "ledger")
	for i := range height + 3 {
		if err := tiles.Append(format.Hash{byte(i)}); err != nil {
			panic(err)
		}
	}
	return Meta{Height: height, View: 2, Seqno: height + 3, Time: 77, Block: format.Hash{1}, Index: height + 2, Prefix: format.Hash{2}, Edge: tiles.Edge(),
		Changed: lineage.TxID{View: 1, Seqno: 1}, Config: lineage.Alone(1)}
}

func openStore(t testing.TB, f disk.FS) *Store {
	t.Helper()
	s, err := Open(f, testDir)
	must(t, err)
	return s
}

// write writes a snapshot of a state with a version of height 0.
func write(t testing.TB, s *Store, state *kv.Store) *Written {
	t.Helper()
	view := state.Pin()
	defer view.Release()
	w, err := s.Write(t.Context(), state, view, testRing(), testMeta(view.Height()))
	must(t, err)
	return w
}

func rows(t testing.TB, s *kv.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	view := s.Pin()
	defer view.Release()
	for _, table := range s.Tables() {
		id, _ := s.Table(table.Name)
		must(t, view.Each(id, func(key, value []byte) bool {
			all[table.Name+string(key)] = string(value)
			return true
		}))
	}
	return all
}

func TestWriteAndLoad(t *testing.T) {
	d := crash.New()
	state := newState(t)
	const accounts = 40_000 // of 80 bytes: several frames
	fill(t, state, 0, accounts)
	s := openStore(t, d)
	w := write(t, s, state)
	if w.Usage.Rows != accounts+3 || w.Usage.Frames < 3 || w.Usage.Memory > 4<<20 || w.Usage.Bytes < accounts*72 {
		t.Fatalf("%+v", w.Usage)
	}
	if usable, damaged := s.List(); len(usable)+len(damaged) != 0 {
		t.Fatal("a snapshot without receipt is listed")
	}
	must(t, s.SetReceipt(0, []byte("receipt")))
	if e := w.Evidence(); e.Height != 0 || e.Manifest != w.Digest {
		t.Fatalf("%+v", e)
	}

	s = openStore(t, d.Crash(1)) // all of it was durable
	usable, damaged := s.List()
	if len(usable) != 1 || len(damaged) != 0 || usable[0].Digest != w.Digest || string(usable[0].Receipt) != "receipt" {
		t.Fatal(usable, damaged)
	}
	if got := usable[0].Manifest.Meta; !bytes.Equal(format.Encode(&got), format.Encode(new(testMeta(0)))) {
		t.Fatalf("%+v", got)
	}
	again := newState(t)
	usage, err := s.Load(t.Context(), usable[0], testRing(), again)
	must(t, err)
	if usage.Rows != w.Usage.Rows || usage.Frames != w.Usage.Frames || usage.Memory > 4<<20 {
		t.Fatalf("%+v", usage)
	}
	if !maps.Equal(rows(t, state), rows(t, again)) {
		t.Fatal("the state loaded is not the state written")
	}
	if height, ok := again.Height(); !ok || height != 0 {
		t.Fatal(height, ok)
	}
}

// Nothing of a row, public ones included, is on the disk in clear.
func TestNothingInClear(t *testing.T) {
	d := crash.New()
	state := newState(t)
	fill(t, state, 0, 10)
	write(t, openStore(t, d), state)
	names, err := d.ReadDir(testDir)
	must(t, err)
	for _, name := range names {
		data, err := disk.ReadFile(d, testDir+"/"+name, 1<<30)
		must(t, err)
		for _, marker := range []string{"SECRET MARKER", "document", "genesis"} {
			if bytes.Contains(data, []byte(marker)) {
				t.Errorf("%q is in %s", marker, name)
			}
		}
	}
}

func TestEmptyState(t *testing.T) {
	state := newState(t)
	must(t, state.Apply(0, nil))
	s := openStore(t, crash.New())
	write(t, s, state)
	must(t, s.SetReceipt(0, nil))
	usable, _ := s.List()
	again := newState(t)
	if _, err := s.Load(t.Context(), usable[0], testRing(), again); err != nil || len(rows(t, again)) != 0 {
		t.Fatal(err)
	}
}

// TestTwoAreKept takes four snapshots; a fifth one without receipt is gone at
// the next start.
func TestTwoAreKept(t *testing.T) {
	d := crash.New()
	state := newState(t)
	s := openStore(t, d)
	for height := range uint64(5) {
		fill(t, state, height, 3)
		write(t, s, state)
		if height < 4 {
			must(t, s.SetReceipt(height, []byte{byte(height)}))
		}
	}
	wantTwo(t, d, openStore(t, d), 0, 6)
}

// wantTwo wants the snapshots of blocks 3 and 2, so many damaged ones, and so many
// files.
func wantTwo(t *testing.T, d disk.FS, s *Store, wrong, files int) {
	t.Helper()
	usable, damaged := s.List()
	if len(usable) != 2 || len(damaged) != wrong || usable[0].Manifest.Meta.Height != 3 || usable[1].Manifest.Meta.Height != 2 {
		t.Fatal(len(usable), damaged)
	}
	names, err := d.ReadDir(testDir)
	must(t, err)
	if len(names) != files {
		t.Fatalf("%v", names)
	}
}

// TestPrune deletes what was put there without SetReceipt, all but the newest two
// that can be used: one that is damaged does not count as kept.
func TestPrune(t *testing.T) {
	d := crash.New()
	state := newState(t)
	s := openStore(t, d)
	for height := range uint64(5) {
		fill(t, state, height, 3)
		write(t, s, state)
		receipt := []byte{byte(height)}
		must(t, disk.WriteFile(d, s.name(height, receiptSuffix), receipt))
	}
	must(t, disk.WriteFile(d, s.name(4, manifestSuffix), []byte("damaged")))
	must(t, s.Prune())
	wantTwo(t, d, s, 1, 9)
}

func TestWrongVersionAndRepetition(t *testing.T) {
	state := newState(t)
	fill(t, state, 0, 3)
	s := openStore(t, crash.New())
	view := state.Pin()
	defer view.Release()
	if _, err := s.Write(t.Context(), state, view, testRing(), testMeta(1)); err == nil {
		t.Fatal("a version of another block")
	}
	write(t, s, state)
	write(t, s, state) // the one without receipt is replaced
	must(t, s.SetReceipt(0, nil))
	if _, err := s.Write(t.Context(), state, view, testRing(), testMeta(0)); err == nil {
		t.Fatal("a usable snapshot is replaced")
	}
	if usable, _ := s.List(); len(usable) != 1 {
		t.Fatal("the usable snapshot is gone")
	}
}

// TestDamage flips bits all over the files of a snapshot: it is never loaded.
func TestDamage(t *testing.T) {
	d := crash.New()
	state := newState(t)
	fill(t, state, 0, 20)
	s := openStore(t, d)
	w := write(t, s, state)
	must(t, s.SetReceipt(0, []byte("receipt")))
	for _, suffix := range []string{framesSuffix, manifestSuffix} {
		name := s.name(0, suffix)
		size := int64(len(must2(disk.ReadFile(d, name, 1<<20))))
		for at := int64(0); at < size; at += 7 {
			flip(t, d, name, at)
			usable, damaged := s.List()
			switch {
			case len(usable) == 0 && errors.Is(damaged[0], ErrDamaged):
			case len(usable) == 1 && usable[0].Digest != w.Digest: // the receipt does not fit
			default:
				again := newState(t)
				_, err := s.Load(t.Context(), usable[0], testRing(), again)
				if !errors.Is(err, ErrDamaged) || len(rows(t, again)) != 0 {
					t.Fatalf("%s at %d: %v", suffix, at, err)
				}
			}
			flip(t, d, name, at)
		}
	}
}

// A frame that is intact but stands in another place does not open there.
func TestFramesAreBoundToTheirPlace(t *testing.T) {
	d := crash.New()
	state := newState(t)
	fill(t, state, 0, 40_000)
	s := openStore(t, d)
	write(t, s, state)
	must(t, s.SetReceipt(0, nil))
	usable, _ := s.List()
	load := func(change func(m *Manifest)) error {
		m, err := DecodeManifest(usable[0].Manifest.Encode())
		must(t, err)
		change(m)
		_, err = s.Load(t.Context(), &Snapshot{Manifest: m}, testRing(), newState(t))
		return err
	}
	must(t, load(func(*Manifest) {}))
	for name, change := range map[string]func(m *Manifest){
		"last frame missing": func(m *Manifest) { m.Domains[0].Frames = m.Domains[0].Frames[:len(m.Domains[0].Frames)-1] },
		"other snapshot":     func(m *Manifest) { m.ID[0]++ },
		"other domain":       func(m *Manifest) { m.Domains[0].Name = "party" },
		"unknown table":      func(m *Manifest) { m.Tables[0] = "eth.unknown" },
		"fewer tables":       func(m *Manifest) { m.Tables = m.Tables[:1] },
	} {
		if err := load(change); !errors.Is(err, ErrDamaged) && !errors.Is(err, keys.ErrNoEpoch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingSecret(t *testing.T) {
	state := newState(t)
	fill(t, state, 0, 3)
	s := openStore(t, crash.New())
	write(t, s, state)
	must(t, s.SetReceipt(0, nil))
	usable, _ := s.List()
	empty := keys.NewRing(keys.Service{}, nil)
	if _, err := s.Load(t.Context(), usable[0], empty, newState(t)); !errors.Is(err, keys.ErrNoEpoch) {
		t.Fatal(err)
	}
}

func TestFailuresLeaveNothing(t *testing.T) {
	state := newState(t)
	fill(t, state, 0, 40_000)
	view := state.Pin()
	defer view.Release()
	nothing := func(d *crash.Disk) {
		t.Helper()
		if names, err := d.ReadDir(testDir); err != nil || len(names) != 0 {
			t.Fatal(names, err)
		}
	}
	full := crash.New()
	s := openStore(t, full)
	full.LimitSpace(2 << 20)
	if _, err := s.Write(t.Context(), state, view, testRing(), testMeta(0)); !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	nothing(full)

	d := crash.New()
	s = openStore(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Write(ctx, state, view, testRing(), testMeta(0)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	nothing(d)
}

// TestCrash cuts the power at every operation while a third snapshot is taken,
// gets its receipt and displaces the first: two are usable whenever one looks,
// and the third is whole or not there.
func TestCrash(t *testing.T) {
	const third = 2
	for cut := 1; ; cut++ {
		d := crash.New()
		s := openStore(t, d)
		state := newState(t)
		for height := range uint64(third) {
			fill(t, state, height, 50)
			write(t, s, state)
			must(t, s.SetReceipt(height, nil))
		}
		fill(t, state, third, 100)
		view := state.Pin()
		d.Cut(cut)
		w, err := s.Write(t.Context(), state, view, testRing(), testMeta(third))
		if err == nil {
			err = s.SetReceipt(third, nil)
		}
		view.Release()
		for seed := range uint64(6) {
			after := openStore(t, d.Crash(seed))
			usable, damaged := after.List()
			if len(damaged) != 0 || len(usable) < Keep {
				t.Fatalf("cut %d seed %d: %d usable, %v", cut, seed, len(usable), damaged)
			}
			newest := usable[0].Manifest.Meta.Height
			if err == nil && (newest != third || len(usable) != Keep) || newest == third && usable[0].Digest != w.Digest {
				t.Fatalf("cut %d seed %d: %d usable, the newest of block %d", cut, seed, len(usable), newest)
			}
			_, err := after.Load(t.Context(), usable[0], testRing(), newState(t))
			must(t, err)
		}
		if err == nil {
			return
		}
	}
}

func TestGolden(t *testing.T) {
	state := newState(t)
	fill(t, state, 0, 1) // more than one row of a point table has no order
	d := crash.New()
	s := openStore(t, d)
	s.newID = func() [16]byte { return [16]byte{7} }
	w := write(t, s, state)
	var dump strings.Builder
	for _, suffix := range []string{framesSuffix, manifestSuffix} {
		fmt.Fprintf(&dump, "%s\n%s", suffix, hex.Dump(must2(disk.ReadFile(d, s.name(0, suffix), 1<<20))))
	}
	fmt.Fprintf(&dump, "digest\n%s\n", hex.EncodeToString(w.Digest[:]))
	file := filepath.Join("testdata", "snapshot.golden")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(dump.String()), 0o644))
	}
	if want := must2(os.ReadFile(file)); dump.String() != string(want) {
		t.Errorf("%s is not what it was (look at the difference, then -update):\n%s", file, dump.String())
	}
}

func FuzzDecodeManifest(f *testing.F) {
	m := Manifest{ID: [16]byte{1}, Meta: testMeta(5), Tables: []string{"eth.accounts", "eth.code"},
		Domains: []Domain{{Name: "service", Epoch: 1, Frames: []Frame{{Size: 100}, {Size: 50}}}}}
	f.Add(m.Encode())
	m.Tables[1] = "a"
	f.Add(m.Encode())
	m.Domains = nil
	f.Add(m.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			if !errors.Is(err, format.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(m.Encode(), data) || m.size() < sealOverhead {
			t.Fatal("a manifest with two encodings")
		}
	})
}

// FuzzRows reads arbitrary bytes as the rows of an opened frame.
func FuzzRows(f *testing.F) {
	f.Add([]byte{0, 1, 'k', 2, 'v', 'v', 1, 0, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{5, 1, 'k', 0})
	f.Fuzz(func(t *testing.T, plain []byte) {
		r := &frameReader{tables: make([]kv.TableID, 2)}
		bytesSeen := 0
		err := r.rows(plain, func(_ kv.TableID, key, value []byte) error {
			bytesSeen += len(key) + len(value)
			return nil
		})
		if bytesSeen > len(plain) || err == nil && len(plain) > 0 && r.usage.Rows == 0 {
			t.Fatal(bytesSeen, err)
		}
	})
}

func BenchmarkWriteLoad(b *testing.B) {
	state := newState(b)
	fill(b, state, 0, 200_000)
	s := openStore(b, disk.OS(b.TempDir()))
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			b.SetBytes(int64(write(b, s, state).Usage.Bytes))
		}
	})
	must(b, s.SetReceipt(0, nil))
	b.Run("load", func(b *testing.B) {
		usable, _ := s.List()
		for b.Loop() {
			usage, err := s.Load(b.Context(), usable[0], testRing(), newState(b))
			must(b, err)
			b.SetBytes(int64(usage.Bytes))
		}
	})
}

func flip(t testing.TB, d disk.FS, name string, offset int64) {
	t.Helper()
	f, err := d.Open(name)
	must(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	must(t, err)
	b[0] ^= 4
	_, err = f.WriteAt(b, offset)
	must(t, err)
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
