package format

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func sampleRecord() *Record {
	p := Prelude{View: 2, Seqno: 7, Kind: KindTransaction, Effects: []Effect{{Protocol: "ethereum", Version: 1}}, Claims: Hash{1}, Evidence: Hash{2}}
	return &Record{Prelude: Encode(&p), Public: Encode([]Write{{Table: "public:coco.t", Key: []byte("k"), Value: []byte{}}}),
		Sealed: []Sealed{{Domain: ServiceDomain, Epoch: 1, Nonce: [12]byte{3}, Ciphertext: []byte{4, 5}}}}
}

func sampleHeader() *Header {
	return &Header{Height: 3, View: 2, FirstSeqno: 7, Count: 1, TreeSize: 7, Root: Hash{1}, Previous: Hash{2}, Prefix: Hash{3}, Committed: 2, Time: 99, Writer: Hash{4}}
}

func sampleBlock() []byte {
	b := Block{Header: sampleHeader().Encode(), Signature: []byte{9}, Records: [][]byte{sampleRecord().Encode()}}
	return b.Encode()
}

func TestRoundTrips(t *testing.T) {
	r, p, err := DecodeRecord(sampleRecord().Encode())
	if err != nil || p.Seqno != 7 || r.Sealed[0].Ciphertext[1] != 5 {
		t.Fatal(r, p, err)
	}
	w, err := r.PublicWrites()
	if err != nil || w[0].Value == nil {
		t.Fatalf("an empty value came back as a deletion: %v %v", w, err)
	}
	b, h, err := DecodeBlock(sampleBlock())
	if err != nil || h.Height != 3 || len(b.Records) != 1 || h.Section != nil {
		t.Fatal(b, h, err)
	}
	if peek, err := PeekHeader(sampleBlock()); err != nil || !bytes.Equal(peek.Encode(), h.Encode()) {
		t.Fatal(peek, err)
	}
}

func TestOneEncodingForEachMeaning(t *testing.T) {
	good := sampleBlock()
	for name, bad := range map[string][]byte{
		"trailing byte":     append(bytes.Clone(good), 0),
		"truncated":         good[:len(good)-1],
		"empty":             {},
		"indefinite length": {0x9f, 0xff},
		"long integer":      unhex(t, "8418004100f680"),
		"a map":             {0xa0},
	} {
		if _, _, err := DecodeBlock(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodePrivate(append((&Private{}).EncodePadded(), 1)); !errors.Is(err, ErrFormat) {
		t.Errorf("padding other than zeros: %v", err)
	}
	private := sampleRecord()
	private.Public = Encode([]Write{{Table: "eth.accounts", Key: []byte{1}}})
	if _, err := private.PublicWrites(); !errors.Is(err, ErrFormat) {
		t.Errorf("a private table in the public section: %v", err)
	}
}

func TestHeadersThatContradictThemselves(t *testing.T) {
	for name, change := range map[string]func(*Header){
		"no records":       func(h *Header) { h.Count = 0 },
		"tree size":        func(h *Header) { h.TreeSize = 8 },
		"seqno zero":       func(h *Header) { h.FirstSeqno, h.TreeSize = 0, 0 },
		"seqno overflow":   func(h *Header) { h.FirstSeqno = 1 << 63 },
		"committed itself": func(h *Header) { h.Committed = 3 },
		"section digest":   func(h *Header) { h.Section = []byte{1} },
	} {
		h := sampleHeader()
		change(h)
		if _, err := DecodeHeader(h.Encode()); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPaddingHidesLength(t *testing.T) {
	sizes := map[int]bool{}
	for n := range 1 << 16 {
		size := PaddedSize(n)
		if size < n || n > 256 && float64(size) > 1.12*float64(n) {
			t.Fatalf("%d bytes are padded to %d", n, size)
		}
		sizes[size] = true
	}
	if len(sizes) > 140 {
		t.Fatalf("%d different sizes reveal too much", len(sizes))
	}
}

func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Entry{Index: rapid.Uint64().Draw(t, "index"), Term: rapid.Uint64().Draw(t, "term"),
			Kind: EntryKind(rapid.IntRange(1, 3).Draw(t, "kind")), Body: rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "body")}
		frame := AppendFrame(nil, Hash{7}, e)
		if int64(len(frame)) != FrameSize(len(e.Body)) || len(frame)%FrameAlign != 0 {
			t.Fatalf("a frame of %d bytes", len(frame))
		}
		head, err := ParseFrameHead(frame)
		if err != nil {
			t.Fatal(err)
		}
		got, err := head.Entry(frame[FrameHead : FrameHead+head.Length])
		if err != nil || got.Index != e.Index || !bytes.Equal(got.Body, e.Body) || head.Previous != (Hash{7}) {
			t.Fatal(got, err)
		}
		flip := rapid.IntRange(0, (FrameHead+len(e.Body))*8-1).Draw(t, "bit")
		frame[flip/8] ^= 1 << (flip % 8)
		if head, err = ParseFrameHead(frame); err == nil && FrameHead+head.Length <= len(frame) {
			if _, err = head.Entry(frame[FrameHead : FrameHead+head.Length]); err == nil {
				t.Fatalf("bit %d was flipped and nobody noticed", flip)
			}
		}
	})
}

func TestPrefixNamesEveryField(t *testing.T) {
	base := Entry{Index: 1, Term: 2, Kind: EntryBlock, Body: []byte("b")}
	seen := map[Hash]bool{NextPrefix(Hash{}, &base): true, NextPrefix(Hash{1}, &base): true}
	for _, change := range []func(*Entry){
		func(e *Entry) { e.Index++ }, func(e *Entry) { e.Term++ }, func(e *Entry) { e.Kind++ }, func(e *Entry) { e.Body = []byte("c") },
	} {
		e := base
		change(&e)
		seen[NextPrefix(Hash{}, &e)] = true
	}
	if len(seen) != 6 {
		t.Fatalf("%d distinct prefix hashes, want 6", len(seen))
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzDecodeBlock(f *testing.F) {
	f.Add(sampleBlock())
	f.Fuzz(func(t *testing.T, data []byte) {
		b, h, err := DecodeBlock(data)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Encode(), data) || !bytes.Equal(h.Encode(), b.Header) {
			t.Fatal("two encodings of one block")
		}
		for _, r := range b.Records {
			record, prelude, err := DecodeRecord(r)
			if err == nil && !bytes.Equal(record.Encode(), r) {
				t.Fatal("two encodings of one record")
			}
			p, public, also := PeekRecord(r)
			if err == nil && (also != nil || !reflect.DeepEqual(p, prelude) || !bytes.Equal(public, record.Public)) {
				t.Fatal("a glance at a record shows something else", also)
			}
		}
	})
}

func FuzzPeekRecord(f *testing.F) {
	f.Add(sampleRecord().Encode())
	f.Add([]byte{0x83, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, p, err := DecodeRecord(data)
		peeked, public, also := PeekRecord(data)
		if also != nil && !errors.Is(also, ErrFormat) {
			t.Fatal(also)
		}
		if err == nil && (also != nil || !reflect.DeepEqual(p, peeked) || !bytes.Equal(public, r.Public)) {
			t.Fatal("a glance at a record shows something else", also)
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add(Encode(&Genesis{Mode: ModeSimulated, Secrets: Secrets{Commitments: []Commitment{{Domain: "service", Epoch: 1}}}}))
	f.Add(Encode(&Recovery{Route: RouteSealing}))
	f.Add(Encode(&RaftConfig{Changes: []ConfigChange{{RaftID: 1}}}))
	f.Add(Encode(&NodeInfo{Node: Node{RaftID: 2, Key: []byte{1}}, Status: NodeLearner, Address: "a:1"}))
	f.Add((&Private{Request: []byte{1}}).EncodePadded())
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []any{&Genesis{}, &Recovery{}, &SnapshotEvidence{}, &RaftConfig{}, &NodeInfo{}} {
			if err := Decode(data, into); err == nil && !bytes.Equal(Encode(into), data) {
				t.Fatalf("two encodings of one %T", into)
			}
		}
		if p, err := DecodePrivate(data); err == nil && !bytes.HasPrefix(data, Encode(p)) {
			t.Fatal("two encodings of one private part")
		}
	})
}
