package format

import (
	"bytes"
	"errors"
	"testing"
)

// newer are encodings of a structure in a level that this build does not read:
// what it knows with another number, what it does not know, and what no build has.
func newer(fields int, rest []byte) [][]byte {
	number := Encode(uint64(Highest + 1))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	return [][]byte{
		join([]byte{0x80 | byte(fields)}, number, rest),
		join([]byte{0x80 | byte(fields+1)}, number, rest, Encode("more")),
		join([]byte{0x98, 25}, number, []byte("anything else")),
		join([]byte{0x82}, Encode(uint64(1<<60)), Encode("more")),
	}
}

func TestANewerLevelIsSaidToBeThat(t *testing.T) {
	for _, header := range newer(14, Encode(sampleHeader())[2:]) {
		if _, err := DecodeHeader(header); !errors.Is(err, ErrNewer) {
			t.Errorf("header %x: %v", header, err)
		}
		b := Block{Header: header, Signature: []byte{9}, Records: [][]byte{sampleRecord().Encode()}}
		if _, _, err := DecodeBlock(b.Encode()); !errors.Is(err, ErrNewer) {
			t.Errorf("a block with header %x: %v", header, err)
		}
		if _, err := PeekHeader(b.Encode()); !errors.Is(err, ErrNewer) {
			t.Errorf("a glance at header %x: %v", header, err)
		}
	}
	for _, prelude := range newer(7, sampleRecord().Prelude[2:]) {
		r := sampleRecord()
		r.Prelude = prelude
		if _, _, err := DecodeRecord(r.Encode()); !errors.Is(err, ErrNewer) {
			t.Errorf("prelude %x: %v", prelude, err)
		}
	}
	if CheckLevel(Highest) != nil || !errors.Is(CheckLevel(Highest+1), ErrNewer) {
		t.Error("levels are judged by something else than Highest")
	}
}

// A header has one form in each level that this build reads.
func TestHeadersOfEachLevel(t *testing.T) {
	var all [][]byte
	for level := range uint64(Highest + 1) {
		h := sampleHeader()
		h.Format = level
		data := h.Encode()
		if back, err := DecodeHeader(data); err != nil || back.Format != level || !bytes.Equal(back.Encode(), data) {
			t.Fatalf("level %d: %+v, %v", level, back, err)
		}
		all = append(all, data)
	}
	for level, data := range all {
		for other := range all {
			if other == level {
				continue
			}
			wrong := bytes.Clone(data)
			wrong[1] = byte(other)
			if _, err := DecodeHeader(wrong); !errors.Is(err, ErrFormat) {
				t.Errorf("a header of level %d that says %d: %v", level, other, err)
			}
		}
		for n := range data {
			if _, err := DecodeHeader(data[:n]); err == nil {
				t.Errorf("%d bytes of a header of level %d are one", n, level)
			}
		}
		if _, err := DecodeHeader(append(bytes.Clone(data), Encode("more")...)); !errors.Is(err, ErrFormat) {
			t.Errorf("a header of level %d and more behind it: %v", level, err)
		}
	}
}
