package history

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/kv"
)

// imagesOf are what one transfer of an ERC-20 leaves: the sender's account, and
// the two balances.
func imagesOf(points kv.TableID, tx, accounts uint64) []kv.BeforeImage {
	account := func(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 12, 20), n) }
	slot := func(n uint64) []byte {
		return binary.BigEndian.AppendUint64(append(account(7), make([]byte, 24)...), n)
	}
	from, to := tx%accounts, tx*7919%accounts
	return []kv.BeforeImage{
		{Table: points, Key: account(from), Value: make([]byte, 12), Present: true},
		{Table: points, Key: slot(from), Value: make([]byte, 10), Present: true},
		{Table: points, Key: slot(to), Value: make([]byte, 10), Present: true},
	}
}

func benchPast(b *testing.B, w Window) *chronicle {
	c := newChronicle(disk.OS(b.TempDir()), w)
	if err := c.start(-1); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.past.Close(); err != nil {
			b.Error(err)
		}
	})
	return c
}

func benchObserve(b *testing.B, perBlock int) {
	c := benchPast(b, Window{Blocks: 90_000, Bytes: 1 << 30})
	c.past.live = false // wait for the disk
	b.ReportAllocs()
	before, height, tx := cpuNanoseconds(b), uint64(0), 0
	for b.Loop() {
		var images []kv.BeforeImage
		for range perBlock {
			images = append(images, imagesOf(c.points, uint64(tx), 100_000)...)
			tx++
		}
		c.past.Observe(height, images)
		height++
	}
	if err := c.past.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpuNanoseconds(b)-before)/float64(tx), "cpu-ns/tx")
	b.ReportMetric(float64(diskBytes(c.past.current()))/float64(tx), "disk-B/tx")
}

// Cost of a transaction's images, written through to files.
func BenchmarkObserveSingle(b *testing.B)  { benchObserve(b, 1) }
func BenchmarkObserveHundred(b *testing.B) { benchObserve(b, 100) }

// BenchmarkPastRead reads after the oldest block of a full window of segments:
// keys that were written soon after, in the middle, and not at all.
func BenchmarkPastRead(b *testing.B) {
	const blocks, perBlock = 8000, 100
	c := benchPast(b, Window{Blocks: blocks})
	c.past.live = false
	for h := range uint64(blocks) {
		var images []kv.BeforeImage
		for i := range uint64(perBlock) {
			images = append(images, imagesOf(c.points, h*perBlock+i, 1_000_000)...)
		}
		images = append(images, kv.BeforeImage{Table: c.points, Key: fmt.Appendf(nil, "in %d", h)})
		c.past.Observe(h, images)
	}
	if err := c.past.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	for name, key := range map[string]func(i int) []byte{
		"soon":   func(i int) []byte { return fmt.Appendf(nil, "in %d", 2+i%10) },
		"middle": func(i int) []byte { return fmt.Appendf(nil, "in %d", blocks/2+i%1000) },
		"never":  func(i int) []byte { return fmt.Appendf(nil, "never %d", i) },
	} {
		b.Run(name, func(b *testing.B) {
			m := &Moment{past: c.past, index: c.past.current(), height: 1, newest: blocks - 1, view: c.store.Pin()}
			defer m.Release()
			b.ReportAllocs()
			buf := make([]byte, 0, 64)
			for i := 0; b.Loop(); i++ {
				m.GetInto(buf, c.points, key(i))
			}
			if err := m.Err(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
