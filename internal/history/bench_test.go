package history

import (
	"context"
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
)

// entriesOf are what one ERC-20 transfer leaves in the index: the transaction's
// hash, sender and receiver, and its log's address and topics.
func entriesOf(tx uint64) []Entry {
	entries := make([]Entry, 6)
	for i := range entries {
		term := make([]byte, 33)
		term[0] = byte(i)
		binary.BigEndian.PutUint64(term[1:], tx*31>>(2*i)) // rarer and more frequent ones
		entries[i] = Entry{Term: term, Position: uint32(tx % 100)}
	}
	entries[0].Value = make([]byte, 8)
	return entries
}

func benchmarkAdd(b *testing.B, perBlock int) {
	x, err := Open("index", Options{FS: disk.OS(b.TempDir()), Key: testKey(1), TailBytes: 16 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	b.ReportAllocs()
	tx, height, before := 0, uint64(0), cpuNanoseconds(b)
	for b.Loop() {
		var block []Entry
		for range perBlock {
			block = append(block, entriesOf(uint64(tx))...)
			tx++
		}
		for x.Add(height, block) != nil {
			if err := x.Room(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		height++
	}
	if err := x.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpuNanoseconds(b)-before)/float64(tx), "cpu-ns/tx")
	b.ReportMetric(float64(diskBytes(x))/float64(tx), "disk-B/tx")
}

// cpuNanoseconds is the processor time of this process, all goroutines together.
func cpuNanoseconds(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// Cost of a transaction with six terms, written through to files.
func BenchmarkAddSingle(b *testing.B)  { benchmarkAdd(b, 1) }
func BenchmarkAddHundred(b *testing.B) { benchmarkAdd(b, 100) }

func BenchmarkFind(b *testing.B) {
	x, err := Open("index", Options{FS: disk.OS(b.TempDir()), Key: testKey(1)})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	const txs = 100_000
	for h := range uint64(txs / 100) {
		var block []Entry
		for i := range uint64(100) {
			block = append(block, entriesOf(h*100+i)...)
		}
		for x.Add(h, block) != nil {
			if err := x.Room(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := x.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	find := func(b *testing.B, term []byte, want int) {
		found, err := x.Find(term, 0, 1<<64-1, 0, false)
		if err != nil || len(found) < want {
			b.Fatal(len(found), err)
		}
	}
	b.Run("present", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			find(b, entriesOf(i * 7919 % txs)[0].Term, 1)
		}
	})
	b.Run("absent", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			find(b, entriesOf(txs + i)[0].Term, 0)
		}
	})
	b.Run("dozens", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			find(b, entriesOf(i * 7919 % txs)[5].Term, 10)
		}
	})
}

// diskBytes is the size of an index's runs.
func diskBytes(x *Index) (n uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, r := range x.runs {
		n += r.Size
	}
	return n
}
