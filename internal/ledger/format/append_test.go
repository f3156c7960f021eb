package format

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// blob is bytes of any length at which a head grows, or nil.
func blob(t *rapid.T, name string) []byte {
	n := rapid.SampledFrom([]int{-1, 0, 1, 23, 24, 32, 255, 256, 65535, 65536}).Draw(t, name)
	if n < 0 {
		return nil
	}
	return bytes.Repeat([]byte{byte(n)}, n)
}

func number(t *rapid.T, name string) uint64 {
	return rapid.OneOf(rapid.SampledFrom([]uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}), rapid.Uint64()).Draw(t, name)
}

func text(t *rapid.T, name string) string {
	return rapid.SampledFrom([]string{"", "eth.accounts", "öffentlich", string(bytes.Repeat([]byte("x"), 300))}).Draw(t, name)
}

// list is nil, empty or longer.
func list[T any](t *rapid.T, name string, one func() T) []T {
	n := rapid.SampledFrom([]int{-1, 0, 1, 3, 23, 24}).Draw(t, name)
	if n < 0 {
		return nil
	}
	l := make([]T, n)
	for i := range l {
		l[i] = one()
	}
	return l
}

// TestHandEncodesAsTheEncoder gives both every shape of each structure that has
// an encoding by hand.
func TestHandEncodesAsTheEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		write := func() Write { return Write{Table: text(t, "table"), Key: blob(t, "key"), Value: blob(t, "value")} }
		sealed := func() Sealed {
			return Sealed{Domain: text(t, "domain"), Epoch: number(t, "epoch"), Nonce: [12]byte{3}, Ciphertext: blob(t, "cipher")}
		}
		effect := func() Effect { return Effect{Protocol: text(t, "protocol"), Version: number(t, "version")} }
		var v any
		switch rapid.IntRange(0, 6).Draw(t, "structure") {
		case 0:
			v = list(t, "writes", write)
		case 1:
			l := list(t, "writes", write)
			v = &l
		case 2:
			s := sealed()
			v = &s
		case 3:
			v = &Prelude{Format: number(t, "format"), View: number(t, "view"), Seqno: number(t, "seqno"), Kind: RecordKind(number(t, "kind")),
				Effects: list(t, "effects", effect), Claims: Hash{1}, Evidence: Hash{2}}
		case 4:
			v = &Private{Request: blob(t, "request"), Caller: blob(t, "caller"), Outcome: blob(t, "outcome"), Events: blob(t, "events"),
				NativeID: blob(t, "id"), Writes: list(t, "writes", write), ClaimsSeed: blob(t, "seed")}
		case 5:
			v = &Record{Prelude: blob(t, "prelude"), Public: blob(t, "public"), Sealed: list(t, "sealed", sealed)}
		case 6:
			v = &Block{Header: blob(t, "header"), Signature: blob(t, "signature"), Section: blob(t, "section"),
				Records: list(t, "records", func() []byte { return blob(t, "record") })}
		}
		want := must(encoder.Marshal(v))
		if got := Encode(v); !bytes.Equal(got, want) {
			t.Fatalf("%T by hand:\n%x\nby the encoder:\n%x", v, got, want)
		}
		switch s := v.(type) {
		case []Write:
			if writes(s).size() < len(want) {
				t.Fatalf("size %d, is %d", writes(s).size(), len(want))
			}
		case encodable:
			if s.size() != len(want) {
				t.Fatalf("%T: size %d, is %d", v, s.size(), len(want))
			}
		}
	})
}

// TestBodyIsTheBlock fills a body's places in any order.
func TestBodyIsTheBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		block := &Block{Header: append([]byte{1}, blob(t, "header")...), Signature: append([]byte{2}, blob(t, "signature")...),
			Section: blob(t, "section"), Records: [][]byte{}}
		var sizes []int
		for range rapid.SampledFrom([]int{0, 1, 23, 24, 260}).Draw(t, "records") {
			block.Records = append(block.Records, append([]byte{3}, bytes.Repeat([]byte{4}, rapid.SampledFrom([]int{0, 23, 255, 1000}).Draw(t, "size"))...))
			sizes = append(sizes, len(block.Records[len(block.Records)-1]))
		}
		body := NewBody(rapid.SampledFrom([]int{0, len(block.Section)}).Draw(t, "room"), sizes)
		for i := len(sizes) - 1; i >= 0; i-- {
			if place := body.Record(i); cap(place) != sizes[i] || len(place) != 0 {
				t.Fatalf("record %d has a place of %d", i, cap(place))
			}
			copy(body.Record(i)[:sizes[i]], block.Records[i])
		}
		if got := body.Finish(block.Header, block.Signature, block.Section); !bytes.Equal(got, block.Encode()) {
			t.Fatalf("%d bytes, the block has %d", len(got), len(block.Encode()))
		}
	})
}
