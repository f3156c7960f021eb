//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package ledger

import (
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// What an entry costs in memory, its body aside: appending allocates nothing for
// the frames, which are written from one buffer.
func TestAppendAllocates(t *testing.T) {
	l := mustOpen(t, disk.OS(t.TempDir()), Options{Ahead: -1, Inline: true, Now: func() time.Time { return time.Unix(1000, 0) }})
	defer l.Close()
	w := &writer{}
	const runs, batch = 50, 16
	var batches [][]format.Entry
	for range runs + 1 { // the first run is not counted
		entries := make([]format.Entry, batch)
		for i := range entries {
			entries[i] = w.block(1, 1200, false)
		}
		batches = append(batches, entries)
	}
	next := 0
	got := testing.AllocsPerRun(runs, func() {
		must(t, l.Append(batches[next]))
		must(t, l.Sync())
		next++
	})
	if got > 2*batch { // an entry's header, and what it keeps
		t.Errorf("%d entries: %v allocations", batch, got)
	}
}
