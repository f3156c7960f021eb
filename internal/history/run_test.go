package history

import (
	"context"
	"crypto/aes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/kv"
)

// TestCMAC holds the PRF to the examples of NIST SP 800-38B, D.3 (AES-256).
func TestCMAC(t *testing.T) {
	bytesOf := func(s string) []byte {
		b, err := hex.DecodeString(s)
		do(t, err)
		return b
	}
	block, err := aes.NewCipher(bytesOf("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
	do(t, err)
	message := bytesOf("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	p := newPRF(block)
	for length, want := range map[int]string{
		0: "028962f61b7bf89efc6b551f4667d983", 16: "28a7023f452e8f82bd4bf28d8c37c35c",
		40: "aaf3d8f1de5640c232f5b169b9c911e6", 64: "e1992190549f6ed5696a2c056c315410",
	} {
		var sum termKey
		p.sum(&sum, message[:length])
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%d bytes: %s, want %s", length, got, want)
		}
	}
}

// TestMerge makes a run of each block: they become few, and answers stay as they are.
func TestMerge(t *testing.T) {
	const blocks = 1000
	mem := crash.New()
	epoch := func(h uint64) uint64 { return h / 700 } // runs of two epochs are not merged
	x := open(t, mem, Options{Epoch: epoch})
	for h := range uint64(blocks) {
		do(t, x.Add(h, blockOf(h)))
		do(t, x.Flush(context.Background()))
	}
	check(t, x)
	do(t, x.merger.all(math.MaxUint64))
	if n := len(x.runs); n > 2*(fan-1)*4 {
		t.Errorf("%d runs of %d blocks", n, blocks)
	}
	check(t, x)
	do(t, x.Close())
	x = open(t, mem, Options{Epoch: epoch})
	check(t, x)
	names, err := mem.ReadDir("index")
	do(t, err)
	if len(names) != len(x.runs)+2 {
		t.Errorf("%d files for %d runs", len(names), len(x.runs))
	}
	do(t, x.Close())
}

// TestLongList: of a term with many occurrences any part is found, across leaves and
// sections and within a block of more occurrences than a leaf holds.
func TestLongList(t *testing.T) {
	x := open(t, crash.New(), Options{})
	m := model{}
	rng := rand.New(rand.NewPCG(1, 2))
	hot := []byte("hot")
	for h := range uint64(60) {
		var block []Entry
		for i := range 1 + rng.IntN(6000) {
			block = append(block, Entry{Term: hot, Position: uint32(i)})
		}
		block = append(block, Entry{Term: termOf(h), Value: make([]byte, 10_000)})
		m.blocks = append(m.blocks, block)
		do(t, x.Add(h, block))
		if h%7 == 0 {
			do(t, x.Flush(context.Background()))
		}
	}
	do(t, x.Flush(context.Background()))
	do(t, x.merger.all(math.MaxUint64))
	if len(x.runs) > fan || len(x.runs[0].sections) < 2 {
		t.Fatalf("%d runs, %d sections in the first: the test is of no use", len(x.runs), len(x.runs[0].sections))
	}
	for range 100 {
		from := rng.Uint64N(60)
		to := from + rng.Uint64N(60-from)
		limit, reverse := rng.IntN(3)*rng.IntN(5000), rng.IntN(2) == 0
		found, err := x.Find(hot, from, to, limit, reverse)
		do(t, err)
		if want := m.find(hot, from, to, limit, reverse); !same(found, want) {
			t.Fatalf("%d..%d limit %d reverse %v: %d found, want %d", from, to, limit, reverse, len(found), len(want))
		}
	}
	do(t, x.Close())
}

// FuzzLeaf: no leaf makes reading it fail in another way than by an error.
func FuzzLeaf(f *testing.F) {
	b := newBuilder(nil, nil)
	for h := range uint64(3) {
		_ = b.add(&termKey{1}, h, 5, []byte("value"))
		_ = b.add(&termKey{1}, h, 6, nil)
	}
	_ = b.endList()
	f.Add(b.leaf)
	f.Fuzz(func(t *testing.T, leaf []byte) {
		q := query{term: termKey{1}, to: math.MaxUint64}
		if err := q.read(leaf); err == nil && len(q.found) > len(leaf) {
			t.Fatalf("%d postings in %d bytes", len(q.found), len(leaf))
		}
	})
}

// TestCost holds what a transfer of an ERC-20 costs to what it did: bytes on disk,
// written in all with what merging writes again, and allocations. Times are the
// benchmarks'.
func TestCost(t *testing.T) {
	const txs, perBlock = 100_000, 100
	cost := func(name string, opts Options, block func(h uint64) []Entry, kept, written, allocs float64) {
		fs := &countingFS{FS: crash.New()}
		x := open(t, fs, opts)
		for h := range uint64(txs / perBlock) {
			entries := block(h)
			do(t, x.Add(h, entries))
			if h%100 == 99 { // as large as the runs of a node
				do(t, x.Flush(context.Background()))
			}
		}
		do(t, x.merger.all(math.MaxUint64))
		entries, height := block(txs/perBlock), uint64(txs/perBlock)
		got := testing.AllocsPerRun(20, func() {
			do(t, x.Add(height, entries))
			height++
		}) / perBlock
		perTx, inAll := float64(diskBytes(x))/txs, float64(fs.written.Load())/txs
		t.Logf("%s: %.1f bytes kept, %.1f written, %.3f allocations a transaction", name, perTx, inAll, got)
		if perTx > kept || inAll > written || got > allocs {
			t.Errorf("%s costs more than %v bytes kept, %v written, %v allocations", name, kept, written, allocs)
		}
		do(t, x.Close())
	}
	cost("the index", Options{}, func(h uint64) (entries []Entry) {
		for i := range uint64(perBlock) {
			entries = append(entries, entriesOf(h*perBlock+i)...)
		}
		return entries
	}, 115, 280, 0.5)

	points := kv.TableID(1)
	p := &Past{names: [][]byte{nil, append([]byte{10}, "eth.points"...)}}
	cost("old state", Options{Window: Window{Blocks: 90_000, Bytes: 1 << 30}}, func(h uint64) []Entry {
		var images []kv.BeforeImage
		for i := range uint64(perBlock) {
			images = append(images, imagesOf(points, h*perBlock+i, 100_000)...)
		}
		return p.entries(images)
	}, 115, 280, 0.5)
}

// countingFS counts the bytes that are written.
type countingFS struct {
	disk.FS
	written atomic.Int64 // merging writes beside
}

type countingFile struct {
	disk.File
	fs *countingFS
}

func (c *countingFS) Create(name string) (disk.File, error) {
	f, err := c.FS.Create(name)
	return &countingFile{f, c}, err
}

func (c *countingFile) WriteAt(b []byte, offset int64) (int, error) {
	c.fs.written.Add(int64(len(b)))
	return c.File.WriteAt(b, offset)
}
