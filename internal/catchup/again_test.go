package catchup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

// dead is a node that ended: nothing answers.
type dead struct{}

func (dead) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

func deadSource() Source {
	return Source{Name: "dead", URL: "http://dead", Client: &http.Client{Transport: dead{}}}
}

// TestNoSnapshotBesideADeadNode: a node that ended does not keep others from
// joining without a snapshot; as long as nobody answers nothing is known.
func TestNoSnapshotBesideADeadNode(t *testing.T) {
	d := newDonor(t, crash.New())
	d.chunks(1, 2)
	f := d.fetcher(crash.New(), d.source(), deadSource())
	f.Rounds = 50
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrNoSnapshot) {
		t.Fatal(err)
	}
	f = d.fetcher(crash.New(), deadSource())
	f.Rounds = 50
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrSources) {
		t.Fatal(err)
	}
}

// TestDamagedSnapshots: when no node's snapshot is whole, the newest are given up for
// an older one, and all of them for the ledger's beginning, within bounded tries.
func TestDamagedSnapshots(t *testing.T) {
	d, height := example(t)
	flip := func(b []byte) []byte {
		if len(b) > 0 {
			b[len(b)/2] ^= 0x20
		}
		return b
	}
	for what, damage := range map[string]func(part string, b []byte) []byte{
		"all":          func(_ string, b []byte) []byte { return flip(b) },
		partFrames:     nil,
		partManifest:   nil,
		partReceipt:    nil,
		partRecord:     nil,
		"short frames": func(_ string, b []byte) []byte { return b[:len(b)/2] },
	} {
		if damage == nil {
			damage = func(part string, b []byte) []byte {
				if part == what {
					return flip(b)
				}
				return b
			}
		}
		damaged := func(of string) http.Handler {
			return &liar{honest: d.server(), lie: func(p string, w *httptest.ResponseRecorder) []byte {
				if !strings.HasPrefix(p, "snapshots/"+of) || w.Code >= 300 {
					return w.Body.Bytes()
				}
				return damage(path.Base(p), bytes.Clone(w.Body.Bytes()))
			}}
		}
		gone := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, Path+"snapshots/") {
				http.NotFound(w, r)
				return
			}
			d.server().ServeHTTP(w, r)
		})
		fs := crash.New()
		f := d.fetcher(fs, source("a", damaged("")), source("b", gone), deadSource())
		f.Rounds = 0
		if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrNoSnapshot) {
			t.Fatalf("%s: %v", what, err)
		}
		log := openLog(t, fs)
		must(t, f.Entries(t.Context(), log, nil))
		if at, ok := log.IndexOf(height); !ok || log.First() != 1 {
			t.Fatalf("%s: block %d at %d, from %d on", what, height, at, log.First())
		}
	}
	next := d.snapshot(40)
	newest := fmt.Sprintf("%d/", next)
	f := d.fetcher(crash.New(), source("a", &liar{honest: d.server(), lie: bytesOf("snapshots/"+newest, flip)}))
	f.Rounds = 0
	if s, err := f.Snapshot(t.Context()); err != nil || s.Manifest.Meta.Height != height {
		t.Fatal("the older one is whole:", err)
	}
}

// TestNothingRight: who meets nobody that gives what is right is told so.
func TestNothingRight(t *testing.T) {
	d, _ := example(t)
	fs := crash.New()
	f := d.fetcher(fs, d.source(), deadSource())
	f.Rounds = 0
	no := errors.New("refused")
	err := f.Entries(t.Context(), openLog(t, fs), func([]format.Entry) error { return no })
	if !errors.Is(err, ErrSources) || !errors.Is(err, no) {
		t.Fatal(err)
	}
}

// TestBegunSnapshotBesideADeadNode: a snapshot that no living node has any more is
// given up for the one that they have.
func TestBegunSnapshotBesideADeadNode(t *testing.T) {
	d, height := example(t)
	other, _ := example(t)
	theirs, _ := snapshot.List(other.fs, snapshotDir)
	fs := crash.New()
	must(t, disk.MakeDir(fs, snapshotDir))
	f := d.fetcher(fs, d.source(), deadSource())
	f.Rounds = 50
	must(t, f.prepare(Snapshot{Height: height, Digest: theirs[0].Digest}, theirs[0].Manifest.Encode()))
	if begun := f.begun(); begun == nil || begun.Digest != theirs[0].Digest {
		t.Fatalf("%+v", begun)
	}
	s, err := f.Snapshot(t.Context())
	must(t, err)
	if ours, _ := snapshot.List(d.fs, snapshotDir); s.Digest != ours[0].Digest {
		t.Fatal("another snapshot")
	}
}

// TestBeginAfterAnotherChunk: a log that an interrupted join left in one chunk goes
// on with a snapshot of a later one, and nobody is blamed.
func TestBeginAfterAnotherChunk(t *testing.T) {
	d, height := example(t)
	older, _ := snapshot.List(d.fs, snapshotDir)
	fs := crash.New()
	log := openLog(t, fs)
	f := d.fetcher(fs, d.source())
	must(t, f.Begin(t.Context(), log, &older[0].Manifest.Meta))
	d.chunks(1, 2)
	if next := d.snapshot(40); next <= height {
		t.Fatal(next)
	}
	s, err := f.Snapshot(t.Context())
	must(t, err)
	f.Rounds = 1 // the first answer is right
	must(t, f.Begin(t.Context(), log, &s.Manifest.Meta))
	if len(f.distant) > 0 {
		t.Fatal("an honest node is blamed")
	}
	if log.Head().Prefix != s.Manifest.Meta.Prefix || log.First() == 1 {
		t.Fatal(log.Head())
	}
}

// TestPlacing: a snapshot does not count before what belongs to it is durable.
func TestPlacing(t *testing.T) {
	d, height := example(t)
	fs := crash.New()
	f := d.fetcher(fs, d.source())
	broken := errors.New("the disk is full")
	f.Placing = func(context.Context) error { return broken }
	listed := func() int {
		usable, _ := snapshot.List(fs, snapshotDir)
		return len(usable)
	}
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, broken) || listed() != 0 {
		t.Fatal(err, listed())
	}
	f.Placing = func(context.Context) error {
		if listed() != 0 {
			t.Error("it counts before")
		}
		broken = nil
		return nil
	}
	s, err := f.Snapshot(t.Context())
	must(t, err)
	if broken != nil || listed() != 1 || s.Manifest.Meta.Height != height {
		t.Error(broken, listed())
	}
}

// TestSnapshotOf fetches the one that is named, or none.
func TestSnapshotOf(t *testing.T) {
	d, _ := example(t)
	older, _ := snapshot.List(d.fs, snapshotDir)
	named := Snapshot{Height: older[0].Manifest.Meta.Height, Digest: older[0].Digest}
	d.snapshot(40)
	fs := crash.New()
	s, err := d.fetcher(fs, d.source()).SnapshotOf(t.Context(), named)
	must(t, err)
	if s.Digest != named.Digest {
		t.Error("another snapshot")
	}
	named.Height += 1000
	if _, err := d.fetcher(fs, d.source()).SnapshotOf(t.Context(), named); !errors.Is(err, ErrNoSnapshot) {
		t.Error(err)
	}
}
