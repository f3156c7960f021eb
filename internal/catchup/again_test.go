package catchup

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
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
