package node

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// withSnapshots runs a node that takes one every few records, until it has one
// that counts.
func withSnapshots(t *testing.T, dir string) (paid []sequencer.TxID) {
	t.Helper()
	c := Default(dir)
	c.Snapshot = Cadence{Records: 4}
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for nonce := uint64(0); nonce < 12 || len(receipts(t, dir)) == 0; nonce++ {
		paid = append(paid, pay(t, n, nonce))
		if time.Now().After(deadline) {
			t.Fatal("no snapshot was taken")
		}
	}
	if err := n.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	return paid
}

func receipts(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, dirSnapshot, "*.receipt"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// holdsAll demands that a node knows what was paid and goes on.
func holdsAll(t *testing.T, n *Node, paid []sequencer.TxID) {
	t.Helper()
	for _, tx := range paid {
		r, err := n.Receipt(t.Context(), tx)
		if err != nil || !n.holds(r) {
			t.Errorf("no receipt of %v: %v", tx, err)
		}
	}
	if s := (service{n}).Status(sequencer.TxID{View: 99, Seqno: 3}); s != sequencer.StatusInvalid {
		t.Errorf("99.3 is %v", s)
	}
	pay(t, n, uint64(len(paid)))
}

func TestStartFromASnapshot(t *testing.T) {
	dir := t.TempDir()
	paid := withSnapshots(t, dir)
	n := startNode(t, dir)
	defer stop(t, n)
	if n.restored == 0 {
		t.Fatal("the node replayed from genesis although there is a snapshot")
	}
	holdsAll(t, n, paid)
}

// TestSnapshotsThatDoNotCount damages every file of every snapshot in turn: the
// node starts from the ledger all the same, with the same state.
func TestSnapshotsThatDoNotCount(t *testing.T) {
	for _, kind := range []string{"frames", "manifest", "receipt"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			paid := withSnapshots(t, dir)
			names, err := filepath.Glob(filepath.Join(dir, dirSnapshot, "*."+kind))
			if err != nil || len(names) == 0 {
				t.Fatal("no snapshot", err)
			}
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				data[len(data)/2] ^= 1
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			n := startNode(t, dir)
			defer stop(t, n)
			if n.restored != 0 {
				t.Errorf("the node began from a damaged snapshot of block %d", n.restored)
			}
			holdsAll(t, n, paid)
		})
	}
}

// lived has a node make a ledger of 300 payments.
func lived(t *testing.T, dir string) (paid []sequencer.TxID) {
	t.Helper()
	n := startNode(t, dir)
	for nonce := range uint64(300) {
		paid = append(paid, pay(t, n, nonce))
	}
	stop(t, n)
	return paid
}

// TestIndexAndTilesAreMadeAgain removes what is only a copy.
func TestIndexAndTilesAreMadeAgain(t *testing.T) {
	dir := t.TempDir()
	paid := lived(t, dir)
	for _, copied := range []string{dirIndex, dirLedger + "/tile"} {
		if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(copied))); err != nil {
			t.Fatal(err)
		}
	}
	n := startNode(t, dir)
	defer stop(t, n)
	holdsAll(t, n, paid)
}

// TestTilesBelowASnapshot removes tiles that a start from a snapshot does not
// write again: receipts are made all the same.
func TestTilesBelowASnapshot(t *testing.T) {
	dir := t.TempDir()
	paid := lived(t, dir)
	c := Default(dir)
	c.Snapshot = Cadence{Records: 1}
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); len(receipts(t, dir)) == 0; {
		paid = append(paid, pay(t, n, uint64(len(paid))))
		if time.Now().After(deadline) {
			t.Fatal("no snapshot was taken")
		}
	}
	stop(t, n)
	if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(dirLedger), "tile")); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, dir)
	defer stop(t, n)
	if n.restored < 256 {
		t.Fatalf("the node began from block %d", n.restored)
	}
	holdsAll(t, n, paid)
}

// TestStartThatIsInterrupted leaves the snapshots alone.
func TestStartThatIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	withSnapshots(t, dir)
	before := len(receipts(t, dir))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := Start(ctx, Default(dir)); err == nil {
		stop(t, n)
		t.Fatal("an interrupted start serves")
	}
	if after := len(receipts(t, dir)); after != before {
		t.Fatalf("of %d snapshots %d are left", before, after)
	}
}

// TestIndexOfAnotherLedger puts an older copy of the ledger under a newer index,
// and lets it grow again to the index's height.
func TestIndexOfAnotherLedger(t *testing.T) {
	dir, older := t.TempDir(), filepath.Join(t.TempDir(), "older")
	n := startNode(t, dir)
	paid := []sequencer.TxID{pay(t, n, 0)}
	stop(t, n)
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, dir)
	for nonce := range uint64(6) {
		pay(t, n, nonce+1)
	}
	stop(t, n)
	if err := os.RemoveAll(filepath.Join(older, filepath.FromSlash(dirIndex))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(older, filepath.FromSlash(dirIndex)), os.DirFS(filepath.Join(dir, filepath.FromSlash(dirIndex)))); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, older)
	for nonce := uint64(1); nonce < 9; nonce++ {
		paid = append(paid, pay(t, n, nonce))
	}
	indexed(t, n.index)
	stop(t, n)
	n = startNode(t, older)
	defer stop(t, n)
	holdsAll(t, n, paid)
}

// TestLastSnapshot: a node that stops leaves little to be replayed, and nothing is
// taken when there is little anyway.
func TestLastSnapshot(t *testing.T) {
	c := Default(t.TempDir())
	var paid []sequencer.TxID
	start := func() *Node {
		t.Helper()
		n, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		n.snapshots.long = 10
		return n
	}
	stop := func(n *Node) {
		t.Helper()
		if err := n.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	n := start()
	for range 15 {
		paid = append(paid, pay(t, n, uint64(len(paid))))
	}
	covered := n.sequencer.Head().Height
	stop(n)
	n = start()
	if n.restored != covered {
		t.Errorf("the start was from block %d, the last one before the stop was %d", n.restored, covered)
	}
	holdsAll(t, n, paid)
	stop(n)
	n = start()
	defer stop(n)
	if n.restored != covered {
		t.Errorf("a snapshot of block %d was taken for a handful of records", n.restored)
	}
}
