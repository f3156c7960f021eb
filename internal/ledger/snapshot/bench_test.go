package snapshot

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/kv"
)

// BenchmarkState writes a snapshot of a state of storage slots and loads it again:
// 10,000 of them, COCO_KV_SLOTS=10000000 sets another number.
//
//	COCO_KV_SLOTS=10000000 go test ./internal/ledger/snapshot -run '^$' -bench State -benchtime 1x -v
func BenchmarkState(b *testing.B) {
	slots, err := strconv.Atoi(os.Getenv("COCO_KV_SLOTS"))
	if err != nil {
		slots = 10_000
	}
	state := slotState(b, slots)
	store := openStore(b, disk.OS(b.TempDir()))
	perSlot := func(b *testing.B, began time.Time, cpu time.Duration) {
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(b.N*slots), "ns/slot")
		b.ReportMetric(float64((processorTime()-cpu).Nanoseconds())/float64(b.N*slots), "cpu-ns/slot")
	}
	b.Run("write", func(b *testing.B) {
		began, cpu := time.Now(), processorTime()
		for b.Loop() {
			must(b, store.Delete(0))
			write(b, store, state)
		}
		perSlot(b, began, cpu)
	})
	must(b, store.Delete(0))
	write(b, store, state)
	must(b, store.SetReceipt(0, []byte("receipt")))
	usable, damaged := store.List()
	if len(usable) != 1 {
		b.Fatal(damaged)
	}
	b.Run("load", func(b *testing.B) {
		state = nil
		runtime.GC()
		before := resident(b)
		began, cpu := time.Now(), processorTime()
		var loaded *kv.Store
		for b.Loop() {
			loaded = emptySlots(b)
			_, err := store.Load(b.Context(), usable[0], testRing(), loaded)
			must(b, err)
		}
		perSlot(b, began, cpu)
		if b.N == 1 {
			b.ReportMetric(float64(resident(b)-before)/float64(slots), "resident-B/slot")
		}
		if n := loaded.Stats().Tables[0]; n.Entries != slots {
			b.Fatalf("%d slots", n.Entries)
		} else {
			b.ReportMetric(float64(n.Bytes)/float64(slots), "kv-B/slot")
		}
	})
}

// BenchmarkCommits applies blocks of 300 random writes, and has the disk take 64 KiB
// for each, 200 times a second: without a snapshot, and while one is written. It
// says how long the slowest took.
//
//	COCO_KV_SLOTS=10000000 go test ./internal/ledger/snapshot -run '^$' -bench Commits -benchtime 1x
func BenchmarkCommits(b *testing.B) {
	slots, err := strconv.Atoi(os.Getenv("COCO_KV_SLOTS"))
	if err != nil {
		slots = 10_000
	}
	state := slotState(b, slots)
	id, _ := state.Table("eth.storage")
	files := disk.OS(b.TempDir())
	store := openStore(b, files)
	log, err := files.Create("log")
	must(b, err)
	defer log.Close()
	height, offset, rng := uint64(0), int64(0), rand.New(rand.NewPCG(1, 2))
	commits := func(until <-chan struct{}) (took []time.Duration, applied time.Duration) {
		block, tick := make([]byte, 64<<10), time.NewTicker(5*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-until:
				slices.Sort(took)
				return took, applied
			case <-tick.C:
			}
			var writes []kv.Write
			for range 300 {
				writes = append(writes, kv.Write{Table: id, Key: slotKey(uint64(rng.IntN(slots))), Value: block[:32]})
			}
			began := time.Now()
			height++
			must(b, state.Apply(height, writes))
			applied = max(applied, time.Since(began))
			_, err := log.WriteAt(block, offset)
			must(b, err)
			offset += int64(len(block))
			must(b, log.Sync())
			took = append(took, time.Since(began))
		}
	}
	report := func(name string, took []time.Duration, applied time.Duration) {
		b.ReportMetric(applied.Seconds()*1e3, "ms-applied-"+name)
		b.ReportMetric(took[len(took)-1].Seconds()*1e3, "ms-longest-"+name)
		b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "ms-p99-"+name)
	}
	for b.Loop() {
		quiet := make(chan struct{})
		time.AfterFunc(2*time.Second, func() { close(quiet) })
		took, applied := commits(quiet)
		report("without", took, applied)
		done, view := make(chan struct{}), state.Pin()
		began := time.Now()
		go func() {
			defer close(done)
			_, err := store.Write(b.Context(), state, view, testRing(), testMeta(view.Height()))
			if err != nil {
				b.Error(err)
			}
		}()
		took, applied = commits(done)
		report("while", took, applied)
		b.ReportMetric(time.Since(began).Seconds(), "s-snapshot")
		images := state.Stats()
		view.Release()
		b.ReportMetric(float64(images.ImageBytes)/(1<<20), "MiB-images")
	}
}

func emptySlots(t testing.TB) *kv.Store {
	s, err := kv.New(kv.Table{Name: "eth.storage", Kind: kv.Point}, kv.Table{Name: "public:coco.service", Kind: kv.Ordered})
	must(t, err)
	return s
}

// slotState is a state of slots as Ethereum's are.
func slotState(t testing.TB, slots int) *kv.Store {
	s := emptySlots(t)
	id, _ := s.Table("eth.storage")
	value := make([]byte, 32)
	must(t, s.Load(0, func(put func(kv.TableID, []byte, []byte) error) error {
		for i := range slots {
			binary.BigEndian.PutUint64(value[24:], uint64(i))
			if err := put(id, slotKey(uint64(i)), value); err != nil {
				return err
			}
		}
		return nil
	}))
	return s
}

// slotKey is an address and a hash.
func slotKey(x uint64) []byte {
	key := append(make([]byte, 0, 52), "twenty byte address."...)
	for range 4 { // splitmix64
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		key = binary.BigEndian.AppendUint64(key, z^z>>27)
	}
	return key
}

// processorTime is that of this process, all goroutines together.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process, in bytes.
func resident(t testing.TB) int {
	data, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	must(t, err)
	return pages * os.Getpagesize()
}
