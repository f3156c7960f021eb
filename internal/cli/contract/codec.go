package contract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// word is the unit of the encoding in bytes.
const word = 32

// maxValues bounds how many values are decoded of one message, with a string
// counted by its words.
const maxValues = 1 << 18

var (
	errShort = errors.New("the data ends early or points outside itself")
	errRange = errors.New("a value is not one of its type")
	errMany  = fmt.Errorf("more than %d values", maxValues)
)

// decode reads the values of fields. What follows them is ignored, as contracts do.
func decode(fields []Field, data []byte) ([]Value, error) {
	d := decoder{left: maxValues}
	return d.members(fields, data)
}

type decoder struct{ left int }

// spend takes n from what may still be decoded.
func (d *decoder) spend(n int) error {
	if d.left -= n; d.left < 0 {
		return errMany
	}
	return nil
}

// members reads one value for each field; offsets count from the begin of data.
func (d *decoder) members(fields []Field, data []byte) ([]Value, error) {
	values := make([]Value, len(fields))
	at := 0
	for i, f := range fields {
		v, err := d.element(f.Type, data, at)
		if err != nil {
			return nil, err
		}
		v.Name = f.Name
		values[i] = v
		at += f.Type.span() * word
	}
	return values, nil
}

// elements reads n values of one type.
func (d *decoder) elements(t *Type, n int, data []byte) ([]Value, error) {
	if n > d.left {
		return nil, errMany
	}
	if n*t.span()*word > len(data) {
		return nil, errShort
	}
	values := make([]Value, n)
	for i := range values {
		v, err := d.element(t, data, i*t.span()*word)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// element reads a value whose head is at a place of data.
func (d *decoder) element(t *Type, data []byte, at int) (Value, error) {
	if t.dynamic() {
		offset, err := number(data, at)
		if err != nil {
			return Value{}, err
		}
		at = offset
	}
	if at > len(data) {
		return Value{}, errShort
	}
	return d.value(t, data[at:])
}

// value reads a value that data begins with.
func (d *decoder) value(t *Type, data []byte) (v Value, err error) {
	if err := d.spend(1); err != nil {
		return v, err
	}
	v.Type = t
	switch t.kind {
	case kindTuple:
		v.list, err = d.members(t.fields, data)
	case kindArray:
		v.list, err = d.elements(t.elem, t.size, data)
	case kindSlice:
		var n int
		if n, err = number(data, 0); err == nil {
			v.list, err = d.elements(t.elem, n, data[word:])
		}
	case kindBytes, kindString:
		var n int
		if n, err = number(data, 0); err != nil {
			break
		}
		if n > len(data)-word {
			return v, errShort
		}
		v.data = data[word : word+n : word+n]
		err = d.spend(n / word)
	default:
		if len(data) < word {
			return v, errShort
		}
		v.data = data[:word:word]
		err = t.check(v.data)
	}
	return v, err
}

// number reads a length or an offset.
func number(data []byte, at int) (int, error) {
	if at+word > len(data) {
		return 0, errShort
	}
	w := data[at : at+word]
	n := binary.BigEndian.Uint64(w[word-8:])
	if !zero(w[:word-8]) || n > 1<<40 {
		return 0, errShort
	}
	return int(n), nil
}

// check says whether a word is a value of an elementary type.
func (t *Type) check(w []byte) error {
	padding := w[:0]
	switch t.kind {
	case kindUint:
		padding = w[:word-t.size/8]
	case kindAddress:
		padding = w[:word-20]
	case kindFixed:
		padding = w[t.size:]
	case kindBool:
		padding = w[:word-1]
		if w[word-1] > 1 {
			return errRange
		}
	case kindInt:
		padding = w[:word-t.size/8]
		if w[len(padding)]&0x80 != 0 { // negative: ones go on to the left
			if len(bytes.Trim(padding, "\xff")) > 0 {
				return errRange
			}
			return nil
		}
	}
	if !zero(padding) {
		return errRange
	}
	return nil
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// signed is the number of a two's complement word.
func signed(w []byte) *big.Int {
	n := new(big.Int).SetBytes(w)
	if w[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	return n
}

// encode writes values one after the other, what is dynamic behind all heads.
func encode(values []Value) []byte {
	size := 0
	for i := range values {
		size += values[i].Type.span() * word
	}
	var head, tail []byte
	for i := range values {
		part := values[i].encode()
		if values[i].Type.dynamic() {
			head = appendNumber(head, size+len(tail))
			tail = append(tail, part...)
		} else {
			head = append(head, part...)
		}
	}
	return append(head, tail...)
}

func (v *Value) encode() []byte {
	switch v.Type.kind {
	case kindSlice:
		return append(appendNumber(nil, len(v.list)), encode(v.list)...)
	case kindArray, kindTuple:
		return encode(v.list)
	case kindBytes, kindString:
		padding := (word - len(v.data)%word) % word
		return append(append(appendNumber(nil, len(v.data)), v.data...), make([]byte, padding)...)
	}
	return v.data
}

func appendNumber(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint64(append(b, make([]byte, word-8)...), uint64(n))
}
