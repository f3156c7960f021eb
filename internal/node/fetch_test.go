package node

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/catchup"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

// TestCheckAfterALie: entries of which a later one is refused do not make those of
// the next node wrong.
func TestCheckAfterALie(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	for nonce := range uint64(3) {
		pay(t, n, nonce)
	}
	entries, err := n.log.Entries(1, n.log.Head().LastIndex+1, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	last := len(entries) - 1
	for entries[last].Kind != format.EntryBlock {
		last--
	}
	lied := append([]format.Entry(nil), entries[:last+1]...)
	lied[last].Body = bytes.Clone(lied[last].Body)
	lied[last].Body[len(lied[last].Body)-1] ^= 1
	check := checkFrom(lineage.New(authorities()...), format.Hash{})
	if err := check(lied); err == nil {
		t.Fatal("a changed block passes")
	}
	if err := check(entries); err != nil {
		t.Fatal(err)
	}
}

// bare is a disk on which no snapshots are seen, once it is told so.
type bare struct {
	disk.FS
	hides atomic.Bool
}

func (b *bare) ReadDir(name string) ([]string, error) {
	if name == dirSnapshot && b.hides.Load() {
		return nil, nil
	}
	return b.FS.ReadDir(name)
}

// foundWith founds a network that takes a snapshot every few records.
func foundWith(t *testing.T, f disk.FS, dir string) *Node {
	t.Helper()
	c := Default(dir)
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("dir", dir[len(dir)-3:])
	c.FS, c.Timing.Tick, c.Founding, c.Peer = f, 20*time.Millisecond, Founds, "127.0.0.1:0"
	c.Snapshot, c.Limits.ChunkBytes = Cadence{Records: 6}, 8<<10
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	return n
}

// enters lets a node join in a directory, on that disk if one is given, until it is
// a voter and counts as one in every majority.
func enters(t *testing.T, dir string, f disk.FS, through *Node) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := joining(dir, through)
	if f != nil {
		c.FS = f
	}
	n, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	awaitVoter(t, n)
	await(t, "the voter counts", func() bool {
		c := through.consensus.Status().Config
		return !c.Joint() && slices.Contains(c.Voters, n.id)
	})
	return n
}

// behead drops the chunks of a directory's ledger before the one that holds the
// newest snapshot, as a join that was interrupted leaves it.
func behead(t *testing.T, dir string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := disk.OS(dir)
	_, usable, err := openSnapshots(f, Default(dir).Logger)
	check(err)
	log, err := ledger.Open(f, dirLedger, ledger.Options{Vote: fileVote, Now: time.Now})
	check(err)
	chunk, err := log.Chunk(usable[0].Manifest.Meta.Index)
	check(err)
	if chunk.First == 1 {
		t.Fatal("the snapshot lies in the first chunk")
	}
	before, err := log.Prefix(chunk.First - 1)
	check(err)
	entries, err := log.Entries(chunk.First, log.Head().LastIndex+1, 64<<20)
	check(err)
	check(catchup.Empty(log))
	check(log.Begin(chunk.First, before))
	check(log.Append(entries))
	check(log.Sync())
	check(log.Close())
}

// TestJoinAgainWithPartOfTheLedger: what an interrupted join left is used when a
// snapshot of it is there, and fetched again when none is, although no other node
// has a snapshot.
func TestJoinAgainWithPartOfTheLedger(t *testing.T) {
	dir := t.TempDir()
	f := &bare{FS: disk.OS(dir)}
	first := foundWith(t, f, dir)
	nonce := uint64(0)
	for ; nonce < 20 || first.snapshots.height.Load() < 15; nonce++ {
		pay(t, first, nonce)
	}
	dir = t.TempDir()
	second := enters(t, dir, nil, first)
	if second.restored == 0 {
		t.Fatal("the node began with genesis")
	}
	third := t.TempDir()
	g := &bare{FS: disk.OS(third)}
	enters(t, third, g, first) // so that the network goes on without the second
	for _, kept := range []bool{true, false} {
		stop(t, second)
		f.hides.Store(true)
		g.hides.Store(true)
		behead(t, dir)
		if !kept {
			names, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirSnapshot), "*"))
			for _, name := range names {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		second = enters(t, dir, nil, first)
		if (second.restored > 0) != kept {
			t.Errorf("with its snapshot %v: begun from block %d", kept, second.restored)
		}
	}
}

// TestSnapshotsOfABackup: a backup ends with the snapshot that the primary took
// last, and keeps no more of them than the primary.
func TestSnapshotsOfABackup(t *testing.T) {
	dir := t.TempDir()
	first := foundWith(t, disk.OS(dir), dir)
	second := enters(t, t.TempDir(), nil, first)
	for nonce, taken, last := uint64(0), 0, uint64(0); taken < 2*snapshot.Keep; nonce++ {
		pay(t, first, nonce)
		if height := first.snapshots.height.Load(); height != last {
			last = height
			taken++
			await(t, "the newest snapshot on the backup", func() bool { return second.snapshots.height.Load() >= last })
		}
	}
	await(t, "no more of them than are kept", func() bool { return len(receipts(t, second.config.Data)) == snapshot.Keep })
}

// TestJoinWhenSnapshotsAreDamaged: who joins takes the whole ledger when every
// node's snapshots are damaged.
func TestJoinWhenSnapshotsAreDamaged(t *testing.T) {
	dir := t.TempDir()
	first := foundWith(t, disk.OS(dir), dir)
	nonce := uint64(0)
	// The join must not lead to another one.
	idle := func() bool { s := first.snapshots.status(); return s.Height >= 12 && !s.Taking && s.Pending <= 3 }
	for ; !idle(); nonce++ {
		pay(t, first, nonce)
		await(t, "no snapshot is taken", func() bool { return !first.snapshots.status().Taking })
	}
	names, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirSnapshot), "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil && len(data) > 0 {
			data[len(data)/2] ^= 0x20
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if second := enters(t, t.TempDir(), nil, first); second.restored != 0 || second.log.First() != 1 {
		t.Errorf("begun from block %d, entry %d", second.restored, second.log.First())
	}
}
