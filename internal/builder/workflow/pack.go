package workflow

import (
	"errors"
	"math/big"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/ethereum/go-ethereum/common/math"
)

// Packing and unpacking follow the contract ABI specification of Solidity
// ("Formal Specification of the Encoding"): static values in the head, dynamic
// ones behind it with their offset in the head.

// pack is value -> bytes of a tuple or of a list's items.
func pack(parts []shape, values []value) ([]byte, error) {
	var head, tail []byte
	offset := heads(parts)
	for i := range parts {
		b, err := packOne(&parts[i], values[i])
		if err != nil {
			return nil, err
		}
		if parts[i].dynamic() {
			head = append(head, word(int64(offset+len(tail)))...)
			tail = append(tail, b...)
		} else {
			head = append(head, b...)
		}
	}
	return append(head, tail...), nil
}

func packOne(s *shape, v value) ([]byte, error) {
	switch s.kind {
	case 'u', 'i':
		if !within256(s, v.n) {
			return nil, problem.Newf("VALUE_RANGE", "give a number that the contract's type holds", "%s does not fit the contract's type %s", v.n, s.text)
		}
		return math.U256Bytes(new(big.Int).Set(v.n)), nil
	case 'b', 'a':
		return math.U256Bytes(new(big.Int).Set(v.n)), nil
	case 's':
		b := make([]byte, 32+(len(v.s)+31)/32*32)
		copy(b, word(int64(len(v.s))))
		copy(b[32:], v.s)
		return b, nil
	case '(':
		return pack(s.parts, v.list)
	case '[':
		if s.length >= 0 && s.length != len(v.list) {
			return nil, problem.Newf("VALUE_LENGTH", "give as many elements as the contract's array has", "there are %d elements, and the contract's array has %d", len(v.list), s.length)
		}
		b, err := pack(repeat(s.element, len(v.list)), v.list)
		if err != nil || s.length >= 0 {
			return b, err
		}
		return append(word(int64(len(v.list))), b...), nil
	}
	return nil, problem.Newf("VALUE_TYPE", "use a type that App Builder knows", "values of the contract's type %s cannot be written", s.text)
}

// within256 is that n fits the width and sign of an integer.
func within256(s *shape, n *big.Int) bool {
	if s.kind == 'u' {
		return n.Sign() >= 0 && n.BitLen() <= s.bits
	}
	if n.Sign() < 0 { // -2^(bits-1) is the least
		return new(big.Int).Not(n).BitLen() < s.bits
	}
	return n.BitLen() < s.bits
}

func word(n int64) []byte { return math.U256Bytes(big.NewInt(n)) }

func repeat(s *shape, n int) []shape {
	list := make([]shape, n)
	for i := range list {
		list[i] = *s
	}
	return list
}

var errShort = errors.New("the bytes are not what the contract's types say")

// unpacker reads what a contract or a stranger wrote. Offsets may point anywhere
// and to the same place often, so the work is bounded by left.
type unpacker struct{ left int }

// unpack is bytes -> values of a tuple. It never takes more than a small
// multiple of data's size, whatever data says.
func unpack(parts []shape, data []byte) ([]value, error) {
	u := &unpacker{left: 2*len(data) + 1024}
	return u.tuple(parts, data)
}

func (u *unpacker) spend(n int) error {
	if u.left -= n; u.left < 0 {
		return errShort
	}
	return nil
}

func (u *unpacker) tuple(parts []shape, data []byte) ([]value, error) {
	list := make([]value, len(parts))
	at := 0
	for i := range parts {
		var err error
		if list[i], err = u.one(&parts[i], data, at); err != nil {
			return nil, err
		}
		at += parts[i].head()
	}
	return list, nil
}

// one reads the value whose head is at this place of data, from whose start offsets count.
func (u *unpacker) one(s *shape, data []byte, at int) (value, error) {
	if at+s.head() > len(data) {
		return value{}, errShort
	}
	if s.dynamic() {
		if err := u.spend(32); err != nil {
			return value{}, err
		}
		offset, ok := small(data[at:], len(data))
		if !ok {
			return value{}, errShort
		}
		data, at = data[offset:], 0
	}
	switch s.kind {
	case 'u', 'i', 'b', 'a':
		return value{n: integer(s, data[at:at+32])}, u.spend(32)
	case 's':
		length, ok := small(data, len(data)-32)
		if !ok || u.spend(32+length) != nil {
			return value{}, errShort
		}
		return value{s: presentable(data[32 : 32+length])}, nil
	case '(':
		list, err := u.tuple(s.parts, data[at:])
		return value{list: list}, err
	case '[':
		data = data[at:]
		length := s.length
		if length < 0 {
			var ok bool
			if length, ok = small(data, len(data)-32); !ok {
				return value{}, errShort
			}
			data = data[32:]
		}
		if each := s.element.head(); length > len(data)/each || u.spend(32*length) != nil {
			return value{}, errShort
		}
		list, err := u.tuple(repeat(s.element, length), data)
		return value{list: list}, err
	}
	return value{}, errShort
}

// small reads a word that is an offset or a length of at most most.
func small(data []byte, most int) (int, bool) {
	if len(data) < 32 {
		return 0, false
	}
	n := new(big.Int).SetBytes(data[:32])
	if !n.IsInt64() || n.Int64() > int64(most) {
		return 0, false
	}
	return int(n.Int64()), true
}

// integer reads a word and, as Solidity does, only the bits of its type.
func integer(s *shape, word []byte) *big.Int {
	n := new(big.Int).SetBytes(word)
	switch s.kind {
	case 'u':
		low(n, s.bits)
	case 'a':
		low(n, 160)
	case 'b':
		n.SetInt64(int64(n.Sign()))
	case 'i':
		if low(n, s.bits); n.Bit(s.bits-1) == 1 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(s.bits)))
		}
	}
	return n
}

func low(n *big.Int, bits int) {
	n.And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1)))
}

// presentable is text as every database and page can hold it.
func presentable(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "�"), "\x00", "�")
}
