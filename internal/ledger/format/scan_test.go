package format

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// scanned are the types that read themselves.
func scanned() []Scanner {
	return []Scanner{new(Block), new(Header), new(Record), new(Prelude), new(Sealed), new(Private), new(writes)}
}

// samples are encodings of all of them, with nulls and empty lists too.
func samples() [][]byte {
	header := sampleHeader()
	header.Section, header.ChunkEnd, header.Time = make([]byte, 32), true, 1<<63
	list := [][]byte{sampleBlock(), header.Encode(), sampleHeader().Encode(), sampleRecord().Encode(), sampleRecord().Prelude, sampleRecord().Public,
		Encode(&Private{}), Encode(&Private{Request: []byte{}, Writes: []Write{}}), Encode(&Block{Records: [][]byte{nil, {}}}), Encode(&Record{}), Encode(&Prelude{}),
		Encode(&Private{Request: bytes.Repeat([]byte{7}, 300), NativeID: make([]byte, 70000), Writes: []Write{{Table: "eth.accounts", Key: []byte{1}}, {Value: []byte{}}}}),
		Encode(&Prelude{Format: 23, View: 24, Seqno: 255, Kind: 256, Effects: []Effect{{Protocol: "ethereum", Version: 65536}, {Protocol: "é", Version: 1 << 32}}}), {0xf6}, {0x80}, {0xf7}, {}}
	for _, v := range scanned() {
		list = append(list, Encode(v))
	}
	return list
}

// same demands that a type reads itself as the decoder reads it: it takes the same
// bytes for the same value.
func same(t interface{ Fatalf(string, ...any) }, data []byte) {
	for i, fast := range scanned() {
		slow := scanned()[i]
		rest, ok := scan(data, fast)
		ok = ok && len(rest) == 0
		want := decoder.Unmarshal(data, slow) == nil && bytes.Equal(Encode(slow), data)
		if ok != want {
			t.Fatalf("%T reads %x: %t, the decoder: %t", fast, data, ok, want)
		}
		if ok && !reflect.DeepEqual(fast, slow) {
			t.Fatalf("%T reads %x as %+v, the decoder as %+v", fast, data, fast, slow)
		}
	}
}

func TestScanIsDecode(t *testing.T) {
	for _, data := range samples() {
		same(t, data)
		for i := range data {
			same(t, data[:i])
			for _, b := range []byte{0, 1, 0x17, 0x18, 0x40, 0x58, 0x60, 0x80, 0x83, 0x98, 0xf4, 0xf6, 0xff, data[i] + 1, data[i] ^ 0x80} {
				if i < 300 {
					same(t, append(append(bytes.Clone(data[:i]), b), data[i+1:]...))
				}
			}
		}
		same(t, append(bytes.Clone(data), 0))
	}
}

func TestScanOfAnything(t *testing.T) {
	bs := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	})
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Write {
			return Write{Table: rapid.String().Draw(t, "table"), Key: bs.Draw(t, "key"), Value: bs.Draw(t, "value")}
		})).Draw(t, "writes")
		same(t, Encode(w))
		same(t, Encode(&Private{Request: bs.Draw(t, "request"), Events: bs.Draw(t, "events"), Writes: w}))
		same(t, Encode(&Prelude{View: rapid.Uint64().Draw(t, "view"), Effects: []Effect{{Protocol: rapid.String().Draw(t, "name"), Version: rapid.Uint64().Draw(t, "version")}}}))
		same(t, Encode(&Block{Header: bs.Draw(t, "header"), Records: rapid.SliceOf(bs).Draw(t, "records")}))
	})
}

// FuzzScan holds the types that read themselves to the decoder, on any bytes.
func FuzzScan(f *testing.F) {
	for _, data := range samples() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}

// A record is read without copying: only what is built is allocated.
func TestScanAllocates(t *testing.T) {
	stored := sampleRecord().Encode()
	private := (&Private{Request: make([]byte, 200), Writes: []Write{{Table: "eth.accounts", Key: make([]byte, 20), Value: make([]byte, 40)}}}).EncodePadded()
	for _, c := range []struct {
		what string
		most float64
		read func() error
	}{
		{"a block", 3, func() error { _, _, err := DecodeBlock(sampled); return err }},  // block, header, list
		{"a record", 4, func() error { _, _, err := DecodeRecord(stored); return err }}, // record, prelude, two lists
		{"its plaintext", 2, func() error { _, err := DecodePrivate(private); return err }},
		{"a header", 1, func() error { _, err := PeekHeader(sampled); return err }},
	} {
		if got := testing.AllocsPerRun(100, func() {
			if err := c.read(); err != nil {
				t.Fatal(err)
			}
		}); got > c.most {
			t.Errorf("reading %s allocates %v times, at most %v are needed", c.what, got, c.most)
		}
	}
}

var sampled = sampleBlock()

func BenchmarkDecodeRecord(b *testing.B) {
	stored := sampleRecord().Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeRecord(stored); err != nil {
			b.Fatal(err)
		}
	}
}
