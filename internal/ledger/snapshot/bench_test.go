package snapshot

import (
	"encoding/binary"
	"os"
	"runtime"
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

func emptySlots(t testing.TB) *kv.Store {
	s, err := kv.New(kv.Table{Name: "eth.storage", Kind: kv.Point}, kv.Table{Name: "public:coco.service", Kind: kv.Ordered})
	must(t, err)
	return s
}

// slotState is a state of slots as Ethereum's are.
func slotState(t testing.TB, slots int) *kv.Store {
	s := emptySlots(t)
	id, _ := s.Table("eth.storage")
	value, key := make([]byte, 32), []byte("twenty byte address.")
	must(t, s.Load(0, func(put func(kv.TableID, []byte, []byte) error) error {
		x := uint64(0)
		for i := range slots {
			key = key[:20]
			for range 4 { // splitmix64
				x += 0x9e3779b97f4a7c15
				z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
				key = binary.BigEndian.AppendUint64(key, z^z>>27)
			}
			binary.BigEndian.PutUint64(value[24:], uint64(i))
			if err := put(id, key, value); err != nil {
				return err
			}
		}
		return nil
	}))
	return s
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
