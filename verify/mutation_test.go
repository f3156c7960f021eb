package verify

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// A mutation is a ledger that someone or something altered, and what the
// verifier must say of it: the block to name, and whether the alteration is a
// place without an intact frame, which alone may be a damaged tail.
type mutation struct {
	kind   string
	dir    fstest.MapFS
	height uint64
	damage bool // a place without an intact frame: must be damage exactly if committed
	tail   bool // with damage: nothing that is left says that what is missing was committed
	either bool // may be a damage or a finding
	cut    bool // cut at an entry: looks complete, only an anchor shows it
}

// frame is one frame of the original.
type frame struct {
	chunk  string
	offset int
	entry  *format.Entry
	header *format.Header
	due    uint64 // height of its block, or of the block that is due there
	bytes  []byte
	last   bool // in its chunk
}

func (f *frame) size() int { return len(f.bytes) }

// original is an unaltered ledger, taken apart.
type original struct {
	*author
	dir    fstest.MapFS
	names  []string
	frames []frame
}

func takeApart(a *author) *original {
	o := &original{author: a, dir: a.files()}
	o.names = slices.Sorted(maps.Keys(o.dir))
	name, offset, due := o.names[0], 0, uint64(0)
	for i := range a.entries {
		e := &a.entries[i]
		size := int(format.FrameSize(len(e.Body)))
		f := frame{chunk: name, offset: offset, entry: e, header: headerOf(e), due: due, bytes: o.dir[name].Data[offset : offset+size]}
		offset += size
		if f.header != nil {
			due++
			if f.header.ChunkEnd {
				f.last = true
				name, offset = chunkName(e.Index+1), 0
			}
		}
		o.frames = append(o.frames, f)
	}
	return o
}

// committed reports whether a block among these frames names the height as committed.
func committed(frames []frame, height uint64) bool {
	return slices.ContainsFunc(frames, func(f frame) bool { return f.header != nil && f.header.Committed >= height })
}

// behind is the frames that begin at or behind an offset, of later chunks too.
func (o *original) behind(k int) []frame { return o.frames[min(k, len(o.frames)):] }

// with is the directory with one file changed.
func (o *original) with(name string, data []byte) fstest.MapFS {
	dir := maps.Clone(o.dir)
	dir[name] = &fstest.MapFile{Data: data}
	return dir
}

// rewritten is a copy of the file of a frame in which change may alter bytes.
func (o *original) rewritten(name string, change func(data []byte)) fstest.MapFS {
	data := slices.Clone(o.dir[name].Data)
	change(data)
	return o.with(name, data)
}

// fix makes the frame at the start of data match its checksum again.
func fix(data []byte) {
	clear(data[12:16])
	length := int(binary.BigEndian.Uint32(data[8:]))
	if format.FrameHead+length <= len(data) {
		table := crc32.MakeTable(crc32.Castagnoli)
		binary.BigEndian.PutUint32(data[12:], crc32.Checksum(data[:format.FrameHead+length], table))
	}
}

// TestMutations alters a ledger in more than ten thousand ways and demands that
// each is named with its block and a reason.
func TestMutations(t *testing.T) {
	rememberVerdicts(t)
	o, other := takeApart(short(t, "one")), takeApart(short(t, "two"))
	m := &mutator{o: o, other: other, random: rand.New(rand.NewPCG(1, 2))}
	m.flippedBits(3200)
	m.sectors(600)
	m.truncatedFiles(900)
	m.chunks()
	m.frames()
	m.foreign()
	m.splicedRecords()
	m.bodies(1700)
	m.heads(900)
	m.headers()
	m.signatures()
	m.renumbered()
	if len(m.all) < 10_000 {
		t.Errorf("only %d mutations", len(m.all))
	}
	checkpoint, receipt := o.signedCheckpoint(), encodeReceipt(t, o.author)
	var counts sync.Map
	var failed atomic.Int64
	parallel(len(m.all), func(i int) {
		x := m.all[i]
		if err := x.check(checkpoint, receipt); err != nil && failed.Add(1) < 20 {
			t.Errorf("mutation %d, %s: %v", i, x.kind, err)
		}
		n, _ := counts.LoadOrStore(x.kind, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	})
	t.Logf("%d mutations, %d not named", len(m.all), failed.Load())
	counts.Range(func(kind, n any) bool {
		t.Logf("%6d %s", n.(*atomic.Int64).Load(), kind)
		return true
	})
}

func encodeReceipt(t testing.TB, a *author) []byte {
	data, err := a.receipt(a.tree.Size()).EncodeCOSE()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (x *mutation) check(checkpoint, receipt []byte) error {
	verify := func(o Options) (*Report, error) {
		o.AllowSimulated = true
		return Ledger(context.Background(), x.dir, o)
	}
	r, err := verify(Options{})
	if err != nil {
		return err
	}
	switch {
	case x.cut:
		if r.Result != Valid || r.Blocks != x.height {
			return fmt.Errorf("cut before block %d: %s with %d blocks: %v", x.height, r.Result, r.Blocks, r.Findings)
		}
		for want, o := range map[Code]Options{CheckpointTruncated: {Checkpoint: checkpoint}, ReceiptTruncated: {Receipt: receipt}} {
			if r, err = verify(o); err != nil || r.Result != Invalid || r.Findings[0].Code != want {
				return fmt.Errorf("cut before block %d is not found by %s: %v %v", x.height, want, r.Findings, err)
			}
		}
		return nil
	case r.Result == DamagedTail:
		if !x.damage && !x.either || !x.tail || r.Tail.Height != x.height || r.Tail.Reason == "" || len(r.Findings) > 0 {
			return fmt.Errorf("tail %+v where block %d is altered", r.Tail, x.height)
		}
		return nil
	case r.Result != Invalid || len(r.Findings) == 0:
		return fmt.Errorf("%s, although block %d is altered", r.Result, x.height)
	}
	f := r.Findings[0]
	if f.Height != x.height || f.Reason == "" || f.Code == "" || f.Chunk == "" {
		return fmt.Errorf("%v where block %d is altered", f, x.height)
	}
	if x.damage && (x.tail || f.Code != FrameDamaged) {
		return fmt.Errorf("%v where a frame of block %d is damaged, tail %v", f, x.height, x.tail)
	}
	return nil
}

// rememberVerdicts keeps the attestation verifier's verdicts for the test: it is
// a pure function, and by far the slowest part of checking a small ledger.
func rememberVerdicts(t testing.TB) {
	type question struct {
		report [32]byte
		want   attest.ReportData
		policy [32]byte
		at     time.Time
	}
	type answer struct {
		verdict attest.Verdict
		err     error
	}
	var known sync.Map
	production := judgeEvidence
	judgeEvidence = func(e attest.Evidence, want attest.ReportData, p attest.Policy, at time.Time, roots ...attest.Authority) (attest.Verdict, error) {
		encoded, err := e.Encode()
		if err != nil {
			return production(e, want, p, at, roots...)
		}
		digest, err := p.Digest()
		if err != nil {
			return production(e, want, p, at, roots...)
		}
		q := question{format.Sum(encoded), want, digest, at}
		if a, ok := known.Load(q); ok {
			return a.(answer).verdict, a.(answer).err
		}
		v, err := production(e, want, p, at, roots...)
		known.Store(q, answer{v, err})
		return v, err
	}
	t.Cleanup(func() { judgeEvidence = production })
}
