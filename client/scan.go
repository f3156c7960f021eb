package client

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

// cursor reads JSON (RFC 8259) in one pass, value by value, for answers of many
// megabytes: encoding/json reads them four times over. Whatever is wrong ends in
// err, after which every method gives zero values. It is no validator: of what it
// passes over it sees only where that ends.
type cursor struct {
	text  []byte
	at    int
	depth int
	err   error
}

// maxDepth is how deep values may lie in each other: calls go 1,024 deep, each in a
// list in an object.
const maxDepth = 2*1024 + 64

func (s *cursor) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("%s at byte %d", what, s.at)
	}
}

// peek is the first byte of the next value or sign, 0 at the end and after an error.
func (s *cursor) peek() byte {
	for s.err == nil && s.at < len(s.text) {
		switch b := s.text[s.at]; b {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return b
		}
	}
	return 0
}

// take passes a sign, and reports whether it was there.
func (s *cursor) take(b byte) bool {
	if s.peek() != b {
		return false
	}
	s.at++
	return true
}

// quoted gives what is between the next quotes, escapes as they are.
func (s *cursor) quoted() []byte {
	if !s.take('"') {
		s.fail("no string")
		return nil
	}
	from := s.at
	for {
		i := bytes.IndexByte(s.text[s.at:], '"')
		if i < 0 {
			s.fail("a string without end")
			return nil
		}
		s.at += i + 1
		escapes := 0
		for j := s.at - 2; j >= from && s.text[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return s.text[from : s.at-1]
		}
	}
}

// object calls member for each member, with its name. A value that it does not
// read is passed over.
func (s *cursor) object(member func(name []byte)) {
	s.list('{', '}', func() {
		name := s.quoted()
		if !s.take(':') {
			s.fail("no colon")
		}
		if s.err != nil {
			return
		}
		before := s.at
		if member(name); s.at == before {
			s.skip()
		}
	})
}

// array calls element for each element.
func (s *cursor) array(element func()) {
	s.list('[', ']', func() {
		before := s.at
		if element(); s.at == before {
			s.skip()
		}
	})
}

func (s *cursor) list(open, end byte, item func()) {
	if !s.take(open) {
		s.fail(fmt.Sprintf("no %c", open))
		return
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("values in values without end")
	}
	defer func() { s.depth-- }()
	if s.take(end) {
		return
	}
	for s.err == nil {
		if item(); s.take(end) {
			return
		}
		if !s.take(',') {
			s.fail("no comma")
		}
	}
}

// skip passes over a value.
func (s *cursor) skip() {
	depth := 0
	for {
		switch s.peek() {
		case 0:
			s.fail("no value")
			return
		case '"':
			s.quoted()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':':
			if depth == 0 {
				s.fail("no value")
				return
			}
			s.at++
		default:
			s.word()
		}
		if depth < 0 {
			s.fail("no value")
		}
		if depth == 0 || s.err != nil {
			return
		}
	}
}

// word gives a number, true, false or null.
func (s *cursor) word() []byte {
	from := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ',', ':', ']', '}', '[', '{', '"', ' ', '\t', '\n', '\r':
			return s.text[from:s.at]
		}
		s.at++
	}
	return s.text[from:s.at]
}

// raw gives a value as it stands.
func (s *cursor) raw() []byte {
	s.peek()
	from := s.at
	s.skip()
	if s.err != nil {
		return nil
	}
	return s.text[from:s.at]
}

// null passes null, and reports whether it was there.
func (s *cursor) null() bool {
	if s.peek() != 'n' {
		return false
	}
	if string(s.word()) != "null" {
		s.fail("no value")
	}
	return true
}

// words gives a text.
func (s *cursor) words() string {
	from := s.at
	q := s.quoted()
	if bytes.IndexByte(q, '\\') < 0 {
		return string(q)
	}
	var out string
	if s.err == nil && json.Unmarshal(s.text[from:s.at], &out) != nil {
		s.fail("no string")
	}
	return out
}

// digits gives what follows 0x.
func (s *cursor) digits() []byte {
	q := s.quoted()
	if len(q) < 2 || q[0] != '0' || q[1] != 'x' {
		s.fail("nothing hexadecimal")
		return nil
	}
	return q[2:]
}

func (s *cursor) data() []byte {
	digits := s.digits()
	out := make([]byte, len(digits)/2)
	s.into(out, digits)
	return out
}

func (s *cursor) into(out, digits []byte) {
	if len(digits) != 2*len(out) {
		s.fail("data of another length")
		return
	}
	if _, err := hex.Decode(out, digits); err != nil {
		s.fail("data that is not hexadecimal")
	}
}

func (s *cursor) hash() (h common.Hash) {
	s.into(h[:], s.digits())
	return h
}

func (s *cursor) address() (a common.Address) {
	s.into(a[:], s.digits())
	return a
}

// optional is an address or null.
func (s *cursor) optional() *common.Address {
	if s.null() {
		return nil
	}
	a := s.address()
	return &a
}

func (s *cursor) quantity() (n uint64) {
	digits := s.digits()
	if len(digits) == 0 || len(digits) > 16 {
		s.fail("a quantity that is none or above 64 bits")
	}
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			n = n<<4 | uint64(d-'0')
		case 'a' <= d && d <= 'f':
			n = n<<4 | uint64(d-'a'+10)
		case 'A' <= d && d <= 'F':
			n = n<<4 | uint64(d-'A'+10)
		default:
			s.fail("a quantity that is not hexadecimal")
			return 0
		}
	}
	return n
}

func (s *cursor) big() *big.Int {
	digits := s.digits()
	n, ok := new(big.Int), false
	if len(digits) > 0 && len(digits) <= 64 && digits[0] != '-' && digits[0] != '+' && digits[0] != '_' {
		n, ok = n.SetString(string(digits), 16)
	}
	if !ok {
		s.fail("a quantity that is none or above 256 bits")
		return new(big.Int)
	}
	return n
}
