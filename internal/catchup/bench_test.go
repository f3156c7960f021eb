package catchup

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger"
)

// peak watches the heap while a benchmark runs.
func peak(b *testing.B) func() {
	var most atomic.Uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base, done, ended := m.HeapAlloc, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		b.ReportMetric(float64(max(most.Load(), base)-base)/(1<<20), "MiB-heap")
	}
}

// large is a donor on a real disk: chunks of 16 MiB and a snapshot.
func large(b *testing.B) (*donor, uint64) {
	d := newDonor(b, disk.OS(b.TempDir()))
	d.pad = 4000
	for range 4 {
		for used := int64(0); used < ledger.ChunkBytes; used = d.log.ChunkUsed() {
			d.transaction(false)
			d.transaction(false)
		}
		d.transaction(true)
		d.commit()
	}
	d.transaction(false)
	height := d.snapshot(100_000)
	d.transaction(false)
	d.commit()
	return d, height
}

func (d *donor) size(b *testing.B, dir, prefix string) (n int64) {
	for _, data := range files(b, d.fs, dir, prefix) {
		n += int64(len(data))
	}
	return n
}

// BenchmarkFetch is what loopback HTTP without TLS brings, disks and all checks
// included, donor and joiner in one process: the heap is both's.
func BenchmarkFetch(b *testing.B) {
	d, _ := large(b)
	s := serve(b, "donor", d.server())
	b.Run("snapshot", func(b *testing.B) {
		b.SetBytes(d.size(b, snapshotDir, "snapshot-"))
		runtime.GC()
		defer peak(b)()
		for b.Loop() {
			_, err := d.fetcher(disk.OS(b.TempDir()), s).Snapshot(b.Context())
			must(b, err)
		}
	})
	chunks := d.size(b, ledgerDir, "chunk-")
	b.Run("chunks", func(b *testing.B) {
		b.SetBytes(chunks)
		head := d.log.Head()
		c, err := d.log.Chunk(head.LastIndex)
		must(b, err)
		prefix, err := d.log.Prefix(c.First - 1)
		must(b, err)
		runtime.GC()
		defer peak(b)()
		for b.Loop() {
			fs := disk.OS(b.TempDir())
			log, err := ledger.Open(fs, ledgerDir, ledger.Options{})
			must(b, err)
			must(b, log.Begin(c.First, prefix))
			must(b, d.fetcher(fs, s).Backfill(b.Context(), log))
			must(b, log.Close())
		}
	})
	b.Run("entries", func(b *testing.B) {
		b.SetBytes(chunks)
		runtime.GC()
		defer peak(b)()
		for b.Loop() {
			log, err := ledger.Open(disk.OS(b.TempDir()), ledgerDir, ledger.Options{})
			must(b, err)
			must(b, d.fetcher(nil, s).Entries(b.Context(), log, nil))
			must(b, log.Close())
		}
	})
}
