package catchup

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// FuzzFrames reads arbitrary bytes as a stream of frames: what comes out is what
// frames of a chain say, byte for byte.
func FuzzFrames(f *testing.F) {
	d := newDonor(f, crash.New())
	d.pad = 10
	d.chunks(2, 2)
	data, _, err := d.log.Frames(1, 4, 1<<20)
	must(f, err)
	f.Add(data, false)
	f.Add(data[512:], true)
	f.Add(data[:700], false)
	f.Add(append(bytes.Clone(data[:1024]), data...), false)
	f.Fuzz(func(t *testing.T, data []byte, loose bool) {
		r := &frames{from: bytes.NewReader(data), index: 1, loose: loose}
		var again []byte
		for {
			e, previous, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				if !errors.Is(err, errLie) && !errors.Is(err, ErrDiverges) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				break
			}
			again = format.AppendFrame(again, previous, e)
		}
		if !bytes.HasPrefix(data, again) {
			t.Fatal("entries that are not what was sent")
		}
	})
}

// FuzzFields reads header fields and documents.
func FuzzFields(f *testing.F) {
	f.Add(reprDigest(format.Hash{1}), "bytes 1-2/3", format.Encode(Chunk{First: 1}))
	f.Add("sha-512=:AA==:, "+reprDigest(format.Hash{2}), "bytes */3", format.Encode(Position{Index: 7}))
	f.Add("sha-256=::", "bytes -1-2/*", format.Encode([]Snapshot{{Height: 1}}))
	f.Fuzz(func(t *testing.T, digest, span string, doc []byte) {
		if d, err := parseDigest(digest); err == nil {
			if again, err := parseDigest(reprDigest(d)); err != nil || again != d {
				t.Fatal("a digest is not itself")
			}
		}
		contentRange(span)
		var p Position
		var c Chunk
		var s []Snapshot
		for _, into := range []any{&p, &c, &s} {
			if format.Decode(doc, into) == nil && !bytes.Equal(format.Encode(into), doc) {
				t.Fatal("a document has two encodings")
			}
		}
	})
}

// A head that promises a long body costs no more memory than what comes.
func TestPromisedBodyCostsNothing(t *testing.T) {
	e := format.Entry{Index: 1, Term: 2, Kind: format.EntryBlock, Body: make([]byte, 32<<20)}
	head := format.AppendFrame(nil, format.Hash{}, &e)[:600]
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := &frames{from: bytes.NewReader(head), index: 1}
			if _, _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 4<<20 {
		t.Fatalf("%d bytes for a body that did not come", got)
	}
}
