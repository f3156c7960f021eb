package front

import (
	"bytes"
	"io"
)

// Request is a plain request. Method, Path, Host and ContentType are parts of what
// is read next: they end with the first Read.
type Request struct {
	Method, Path, Host []byte
	ContentType        []byte // nil for none
	Length             int    // of the body; -1: none was stated

	head   int // bytes
	left   int // of the body
	read   bool
	waited bool // for the body
	conn   *conn
}

// maxLength is the longest body of a plain request, in digits.
const maxLength = 9

var (
	headEnd = []byte("\r\n\r\n")
	version = []byte(" HTTP/1.1\r\n")
)

// parse reads a request's head, with the empty line at its end. It knows well-known
// fields, each once; ok is false for all others.
func parse(head []byte) (r Request, ok bool) {
	var rest, fields []byte
	r.head, r.Length = len(head), -1
	r.Method, rest, _ = bytes.Cut(head, []byte(" "))
	if r.Path, fields, ok = bytes.Cut(rest, version); !ok || len(r.Path) == 0 || r.Path[0] != '/' {
		return r, false
	}
	switch string(r.Method) {
	case "GET", "POST", "PUT", "DELETE":
	default:
		return r, false
	}
	for _, c := range r.Path {
		if !unreserved(c) && c != '/' {
			return r, false
		}
	}
	for len(fields) > 2 {
		line, after, _ := bytes.Cut(fields, headEnd[:2])
		fields = after
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || !r.field(name, value) {
			return r, false
		}
	}
	r.left = max(r.Length, 0)
	return r, r.Host != nil
}

// field takes a field in, or reports that it is not plain.
func (r *Request) field(name, value []byte) bool {
	for _, c := range value {
		if c < ' ' || c > '~' {
			return false
		}
	}
	value = bytes.Trim(value, " ")
	switch {
	case equal(name, "host"):
		if r.Host != nil || len(value) == 0 || !hostname(value) {
			return false
		}
		r.Host = value
	case equal(name, "content-length"):
		n, ok := number(value)
		if r.Length >= 0 || !ok {
			return false
		}
		r.Length = n
	case equal(name, "content-type"):
		if r.ContentType != nil || len(value) == 0 {
			return false
		}
		r.ContentType = value
	case equal(name, "connection"):
		return equal(value, "keep-alive")
	case equal(name, "user-agent"), equal(name, "accept"), equal(name, "accept-encoding"), equal(name, "accept-language"), equal(name, "sec-fetch-mode"):
	default:
		return false
	}
	return true
}

// unreserved is RFC 3986, 2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func hostname(value []byte) bool {
	for _, c := range value {
		if !unreserved(c) && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

// equal compares a name with one in small letters.
func equal(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// number reads the length of a body.
func number(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > maxLength {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// Wait is called before a request without a body waits for something: from then on
// the client's leaving is noticed. It ends what Read ends.
func (r *Request) Wait() {
	if r.begin(); r.left == 0 {
		r.conn.listen()
	}
}

// Read reads the body. When that was read the client's leaving is noticed.
func (r *Request) Read(p []byte) (int, error) {
	r.begin()
	if r.left == 0 {
		return 0, io.EOF
	}
	c := r.conn
	if c.in.Buffered() == 0 && !r.waited {
		r.waited = true
		if err := c.limit(c.server.others.ReadTimeout, 0); err != nil {
			return 0, err
		}
	}
	n, err := c.in.Read(p[:min(len(p), r.left)])
	if r.left -= n; r.left == 0 {
		c.listen()
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// begin takes the head out of the way.
func (r *Request) begin() {
	if !r.read {
		r.read = true
		_, _ = r.conn.in.Discard(r.head)
	}
}
