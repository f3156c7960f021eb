package contract

import (
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
)

// Value is a value of a type. It has the name of its field, if that has one.
type Value struct {
	Name string
	Type *Type
	data []byte  // of an elementary value: its word, or the bytes of bytes and string
	list []Value // members or elements
	hash bool    // data is the hash of the value, all that a topic has of it
}

// maxShown is how many bytes of one value people are shown.
const maxShown = 1 << 10

// Text is the value on one line: numbers in decimal, addresses with checksum,
// strings quoted, members with their names. What is long is cut.
func (v *Value) Text() string {
	switch {
	case v.hash:
		return "hash 0x" + hex.EncodeToString(v.data)
	case v.Type.kind == kindString:
		return shorten(strconv.Quote(strings.ToValidUTF8(string(v.data[:min(len(v.data), maxShown)]), "\uFFFD")), len(v.data))
	case v.Type.kind == kindBytes:
		return shorten("0x"+hex.EncodeToString(v.data[:min(len(v.data), maxShown)]), len(v.data))
	case v.Type.kind == kindTuple:
		return "(" + Line(v.list) + ")"
	case v.Type.kind == kindSlice || v.Type.kind == kindArray:
		return "[" + Line(v.list) + "]"
	}
	return v.plain()
}

// Line is values with their names on one line.
func Line(values []Value) string {
	var b strings.Builder
	for i := range values {
		if b.Len() > 4*maxShown {
			return b.String() + ", … " + strconv.Itoa(len(values)-i) + " more"
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if values[i].Name != "" {
			b.WriteString(Printable(values[i].Name) + "=")
		}
		b.WriteString(values[i].Text())
	}
	return b.String()
}

func shorten(text string, size int) string {
	if size > maxShown {
		return text + "… (" + strconv.Itoa(size) + " bytes)"
	}
	return text
}

// plain is the text of an elementary value.
func (v *Value) plain() string {
	switch v.Type.kind {
	case kindUint:
		return new(big.Int).SetBytes(v.data).String()
	case kindInt:
		return signed(v.data).String()
	case kindBool:
		return strconv.FormatBool(v.data[word-1] == 1)
	case kindAddress:
		return common.BytesToAddress(v.data).Hex()
	case kindFixed:
		return "0x" + hex.EncodeToString(v.data[:v.Type.size])
	case kindString:
		return string(v.data)
	}
	return "0x" + hex.EncodeToString(v.data)
}

// MarshalJSON implements json.Marshaler: name, type and value. A number is a
// string in decimal, because JSON's are cut to 53 bits by many readers; what is
// in a topic as a hash only is {"hash": …}.
func (v Value) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name  string `json:"name,omitempty"`
		Type  string `json:"type"`
		Value any    `json:"value"`
	}{v.Name, v.Type.text, v.bare()})
}

// bare is the value for JSON without names and types; a tuple whose members all
// have names is an object.
func (v *Value) bare() any {
	if v.hash {
		return map[string]string{"hash": "0x" + hex.EncodeToString(v.data)}
	}
	switch v.Type.kind {
	case kindBool:
		return v.data[word-1] == 1
	case kindTuple, kindSlice, kindArray:
		list, named := make([]any, len(v.list)), map[string]any{}
		for i := range v.list {
			list[i] = v.list[i].bare()
			if name := v.list[i].Name; name != "" {
				named[name] = list[i]
			}
		}
		if len(named) == len(list) && len(list) > 0 {
			return named
		}
		return list
	}
	return v.plain()
}

// Printable makes text from outside harmless on a terminal: control characters,
// marks that change the direction of writing, and what is not UTF-8 are escaped.
func Printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
