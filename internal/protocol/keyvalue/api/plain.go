package api

import (
	"bytes"

	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
)

// plain is a request of a form in which nothing is to be interpreted.
type plain struct {
	op     keyvalue.Op // 0 reads
	key    []byte      // part of what was parsed
	length int         // of the body
}

var (
	headEnd = []byte("\r\n\r\n")
	version = []byte(" HTTP/1.1\r\n")
)

// parse reads a request's head, with the empty line at its end. It knows requests
// without escapes and parameters in the path and with well-known fields, each once,
// that mean nothing special here; ok is false for all others.
func parse(head []byte) (p plain, ok bool) {
	method, rest, _ := bytes.Cut(head, []byte(" "))
	switch string(method) {
	case "PUT":
		p.op = keyvalue.Put
	case "DELETE":
		p.op = keyvalue.Delete
	case "GET":
	default:
		return p, false
	}
	path, fields, found := bytes.Cut(rest, version)
	key, ours := bytes.CutPrefix(path, []byte(prefix))
	if !found || !ours || len(key) == 0 || len(key) > keyvalue.MaxKey {
		return p, false
	}
	for _, c := range key {
		if !unreserved(c) {
			return p, false
		}
	}
	if p.key = key; string(key) == "." || string(key) == ".." {
		return p, false
	}
	host, length := false, false
	for len(fields) > 2 {
		line, after, _ := bytes.Cut(fields, headEnd[:2])
		fields = after
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			return p, false
		}
		for _, c := range value {
			if c < ' ' || c > '~' {
				return p, false
			}
		}
		value = bytes.Trim(value, " ")
		switch {
		case equal(name, "host"):
			if host || len(value) == 0 || !hostname(value) {
				return p, false
			}
			host = true
		case equal(name, "content-length"):
			if p.length, found = number(value); length || !found {
				return p, false
			}
			length = true
		case equal(name, "connection"):
			if !equal(value, "keep-alive") {
				return p, false
			}
		case equal(name, "user-agent"), equal(name, "accept"), equal(name, "accept-encoding"), equal(name, "content-type"):
		default:
			return p, false
		}
	}
	return p, host && length == (p.op == keyvalue.Put)
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

// number reads the length of a value that may be written.
func number(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > 6 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n <= keyvalue.MaxValue
}
