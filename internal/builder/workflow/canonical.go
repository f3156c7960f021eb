package workflow

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// writeValue is value -> text, in the one form that databases, answers and
// messages have: decimal numbers, lower case 0x addresses, true and false, the
// index of an enum's member, arrays as [1,2] and ["a"], structs as
// {"Field":1} in the order of the fields.
func writeValue(t *Type, roles map[string]bool, v value) string {
	if formOf(t, roles) == formText {
		return v.s
	}
	var b strings.Builder
	writeJSON(&b, t, roles, v)
	return strings.Trim(b.String(), `"`) // an address by itself stands without quotes
}

// writeJSON writes a value as a part of an array or struct.
func writeJSON(b *strings.Builder, t *Type, roles map[string]bool, v value) {
	switch formOf(t, roles) {
	case formText:
		b.WriteString(quote(v.s))
	case formAddress:
		b.WriteString(quote(lower(v)))
	case formBool:
		if v.n.Sign() != 0 {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case formArray:
		b.WriteByte('[')
		for i := range v.list {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, t.ElementType, roles, v.list[i])
		}
		b.WriteByte(']')
	case formStruct:
		b.WriteByte('{')
		for i := range v.list {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(t.Fields[i].Name))
			b.WriteByte(':')
			writeJSON(b, &t.Fields[i].Type, roles, v.list[i])
		}
		b.WriteByte('}')
	default:
		b.WriteString(v.n.String())
	}
}

// lower is an address as text in lower case, so that equal ones are equal texts.
func lower(v value) string {
	return strings.ToLower(common.BigToAddress(v.n).Hex())
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
