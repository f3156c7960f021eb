// Package headroom says how far the heap of a long process may grow between two
// collections.
//
// Go's own rule is a percentage of what is alive (GOGC=100: as much again). A
// process with little alive and much traffic then collects many times a second,
// and each collection also costs the caches; one with much alive doubles. What
// both want is an amount: the heap is collected when it has grown by an eighth of
// what is alive, by Bytes at least and by Most at most. The percentage that gives
// this is set again after each collection.
//
// A GOGC in the environment turns this off. A memory limit makes the runtime
// collect earlier where it has to: GOMEMLIMIT, or nine tenths of what the control
// group has (version 2).
package headroom

import (
	"io/fs"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How far the heap grows between collections, in bytes.
const (
	Bytes = 256 << 20 // or a sixteenth of the memory there is, if that is less
	Most  = 1 << 30
)

// Keep keeps the headroom for the rest of the process's life.
func Keep() { keep(os.Getenv, os.DirFS("/")) }

func keep(env func(string) string, root fs.FS) {
	if env("GOGC") != "" {
		return
	}
	group := groupLimit(root)
	if env("GOMEMLIMIT") == "" && group < math.MaxInt64 {
		debug.SetMemoryLimit(group / 10 * 9)
	}
	k := &keeper{least: min(Bytes, min(group, machine(root))/16)}
	k.adjust()
	k.watch()
}

// keeper sets the percentage.
type keeper struct {
	least   int64 // headroom, in bytes
	percent int   // as it is set
}

// watch calls adjust after each collection: when what nothing refers to was found.
func (k *keeper) watch() {
	sentinel := new([64]byte) // large enough not to share its memory with others
	runtime.AddCleanup(sentinel, func(k *keeper) { k.adjust(); k.watch() }, k)
}

// adjust sets the percentage for what is alive now. The world stops for that, so
// that small changes are left.
func (k *keeper) adjust() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	percent := percentOf(int64(sample[0].Value.Uint64()), k.least)
	if diff := percent - k.percent; diff > k.percent/10 || -diff > k.percent/10 {
		k.percent = percent
		debug.SetGCPercent(percent)
	}
}

// percentOf is the GOGC that gives a heap with so many bytes alive its headroom,
// of at least so many bytes.
func percentOf(live, least int64) int {
	const smallest = 4 << 20 // the heap that the runtime reckons with at least
	live = max(live, smallest)
	room := min(max(live/8, least), max(least, Most))
	return int(max(room*100/live, 1))
}
