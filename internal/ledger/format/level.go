package format

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/problem"
)

// A ledger says which format level is in force (TableFormat): nothing in it is
// written in a higher one. Genesis sets Founding; a KindFormat record raises it,
// which needs every node to read the new one. A build reads all levels up to
// Highest, and writes the one that is in force.

// Founding is the level with which networks are founded. Level 0 may still change
// (with an ADR); a release build founds no network of it.
const Founding = 0

// ErrNewer says that something is written in a level above Highest: the bytes may
// well be right.
var ErrNewer = problem.New("LEDGER_FORMAT_NEWER", "the ledger was written by a newer build than this one",
	"use a build that reads that format level; coco version says which one a build reads up to")

// CheckLevel fails with ErrNewer for a level that this build does not read.
func CheckLevel(level uint64) error {
	if level > Highest {
		return ErrNewer.From(fmt.Errorf("format level %d, this build reads up to %d", level, uint64(Highest)))
	}
	return nil
}

// DecodeLevelled is Decode for a structure that begins with its format level. One
// above Highest is ErrNewer, whatever else the structure has.
func DecodeLevelled(data []byte, v any) error {
	level, err := levelOf(data)
	if err == nil {
		if err := CheckLevel(level); err != nil {
			return err
		}
	}
	return Decode(data, v)
}

// levelOf is the first field of an encoded structure of up to 255 fields.
func levelOf(data []byte) (level uint64, err error) {
	switch {
	case len(data) > 1 && data[0] >= 0x80 && data[0] < 0x98:
		data = data[1:]
	case len(data) > 2 && data[0] == 0x98:
		data = data[2:]
	default:
		return 0, errors.New("not a structure")
	}
	r := Reader{data: data}
	if level = r.Uint(); r.failed {
		var long uint64 // as it is, but with a longer head than it needs
		_, err = decoder.UnmarshalFirst(data, &long)
		level = long
	}
	return level, err
}

// headerArray begins a header of level 0, an array of 14 fields (RFC 8949 3.1).
const headerArray = 0x8e

// extend adds what a header has in its level behind the fields of level 0.
func extend(level uint64, header []byte) []byte {
	if level > Highest || len(trailers[level]) == 0 {
		return header
	}
	header[0]++
	return append(header, trailers[level]...)
}

// reduce takes away what extend added.
func reduce(header []byte) ([]byte, error) {
	level, err := levelOf(header)
	if err != nil {
		return header, nil // Decode says what is wrong
	}
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	trailer := trailers[level]
	if len(trailer) == 0 {
		return header, nil
	}
	if header[0] != headerArray+1 || !bytes.HasSuffix(header, trailer) {
		return nil, ErrFormat.From(fmt.Errorf("a header of level %d without its last field", level))
	}
	header = bytes.Clone(header[:len(header)-len(trailer)])
	header[0] = headerArray
	return header, nil
}
