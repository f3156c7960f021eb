package ledger

import (
	"fmt"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// BenchmarkAppendSync appends and syncs entries of 1.5 KiB on a real directory,
// with and without zeroing ahead. TMPDIR chooses the disk to measure; give it
// -benchtime 10000x or more, since the first chunk begins without zeros.
func BenchmarkAppendSync(b *testing.B) {
	for _, ahead := range []int64{0, -1} {
		for _, batch := range []int{1, 16} {
			name := map[int64]string{0: "ahead", -1: "append"}[ahead]
			b.Run(fmt.Sprintf("%s/batch=%d", name, batch), func(b *testing.B) {
				l := mustOpen(b, disk.OS(b.TempDir()), Options{Ahead: ahead})
				defer l.Close()
				w := &writer{}
				entries := make([]format.Entry, batch)
				b.SetBytes(int64(batch) * 1536)
				b.ReportAllocs()
				for b.Loop() {
					for i := range entries {
						entries[i] = w.block(1, 1200, l.ChunkUsed() > ChunkBytes && i == batch-1)
					}
					must(b, l.Append(entries))
					must(b, l.Sync())
				}
			})
		}
	}
}

// BenchmarkAppend appends without syncing, to see what the log itself costs.
func BenchmarkAppend(b *testing.B) {
	l := mustOpen(b, disk.OS(b.TempDir()), Options{Ahead: -1})
	defer l.Close()
	w := &writer{}
	entries := make([]format.Entry, 64)
	b.SetBytes(64 * 1536)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range entries {
			entries[i] = w.block(1, 1200, l.ChunkUsed() > ChunkBytes && i == len(entries)-1)
		}
		b.StartTimer()
		must(b, l.Append(entries))
	}
}

// BenchmarkOpen scans and verifies a log of 64 MiB.
func BenchmarkOpen(b *testing.B) {
	d := disk.OS(b.TempDir())
	l := mustOpen(b, d, Options{})
	w := &writer{}
	for len(l.chunks) < 5 {
		entries := make([]format.Entry, 64)
		for i := range entries {
			entries[i] = w.block(1, 1200, l.ChunkUsed() > ChunkBytes && i == len(entries)-1)
		}
		must(b, l.Append(entries))
	}
	must(b, l.Close())
	b.SetBytes(64 << 20)
	for b.Loop() {
		l := mustOpen(b, d, Options{Ahead: -1})
		b.StopTimer()
		must(b, l.Close())
		b.StartTimer()
	}
}
