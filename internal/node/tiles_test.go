package node

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// rebuilder makes the tiles again while a block is published: they have its
// leaves, and the committed head does not tell of it yet.
type rebuilder struct {
	node *Node
	err  chan error
}

func (r rebuilder) Committed(*sequencer.Committed) { r.err <- r.node.rebuildTiles(r.node.running) }

func TestTilesAreRebuiltWhileABlockIsPublished(t *testing.T) {
	n := startNode(t, t.TempDir())
	defer stop(t, n)
	r := rebuilder{n, make(chan error, 100)}
	n.sequencer.Followers = append(slices.Clone(n.sequencer.Followers), r)
	pay(t, n, 0)
	if err := <-r.err; err != nil {
		t.Error(err)
	}
}

// tileless is a disk that takes its time for hash tiles.
type tileless struct {
	disk.FS
	asked, well chan struct{}
}

func (f *tileless) Create(name string) (disk.File, error) {
	if strings.Contains(name, "/tile/") {
		select {
		case f.asked <- struct{}{}:
		default:
		}
		<-f.well
	}
	return f.FS.Create(name)
}

// TestVoterBeforeItsTiles: a node that joined with a snapshot votes as soon as it
// has the ledger; the hash tiles are a copy.
func TestVoterBeforeItsTiles(t *testing.T) {
	dir := t.TempDir()
	first := foundWith(t, disk.OS(dir), dir)
	var paid []sequencer.TxID
	for first.snapshots.height.Load() < 270 { // the first tile is full below it, the second is not
		paid = append(paid, pay(t, first, uint64(len(paid))))
	}
	dir = t.TempDir()
	f := &tileless{disk.OS(dir), make(chan struct{}, 1), make(chan struct{})}
	heal := sync.OnceFunc(func() { close(f.well) })
	defer heal()
	second := enters(t, dir, f, first)
	if second.restored < 256 {
		t.Fatalf("the node began from block %d", second.restored)
	}
	<-f.asked
	heal()
	for _, tx := range []sequencer.TxID{paid[0], paid[len(paid)-1]} {
		if r, err := second.Receipt(t.Context(), tx); err != nil || !second.holds(r) {
			t.Errorf("no receipt of %v: %v", tx, err)
		}
	}
}
