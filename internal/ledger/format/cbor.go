package format

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/coco-consortium/coco/internal/problem"
)

// ErrFormat is the kind of every refusal of bytes by this package.
var ErrFormat = problem.New("LEDGER_FORMAT", "the bytes are not in the ledger's format",
	"check that the file is a coco ledger and was copied whole")

// Limits on outside bytes. A block of maxBlock bytes is far above what a
// primary seals; nesting and lengths beyond these are refused before they cost memory.
const (
	MaxBody    = 64 << 20 // bytes of one entry's body
	MaxRecords = 1 << 16  // records in one block
	maxWrites  = 1 << 20  // writes of one record
)

var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   16,
		MaxArrayElements:  maxWrites,
		MaxMapPairs:       1 << 12,
		UTF8:              cbor.UTF8RejectInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options are constants: a wrong one is a fault of this file
	}
	return v
}

// Encode is the deterministic CBOR of v, one of this package's types or plain
// integers, strings, byte strings and arrays of them.
func Encode(v any) []byte {
	switch list := v.(type) {
	case []Write:
		v = writes(list)
	case *[]Write:
		v = writes(*list)
	}
	if e, ok := v.(encodable); ok {
		return e.Append(make([]byte, 0, e.size()))
	}
	return must(encoder.Marshal(v))
}

// Decode fills v from data, which must be exactly one canonical CBOR item. What a
// Scanner keeps of it are parts of data.
func Decode(data []byte, v any) error {
	if v, ok := v.(Scanner); ok {
		if rest, ok := scan(data, v); ok && len(rest) == 0 {
			return nil
		}
		reflect.ValueOf(v).Elem().SetZero() // the decoder says what is wrong
	}
	if err := decoder.Unmarshal(data, v); err != nil {
		return ErrFormat.From(err)
	}
	if !bytes.Equal(Encode(v), data) {
		return ErrFormat.From(fmt.Errorf("%T is not canonically encoded", v))
	}
	return nil
}

// decodePadded decodes the first CBOR item of data and demands zeros behind it.
func decodePadded(data []byte, v Scanner) error {
	rest, ok := scan(data, v)
	if !ok {
		return ErrFormat.From(fmt.Errorf("%T is not canonically encoded", v))
	}
	for _, b := range rest {
		if b != 0 {
			return ErrFormat.From(fmt.Errorf("%T has padding other than zeros", v))
		}
	}
	return nil
}
