package gateway

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"
)

// timeForm is how times are written: UTC without a zone and up to seven
// decimals, as clients of Workbench know them.
const timeForm = "2006-01-02T15:04:05.9999999"

// writer appends JSON to a buffer, without reflection and without a copy of what
// is written. Members are written in the order of the calls; who calls closes
// what was opened.
type writer struct{ b []byte }

// comma separates from what stands before, if anything does.
func (w *writer) comma() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

// open begins an object, as a member's value or an array's element.
func (w *writer) open() { w.comma(); w.b = append(w.b, '{') }

// close ends the object.
func (w *writer) close() { w.b = append(w.b, '}') }

// array begins an array, as a member's value.
func (w *writer) array() { w.comma(); w.b = append(w.b, '[') }

// end ends the array.
func (w *writer) end() { w.b = append(w.b, ']') }

// key begins a member; its value follows. Names need no escape.
func (w *writer) key(name string) *writer {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
	return w
}

func (w *writer) null(name string) { w.b = append(w.key(name).b, "null"...) }

func (w *writer) integer(name string, v int) { w.b = strconv.AppendInt(w.key(name).b, int64(v), 10) }

// number is a whole number without a sign.
func (w *writer) number(name string, v uint64) { w.b = strconv.AppendUint(w.key(name).b, v, 10) }

// identity is an id, or null for none.
func (w *writer) identity(name string, id int) {
	if id == 0 {
		w.null(name)
		return
	}
	w.integer(name, id)
}

func (w *writer) boolean(name string, v bool) { w.b = strconv.AppendBool(w.key(name).b, v) }

func (w *writer) text(name, v string) { w.b = appendString(w.key(name).b, v) }

// optional is a text, or null when there is none.
func (w *writer) optional(name, v string) {
	if v == "" {
		w.null(name)
		return
	}
	w.text(name, v)
}

// time is a time as timeForm says, or null for no time.
func (w *writer) time(name string, t time.Time) {
	if t.IsZero() {
		w.null(name)
		return
	}
	b := append(w.key(name).b, '"')
	w.b = append(t.UTC().AppendFormat(b, timeForm), '"')
}

// hex is bytes as 0x and hexadecimal digits.
func (w *writer) hex(name string, v []byte) {
	b := append(w.key(name).b, '"', '0', 'x')
	w.b = append(hex.AppendEncode(b, v), '"')
}

// amount is a whole number of any size, written with all its digits.
func (w *writer) amount(name string, v *big.Int) {
	if v == nil {
		v = new(big.Int)
	}
	w.b = v.Append(w.key(name).b, 10)
}

// raw is JSON that was made elsewhere.
func (w *writer) raw(name string, v []byte) {
	if len(v) == 0 {
		w.null(name)
		return
	}
	w.b = append(w.key(name).b, v...)
}

// string is an array's element.
func (w *writer) string(v string) { w.comma(); w.b = appendString(w.b, v) }

// strings is an array of texts.
func (w *writer) strings(name string, list []string) {
	w.key(name).array()
	for _, s := range list {
		w.string(s)
	}
	w.end()
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string (RFC 8259, 7). Bytes that are no UTF-8
// become U+FFFD; line separators are escaped for those who paste into JavaScript.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[start:i]...), '\\', 'u', '2', '0', '2', hexDigits[r&15])
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
