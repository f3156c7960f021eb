//go:build unix

package kv

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/btree"
)

// A candidate for a point table. docs/adr/0002-kv.md has the results.
type candidate interface {
	get(dst, key []byte) ([]byte, bool)
	put(key, value []byte)
}

// goMap is what one would write first.
type goMap map[string][]byte

func (m goMap) get(dst, key []byte) ([]byte, bool) {
	v, ok := m[string(key)]
	return append(dst, v...), ok
}

func (m goMap) put(key, value []byte) {
	if v, ok := m[string(key)]; ok && len(v) == len(value) {
		copy(v, value)
		return
	}
	m[string(key)] = slices.Clone(value)
}

// tidwall is the ordered tree used for point tables too.
type tidwall struct{ tree btree.Map[string, []byte] }

func (c *tidwall) get(dst, key []byte) ([]byte, bool) {
	v, ok := c.tree.Get(string(key))
	return append(dst, v...), ok
}

func (c *tidwall) put(key, value []byte) { c.tree.Set(string(key), slices.Clone(value)) }

// arenaMap is a Go map without pointers, from hash to place in an arena; entries
// of one hash are chained by the ref in their first eight bytes of value.
type arenaMap struct {
	seed  maphash.Seed
	refs  map[uint64]uint64
	arena arena
	buf   []byte
}

func (c *arenaMap) get(dst, key []byte) ([]byte, bool) {
	for ref := c.refs[maphash.Bytes(c.seed, key)]; ref != 0; {
		value := c.arena.value(ref)
		if string(c.arena.key(ref)) == string(key) {
			return append(dst, value[8:]...), true
		}
		ref = binary.LittleEndian.Uint64(value)
	}
	return dst, false
}

func (c *arenaMap) put(key, value []byte) {
	hash := maphash.Bytes(c.seed, key)
	head := c.refs[hash]
	for ref := head; ref != 0; {
		old := c.arena.value(ref)
		if string(c.arena.key(ref)) == string(key) {
			if len(old) != 8+len(value) {
				panic("the benchmark's values have one size")
			}
			copy(old[8:], value)
			return
		}
		ref = binary.LittleEndian.Uint64(old)
	}
	c.buf = append(binary.LittleEndian.AppendUint64(c.buf[:0], head), value...)
	c.refs[hash] = c.arena.add(key, c.buf)
}

// open64 is what the package uses.
type open64 struct {
	seed  maphash.Seed
	point *point
}

func (c *open64) get(dst, key []byte) ([]byte, bool) {
	return c.point.get(dst, maphash.Bytes(c.seed, key), key)
}

func (c *open64) put(key, value []byte) { c.point.put(maphash.Bytes(c.seed, key), key, value) }

// BenchmarkCandidates reports for each candidate: the time of an insertion while
// the table grows to its size, garbage collection included; of a read and of an
// overwrite of random keys, the best of several rounds; memory a slot; and the
// time and the pauses of one full garbage collection while the table is alive.
// Times are CPU times of the process, since machines are shared. Run it with
// -benchtime 1x.
func BenchmarkCandidates(b *testing.B) {
	slots := benchSlots(b)
	for name, empty := range map[string]func() candidate{
		"gomap":   func() candidate { return goMap{} },
		"tidwall": func() candidate { return &tidwall{} },
		"arenamap": func() candidate {
			return &arenaMap{seed: maphash.MakeSeed(), refs: map[uint64]uint64{}, arena: newArena(baseChunk)}
		},
		"point": func() candidate { return &open64{maphash.MakeSeed(), newPoint(baseBits, baseChunk)} },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				benchCandidate(b, empty(), slots)
			}
		})
	}
}

func benchCandidate(b *testing.B, c candidate, slots int) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	key, buf, value := make([]byte, 0, 64), make([]byte, 0, 64), make([]byte, 32)
	start := cpuTime(b)
	for i := range slots {
		key = slotKey(key, i)
		c.put(key, value)
	}
	insert := cpuTime(b) - start
	runtime.GC()
	runtime.GC() // sweeps what the first one left
	start = cpuTime(b)
	runtime.GC()
	collect := cpuTime(b) - start
	runtime.ReadMemStats(&after)

	const rounds, perRound = 20, 50_000
	order := make([]int, perRound)
	round := func(do func()) float64 {
		best := time.Duration(1 << 62)
		for range rounds {
			for i := range order {
				order[i] = rand.IntN(slots)
			}
			start := cpuTime(b)
			for _, i := range order {
				key = slotKey(key, i)
				do()
			}
			best = min(best, cpuTime(b)-start)
		}
		return float64(best.Nanoseconds()) / perRound
	}
	read := round(func() {
		if _, ok := c.get(buf, key); !ok {
			b.Fatal("a slot is missing")
		}
	})
	write := round(func() { c.put(key, value) })
	runtime.KeepAlive(c)
	b.ReportMetric(float64(insert.Nanoseconds())/float64(slots), "insert-ns")
	b.ReportMetric(read, "read-ns")
	b.ReportMetric(write, "write-ns")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(slots), "B/slot")
	b.ReportMetric(float64(collect.Microseconds())/1000, "gc-ms")
	b.ReportMetric(float64(after.PauseNs[(after.NumGC+255)%256])/1000, "gc-pause-µs")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what the process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
