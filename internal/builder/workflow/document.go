package workflow

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	mostBytes = 1 << 20 // of a configuration
	mostDepth = 32      // of objects and lists in each other
)

// node is a JSON value that knows where it stands.
type node struct {
	kind    byte // one of { [ " 0 t n: object, list, string, number, boolean, null
	at      place
	text    string // of a string its content, of a number and a boolean how it is written
	members []member
	items   []*node
}

type member struct {
	key   string
	at    place
	value *node
}

// member is the last value of a key, as most readers take it, or nil.
func (n *node) member(key string) *node {
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// syntaxError says where a text stops being JSON.
type syntaxError struct {
	at   place
	what string
}

func (e *syntaxError) Error() string { return e.what }

// reader reads RFC 8259 with places. It advances monotonically, so that lines
// and columns cost nothing extra.
type reader struct {
	data         []byte
	pos          int
	counted      int // up to here line and start are right
	line, column int
	depth        int
}

// readDocument reads one JSON value that fills data; a byte order mark may stand before it.
func readDocument(data []byte) (n *node, err error) {
	if len(data) >= 3 && string(data[:3]) == "\xef\xbb\xbf" {
		data = data[3:]
	}
	r := &reader{data: data, line: 1, column: 1}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *syntaxError:
			n, err = nil, e
		default:
			panic(e)
		}
	}()
	r.space()
	n = r.value()
	r.space()
	if r.pos < len(r.data) {
		r.fail("nothing may follow the end of the object, and %s does", r.here())
	}
	return n, nil
}

// fail ends the reading; only readDocument recovers it.
func (r *reader) fail(format string, args ...any) {
	panic(&syntaxError{r.place(), fmt.Sprintf(format, args...)})
}

// place is that of pos, which never goes back.
func (r *reader) place() place {
	for end := min(r.pos, len(r.data)); r.counted < end; r.counted++ {
		switch c := r.data[r.counted]; {
		case c == '\n':
			r.line, r.column = r.line+1, 1
		case utf8.RuneStart(c):
			r.column++
		}
	}
	return place{r.line, r.column}
}

// here names what stands at pos, for messages.
func (r *reader) here() string {
	if r.pos >= len(r.data) {
		return "the end of the file"
	}
	c, _ := utf8.DecodeRune(r.data[r.pos:])
	return fmt.Sprintf("%q", c)
}

func (r *reader) space() {
	for r.pos < len(r.data) && strings.IndexByte(" \t\r\n", r.data[r.pos]) >= 0 {
		r.pos++
	}
}

func (r *reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

func (r *reader) value() *node {
	n := &node{at: r.place()}
	switch c := r.peek(); {
	case c == '{':
		n.kind = '{'
		r.enter()
		r.object(n)
	case c == '[':
		n.kind = '['
		r.enter()
		r.list(n)
	case c == '"':
		n.kind, n.text = '"', r.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind, n.text = '0', r.number()
	default:
		n.text = r.word()
		n.kind = 't'
		if n.text == "null" {
			n.kind = 'n'
		}
	}
	return n
}

func (r *reader) enter() {
	if r.depth++; r.depth > mostDepth {
		r.fail("objects and lists are more than %d deep in each other", mostDepth)
	}
	r.pos++
	r.space()
}

func (r *reader) object(n *node) {
	for r.peek() != '}' {
		if len(n.members) > 0 {
			r.comma('}')
		}
		if r.peek() != '"' {
			r.fail("a key in double quotes should stand here, not %s", r.here())
		}
		m := member{at: r.place()}
		m.key = r.str()
		r.space()
		if r.peek() != ':' {
			r.fail("a colon should follow the key %q, not %s", m.key, r.here())
		}
		r.pos++
		r.space()
		m.value = r.value()
		n.members = append(n.members, m)
		r.space()
	}
	r.depth--
	r.pos++
}

func (r *reader) list(n *node) {
	for r.peek() != ']' {
		if len(n.items) > 0 {
			r.comma(']')
		}
		n.items = append(n.items, r.value())
		r.space()
	}
	r.depth--
	r.pos++
}

// comma stands between two values, and not before the end.
func (r *reader) comma(end byte) {
	if r.peek() != ',' {
		r.fail("a comma or %q should stand here, not %s", end, r.here())
	}
	r.pos++
	r.space()
	if r.peek() == end {
		r.fail("no comma may stand before %q", end)
	}
}

func (r *reader) str() string {
	start, at := r.pos, r.place()
	for r.pos++; ; r.pos++ {
		switch c := r.peek(); {
		case r.pos >= len(r.data):
			panic(&syntaxError{at, "this text is not closed by a double quote"})
		case c == '\\':
			r.pos++
		case c < 0x20:
			r.fail("a text may not go over the end of a line, nor hold control characters; write \\n or \\u%04x", c)
		case c == '"':
			r.pos++
			var s string
			if err := json.Unmarshal(r.data[start:r.pos], &s); err != nil {
				r.fail("the text before this place has an unknown escape; a backslash is written \\\\")
			}
			return s
		}
	}
}

// number is checked whole by the standard library.
func (r *reader) number() string {
	start := r.pos
	for strings.IndexByte("+-.0123456789eE", r.peek()) >= 0 && r.pos < len(r.data) {
		r.pos++
	}
	s := r.data[start:r.pos]
	if !json.Valid(s) {
		r.fail("%.40q before this place is no number", s)
	}
	return string(s)
}

func (r *reader) word() string {
	for _, w := range []string{"true", "false", "null"} {
		if strings.HasPrefix(string(r.data[r.pos:min(r.pos+len(w), len(r.data))]), w) {
			r.pos += len(w)
			return w
		}
	}
	r.fail("a value should stand here, not %s", r.here())
	return ""
}
