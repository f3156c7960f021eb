package attest

import (
	"bytes"
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// Deterministic CBOR, RFC 8949 4.2.1. The limits hold before memory is spent.
var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8RejectInvalid,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   12,
		MaxArrayElements:  maxList,
		MaxMapPairs:       64,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constants and plain structures: an error is a fault of this package
	}
	return v
}

func encode(v any) []byte { return must(encoder.Marshal(v)) }

// decode fills v from exactly one canonical item.
func decode(data []byte, v any) error {
	if err := decoder.Unmarshal(data, v); err != nil {
		return err
	}
	if !bytes.Equal(encode(v), data) {
		return errors.New("not canonically encoded")
	}
	return nil
}
