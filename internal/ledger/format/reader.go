package format

import (
	"encoding/binary"
	"reflect"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Scanner is a type that reads its own encoding: exactly what Encode writes for it,
// and nothing else. Decode uses it where there is one, which is several times
// cheaper than reflection and copies no bytes: byte strings are parts of the data.
type Scanner interface{ Scan(*Reader) }

// Reader reads canonical CBOR (RFC 8949 4.2.1) item by item. The first item that is
// not what it is asked for, or has a longer head than it needs, makes it fail, and
// everything behind it is zero.
type Reader struct {
	data   []byte
	failed bool
}

// scan fills v from the front of data and reports whether it could, and what is
// behind. If not, v is zero.
func scan(data []byte, v Scanner) (rest []byte, ok bool) {
	r := readers.Get().(*Reader)
	r.data = data
	v.Scan(r)
	rest, ok = r.data, !r.failed
	*r = Reader{}
	readers.Put(r)
	if !ok {
		reflect.ValueOf(v).Elem().SetZero()
	}
	return rest, ok
}

// readers are reused: what a Scanner is given is allocated otherwise.
var readers = sync.Pool{New: func() any { return new(Reader) }}

// Major types of CBOR (RFC 8949 3.1), and its simple values.
const (
	majorNumber = 0
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	no          = 0xf4
	yes         = 0xf5
	null        = 0xf6
)

func (r *Reader) fail() {
	r.data, r.failed = nil, true
}

// head reads the head of an item of a major type.
func (r *Reader) head(major byte) uint64 {
	if len(r.data) == 0 || r.data[0]>>5 != major {
		r.fail()
		return 0
	}
	short, b := r.data[0]&31, r.data[1:]
	var n, least uint64
	size := 0
	switch {
	case short < 24:
		n = uint64(short)
	case short == 24 && len(b) >= 1:
		n, least, size = uint64(b[0]), 24, 1
	case short == 25 && len(b) >= 2:
		n, least, size = uint64(binary.BigEndian.Uint16(b)), 1<<8, 2
	case short == 26 && len(b) >= 4:
		n, least, size = uint64(binary.BigEndian.Uint32(b)), 1<<16, 4
	case short == 27 && len(b) >= 8:
		n, least, size = binary.BigEndian.Uint64(b), 1<<32, 8
	default:
		r.fail()
		return 0
	}
	if n < least {
		r.fail()
		return 0
	}
	r.data = b[size:]
	return n
}

// take splits off n bytes.
func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// null reads a null, if one is next.
func (r *Reader) null() bool {
	if len(r.data) == 0 || r.data[0] != null {
		return false
	}
	r.data = r.data[1:]
	return true
}

// Struct reads the head of a structure of n fields.
func (r *Reader) Struct(n uint64) {
	if r.head(majorArray) != n {
		r.fail()
	}
}

// Uint reads an unsigned integer.
func (r *Reader) Uint() uint64 { return r.head(majorNumber) }

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	b := r.take(1)
	if r.failed || b[0] != no && b[0] != yes {
		r.fail()
		return false
	}
	return b[0] == yes
}

// Bytes reads a byte string, which stays a part of the data; null is nil.
func (r *Reader) Bytes() []byte {
	if r.null() {
		return nil
	}
	return r.take(r.head(majorBytes))
}

// Fixed reads a byte string of the size of into.
func (r *Reader) Fixed(into []byte) {
	n := r.head(majorBytes)
	if n != uint64(len(into)) {
		r.fail()
	}
	copy(into, r.take(n))
}

// Text reads a text string.
func (r *Reader) Text() string {
	b := r.take(r.head(majorText))
	if !utf8.Valid(b) {
		r.fail()
		return ""
	}
	return names.of(b)
}

// List reads a list of values that one function reads; null is nil. Each takes one
// byte at least, so that a long list needs long data.
func List[T any](r *Reader, item func(*Reader, *T)) []T {
	if r.null() {
		return nil
	}
	n := r.head(majorArray)
	if n > maxWrites || n > uint64(len(r.data)) {
		r.fail()
	}
	if r.failed {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		if item(r, &list[i]); r.failed {
			return nil
		}
	}
	return list
}

// names keeps short texts, which are names of tables, protocols and domains: there
// are few, and each is in every record.
var names nameCache

type nameCache [64]atomic.Pointer[string]

func (c *nameCache) of(b []byte) string {
	if len(b) == 0 || len(b) > 64 {
		return string(b)
	}
	slot := &c[(uint(b[0])+uint(b[len(b)-1])*7+uint(len(b))*31)%uint(len(c))]
	if known := slot.Load(); known != nil && *known == string(b) {
		return *known
	}
	name := string(b)
	slot.Store(&name)
	return name
}
