package jsonrpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// scanner walks over JSON text (RFC 8259) once: it checks the grammar and the
// limits and gives the places of values, but builds nothing. Strings are left
// escaped; whoever needs their text decodes the few that matter.
type scanner struct {
	b      []byte
	i      int
	depth  int // levels still allowed
	digits int // characters of a number
}

var (
	errEnd   = errors.New("unexpected end of JSON input")
	errDepth = errors.New("JSON is nested too deeply")
	errDigit = errors.New("a JSON number has too many digits")
)

// space skips insignificant white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// next is the first byte of the next token, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// end reports an error if anything but white space follows.
func (s *scanner) end() error {
	if s.next() != 0 || s.i < len(s.b) {
		return s.bad()
	}
	return nil
}

func (s *scanner) bad() error {
	if s.i >= len(s.b) {
		return errEnd
	}
	return fmt.Errorf("invalid character %q at byte %d", s.b[s.i], s.i)
}

// value passes one value and gives its text.
func (s *scanner) value() ([]byte, error) {
	s.space()
	start := s.i
	err := s.skip()
	return s.b[start:s.i], err
}

func (s *scanner) skip() error {
	switch c := s.next(); {
	case c == '"':
		return s.str()
	case c == '{':
		return s.object(func([]byte, []byte) error { return nil })
	case c == '[':
		return s.array(func([]byte) error { return nil })
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case c == '-' || isDigit(c):
		return s.number()
	}
	return s.bad()
}

// object passes an object and gives each member's name, without its quotes and
// as written, and value.
func (s *scanner) object(member func(name, value []byte) error) error {
	return s.list('{', '}', func() error {
		if s.next() != '"' {
			return s.bad()
		}
		start := s.i + 1
		if err := s.str(); err != nil {
			return err
		}
		name := s.b[start : s.i-1]
		if s.next() != ':' {
			return s.bad()
		}
		s.i++
		value, err := s.value()
		if err != nil {
			return err
		}
		return member(name, value)
	})
}

// array passes an array and gives each element.
func (s *scanner) array(element func(value []byte) error) error {
	return s.list('[', ']', func() error {
		value, err := s.value()
		if err != nil {
			return err
		}
		return element(value)
	})
}

// list passes open, items separated by commas, and close.
func (s *scanner) list(open, close byte, item func() error) error {
	if s.next() != open {
		return s.bad()
	}
	if s.depth == 0 {
		return errDepth
	}
	s.depth--
	s.i++
	if s.next() == close {
		s.i++
		s.depth++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.i++
		case close:
			s.i++
			s.depth++
			return nil
		default:
			return s.bad()
		}
	}
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return s.bad()
	}
	s.i += len(w)
	return nil
}

// Patterns in each of eight bytes.
const (
	ones = 0x0101010101010101
	tops = 0x80 * ones
)

// plain passes eight bytes at a time that stand for themselves in a string: no
// quote, no backslash, no control character. A byte below n makes the top bit of
// its place in x - n*ones&^x one; so does at most a byte above it that is as good.
func (s *scanner) plain() {
	for ; len(s.b)-s.i >= 8; s.i += 8 {
		x := binary.LittleEndian.Uint64(s.b[s.i:])
		quote, slash := x^'"'*ones, x^'\\'*ones
		if ((x-' '*ones)&^x|(quote-ones)&^quote|(slash-ones)&^slash)&tops != 0 {
			return
		}
	}
}

func (s *scanner) str() error {
	s.i++
	s.plain()
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.bad()
		default:
			s.i++
		}
	}
	return errEnd
}

func (s *scanner) escape() error {
	s.i++
	if s.i == len(s.b) {
		return errEnd
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			if s.i == len(s.b) {
				return errEnd
			}
			if !isHex(s.b[s.i]) {
				return s.bad()
			}
			s.i++
		}
		return nil
	}
	return s.bad()
}

func (s *scanner) number() error {
	start := s.i
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if err := s.run(); err != nil {
		return err
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if err := s.run(); err != nil {
			return err
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if err := s.run(); err != nil {
			return err
		}
	}
	if s.i-start > s.digits {
		return errDigit
	}
	return nil
}

// run passes one or more digits.
func (s *scanner) run() error {
	start := s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		s.i++
	}
	if s.i == start {
		return s.bad()
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
