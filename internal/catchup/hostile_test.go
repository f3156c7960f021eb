package catchup

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

// liar passes an honest server's answers through a lie.
type liar struct {
	honest http.Handler
	lie    func(path string, w *httptest.ResponseRecorder) []byte
	told   atomic.Int64
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inner := httptest.NewRecorder()
	l.honest.ServeHTTP(inner, r)
	was := bytes.Clone(inner.Body.Bytes())
	body := l.lie(strings.TrimPrefix(r.URL.Path, Path), inner)
	if !bytes.Equal(body, was) {
		l.told.Add(1)
		inner.Header().Del("Content-Length")
	}
	maps.Copy(w.Header(), inner.Header())
	w.WriteHeader(inner.Code)
	w.Write(body)
}

// changed changes a CBOR document of a path.
func changed[T any](prefix string, change func(*T)) func(string, *httptest.ResponseRecorder) []byte {
	return func(path string, w *httptest.ResponseRecorder) []byte {
		var v T
		if !strings.HasPrefix(path, prefix) || w.Code != http.StatusOK || format.Decode(w.Body.Bytes(), &v) != nil {
			return w.Body.Bytes()
		}
		change(&v)
		return format.Encode(v)
	}
}

// bytesOf changes the bytes of the answers to a path.
func bytesOf(prefix string, change func([]byte) []byte) func(string, *httptest.ResponseRecorder) []byte {
	return func(path string, w *httptest.ResponseRecorder) []byte {
		if !strings.HasPrefix(path, prefix) || w.Code >= 300 {
			return w.Body.Bytes()
		}
		return change(bytes.Clone(w.Body.Bytes()))
	}
}

var files6 = []string{"entries/", "chunks/", "snapshots/"}

// lies are what a hostile donor may do with its answers.
func lies() map[string]func(string, *httptest.ResponseRecorder) []byte {
	random := rand.New(rand.NewPCG(7, 7))
	all := map[string]func(string, *httptest.ResponseRecorder) []byte{
		"chunk begins later":   changed("chunk/", func(c *Chunk) { c.First++ }),
		"chunk begins earlier": changed("chunk/", func(c *Chunk) { c.First = max(c.First, 2) - 1 }),
		"chunk begins at 1":    changed("chunk/", func(c *Chunk) { c.First = 1 }),
		"chunk begins at 0":    changed("chunk/", func(c *Chunk) { c.First = 0 }),
		"chunk is longer":      changed("chunk/", func(c *Chunk) { c.Last++ }),
		"chunk is larger":      changed("chunk/", func(c *Chunk) { c.Size *= 2 }),
		"chunk is enormous":    changed("chunk/", func(c *Chunk) { c.Size = 1 << 63 }),
		"chunk is empty":       changed("chunk/", func(c *Chunk) { c.Size = 0 }),
		"chunk is open":        changed("chunk/", func(c *Chunk) { c.Closed = false }),
		"other snapshot":       changed("snapshots", func(s *[]Snapshot) { (*s)[0].Height++ }),
		"other digest":         changed("snapshots", func(s *[]Snapshot) { (*s)[0].Digest[0]++ }),
		"wrong Repr-Digest":    nil,
		"garbled Repr-Digest":  nil,
		"wrong range":          nil,
		"no such thing":        func(_ string, w *httptest.ResponseRecorder) []byte { w.Code = http.StatusNotFound; return nil },
		"faults": func(_ string, w *httptest.ResponseRecorder) []byte {
			w.Code = http.StatusInternalServerError
			return nil
		},
		"busy": func(_ string, w *httptest.ResponseRecorder) []byte {
			w.Code = http.StatusServiceUnavailable
			return nil
		},
		"junk documents":        func(p string, w *httptest.ResponseRecorder) []byte { return []byte{0x84, 0xff} },
		"endless documents":     func(p string, w *httptest.ResponseRecorder) []byte { return make([]byte, maxDocument+1) },
		"position far ahead":    changed("position", func(p *Position) { p.Index += 1 << 40 }),
		"entries of another":    nil,
		"chunks of another":     nil,
		"chunk list of another": nil,
	}
	header := func(name, value string) func(string, *httptest.ResponseRecorder) []byte {
		return func(_ string, w *httptest.ResponseRecorder) []byte {
			if w.Header().Get(name) != "" {
				w.Header().Set(name, value)
			}
			return w.Body.Bytes()
		}
	}
	all["wrong Repr-Digest"] = header("Repr-Digest", reprDigest(format.Hash{1}))
	all["garbled Repr-Digest"] = header("Repr-Digest", "sha-256=:AAAA:")
	all["wrong range"] = header("Content-Range", "bytes 7-9/10")
	for _, prefix := range files6 {
		all["flips a bit of "+prefix] = bytesOf(prefix, func(b []byte) []byte {
			if len(b) > 0 {
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			}
			return b
		})
		all["cuts "+prefix] = bytesOf(prefix, func(b []byte) []byte { return b[:random.IntN(len(b)+1)] })
		all["gives nothing of "+prefix] = bytesOf(prefix, func(b []byte) []byte { return nil })
		all["never ends "+prefix] = bytesOf(prefix, func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) })
		all["repeats "+prefix] = bytesOf(prefix, func(b []byte) []byte { return append(b, b...) })
	}
	return all
}

// TestLiars joins from one liar with an honest donor beside it, and from the liar
// alone: what is adopted is the donor's, byte for byte, or nothing.
func TestLiars(t *testing.T) {
	d, height := example(t)
	other, _ := example(t)
	names := slices.Sorted(maps.Keys(lies()))
	for _, name := range names {
		lie := lies()[name]
		handler := http.Handler(&liar{honest: d.server(), lie: lie})
		if of, ok := strings.CutSuffix(name, " of another"); ok {
			prefix := map[string]string{"entries": "entries/", "chunks": "chunks/", "chunk list": "chunk/"}[of]
			own, others := d.server(), other.server()
			handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, Path+prefix) {
					others.ServeHTTP(w, r)
				} else {
					own.ServeHTTP(w, r)
				}
			})
		}
		for seed := range 3 {
			fs := crash.New()
			f := d.fetcher(fs, source("liar", handler), d.source())
			f.Rounds = 20
			log, _, err := join(t, f, fs)
			if err != nil {
				t.Fatalf("%s, run %d: %v", name, seed, err)
			}
			if err := d.sameAs(t, fs, log, height); err != nil {
				t.Fatalf("%s, run %d: %v", name, seed, err)
			}
			alone := crash.New()
			log, _, err = join(t, d.fetcher(alone, source("liar", handler)), alone)
			if log == nil {
				t.Fatal(err)
			}
			if err := d.onlyRight(log, alone); err != nil {
				t.Fatalf("%s alone: %v", name, err)
			}
		}
	}
}

// onlyRight demands that what a log holds is the donor's, and that a snapshot that
// counts is the donor's too.
func (d *donor) onlyRight(log *ledger.Log, fs disk.FS) error {
	for index := log.First(); ; index++ {
		got, err := log.Prefix(index - 1)
		if err != nil {
			break
		}
		want, err := d.log.Prefix(index - 1)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("entry %d is wrong", index-1)
		}
	}
	usable, _ := snapshot.List(fs, snapshotDir)
	ours, _ := snapshot.List(d.fs, snapshotDir)
	for _, u := range usable {
		if !slices.ContainsFunc(ours, func(o *snapshot.Snapshot) bool { return o.Digest == u.Digest }) {
			return errors.New("a snapshot that is not the donor's counts")
		}
	}
	return nil
}

// TestAnotherNetworkIsRefused: a donor whose ledger is sound, but another service's.
func TestAnotherNetworkIsRefused(t *testing.T) {
	d, height := example(t)
	other, _ := example(t)
	fs := crash.New()
	if _, _, err := join(t, d.fetcher(fs, other.source()), fs); !errors.Is(err, ErrSources) || !errors.Is(err, ErrUnsound) {
		t.Fatal(err)
	}
	foreign := other.source()
	foreign.Name = "foreign"
	log, _, err := join(t, d.fetcher(fs, foreign, d.source()), fs)
	must(t, err)
	must(t, d.sameAs(t, fs, log, height))
}

// forge writes a snapshot of made-up rows for the place of the donor's newest one.
func forge(t *testing.T, d *donor, height uint64) (fs *crash.Disk, forged *snapshot.Snapshot) {
	t.Helper()
	honest, _ := snapshot.List(d.fs, snapshotDir)
	state, err := kv.New(kv.Table{Name: "eth.accounts", Kind: kv.Ordered})
	must(t, err)
	table, _ := state.Table("eth.accounts")
	for h := range height + 1 {
		must(t, state.Apply(h, []kv.Write{{Table: table, Key: []byte("mine"), Value: []byte("all the money")}}))
	}
	fs = crash.New()
	store, err := snapshot.Open(fs, snapshotDir)
	must(t, err)
	view := state.Pin()
	defer view.Release()
	_, err = store.Write(t.Context(), state, view, testRing(), honest[0].Manifest.Meta)
	must(t, err)
	must(t, store.SetReceipt(height, honest[0].Receipt))
	usable, _ := store.List()
	return fs, usable[0]
}

// TestUnverifiedSnapshotIsRefused: a snapshot that no record of the ledger names is
// neither fetched nor used, although its receipt is a sound one of another. The
// planted bug of that name fails here.
func TestUnverifiedSnapshotIsRefused(t *testing.T) {
	d, height := example(t)
	hostile, forged := forge(t, d, height)
	if err := Vouched(forged, d.log, d.trust()); !errors.Is(err, ErrUnsound) {
		t.Errorf("a forged snapshot is vouched for: %v", err)
	}
	s := NewServer(Config{Log: d.log, FS: hostile, Snapshots: snapshotDir, Committed: func() (uint64, uint64) { return d.committed, 0 },
		Allow: func(*http.Request) error { return nil }})
	f := d.fetcher(crash.New(), source("hostile", s))
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrUnsound) {
		t.Errorf("a forged snapshot is fetched: %v", err)
	}
}

// TestVouched tells a snapshot of this ledger from all others.
func TestVouched(t *testing.T) {
	d, height := example(t)
	usable, _ := snapshot.List(d.fs, snapshotDir)
	good := usable[0]
	must(t, Vouched(good, d.log, d.trust()))
	other, _ := example(t)
	unsound := func(what string, s *snapshot.Snapshot, of *donor) {
		t.Helper()
		if err := Vouched(s, of.log, of.trust()); !errors.Is(err, ErrUnsound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	unsound("of another ledger", good, other)
	if err := Vouched(good, d.log, other.trust()); !errors.Is(err, ErrUnsound) {
		t.Errorf("another service: %v", err)
	}
	for at := range good.Receipt {
		bad := *good
		bad.Receipt = bytes.Clone(good.Receipt)
		bad.Receipt[at] ^= 1 << (at % 8)
		if err := Vouched(&bad, d.log, d.trust()); err == nil {
			t.Fatalf("a receipt with byte %d flipped vouches", at)
		}
	}
	meta := *good.Manifest
	meta.Meta.Config = lineage.Alone(9)
	lied := *good
	lied.Manifest, lied.Digest = &meta, format.Hash{1}
	unsound("another manifest", &lied, d)
	meta.Meta.Prefix[0]++
	unsound("of other entries", &lied, d)
	// A log that ends before the record cannot vouch.
	at, _ := d.log.IndexOf(height)
	fs := crash.New()
	log := openLog(t, fs)
	entries, err := d.log.Entries(1, at+1, 1<<30)
	must(t, err)
	must(t, log.Append(entries))
	if err := Vouched(good, log, d.trust()); !errors.Is(err, ErrUnsound) {
		t.Error(err)
	}
	must(t, log.Cut(at-1))
	if err := Vouched(good, log, d.trust()); !errors.Is(err, ErrUnsound) {
		t.Error(err)
	}
}
