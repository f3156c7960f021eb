package contract

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Arguments reads one value for each of the function's parameters. Numbers are
// decimal or hexadecimal and may have a unit (1.5ether, 2gwei), addresses are
// checked, bytes are hexadecimal, lists are [a,b] and tuples (a,b); inside them
// a string with a comma or a bracket stands in double quotes.
func (f *Function) Arguments(texts []string) ([]Value, error) {
	if len(texts) != len(f.Inputs) {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", f.Signature(), len(f.Inputs), len(texts))
	}
	values := make([]Value, len(texts))
	for i, p := range f.Inputs {
		v, err := p.Type.parse(texts[i])
		if err != nil {
			return nil, fmt.Errorf("argument %d (%s): %w", i+1, strings.TrimSpace(p.Type.text+" "+p.Name), err)
		}
		values[i] = v
	}
	return values, nil
}

// parse reads a value that is not inside another.
func (t *Type) parse(text string) (Value, error) {
	if t.kind != kindString {
		return t.inner(text)
	}
	return Value{Type: t, data: []byte(text)}, nil
}

// inner reads a value that may stand in a list.
func (t *Type) inner(text string) (v Value, err error) {
	text = strings.TrimSpace(text)
	v.Type = t
	switch t.kind {
	case kindUint, kindInt:
		v.data, err = t.number(text)
	case kindBool:
		v.data = make([]byte, word)
		switch text {
		case "true":
			v.data[word-1] = 1
		case "false":
		default:
			err = errors.New("write true or false")
		}
	case kindAddress:
		var a common.Address
		a, err = Address(text)
		v.data = append(make([]byte, word-20, word), a[:]...)
	case kindFixed, kindBytes:
		digits, ok := strings.CutPrefix(text, "0x")
		if v.data, err = hex.DecodeString(digits); !ok || err != nil {
			return v, errors.New("write bytes in hexadecimal, such as 0x00ff")
		}
		if t.kind == kindFixed {
			if len(v.data) != t.size {
				return v, fmt.Errorf("%d bytes instead of %d", len(v.data), t.size)
			}
			v.data = append(v.data, make([]byte, word-t.size)...)
		}
	case kindString:
		if strings.HasPrefix(text, `"`) {
			if text, err = strconv.Unquote(text); err != nil {
				return v, errors.New("a quoted string is written as in JSON")
			}
		}
		v.data = []byte(text)
	case kindSlice, kindArray:
		v.list, err = t.elements(text)
	case kindTuple:
		v.list, err = t.members(text)
	}
	return v, err
}

func (t *Type) elements(text string) ([]Value, error) {
	parts, err := split(text, '[', ']')
	if err != nil {
		return nil, err
	}
	if t.kind == kindArray && len(parts) != t.size {
		return nil, fmt.Errorf("%d values instead of %d", len(parts), t.size)
	}
	list := make([]Value, len(parts))
	for i, part := range parts {
		if list[i], err = t.elem.inner(part); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (t *Type) members(text string) ([]Value, error) {
	parts, err := split(text, '(', ')')
	if err != nil {
		return nil, err
	}
	if len(parts) != len(t.fields) {
		return nil, fmt.Errorf("%d members instead of %d", len(parts), len(t.fields))
	}
	list := make([]Value, len(parts))
	for i, part := range parts {
		if list[i], err = t.fields[i].Type.inner(part); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// split gives what stands between brackets, parted by the commas that are in no
// inner brackets and in no quotes.
func split(text string, open, end byte) ([]string, error) {
	if len(text) < 2 || text[0] != open || text[len(text)-1] != end {
		return nil, fmt.Errorf("write it in brackets, %ca,b%c", open, end)
	}
	text = text[1 : len(text)-1]
	var parts []string
	depth, begin, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	if depth != 0 || quoted {
		return nil, errors.New("a bracket or a quote is not closed")
	}
	if begin == 0 && strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return append(parts, text[begin:]), nil
}

// Address reads an address. One in mixed case must have the right checksum
// (EIP-55): whoever mistyped it is told.
func Address(text string) (common.Address, error) {
	if !common.IsHexAddress(text) || !strings.HasPrefix(text, "0x") {
		return common.Address{}, errors.New("an address is 0x and 40 hexadecimal digits")
	}
	a := common.HexToAddress(text)
	if digits := text[2:]; digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && text != a.Hex() {
		return common.Address{}, fmt.Errorf("the capitals of %s do not fit its digits (EIP-55): a digit is wrong, or it is %s", text, a.Hex())
	}
	return a, nil
}

// units are what an amount may be given in, as powers of ten of a wei.
var units = map[string]int{"": 0, "wei": 0, "gwei": 9, "ether": 18, "eth": 18}

// maxDigits bounds a number from a person; 2^256 has 78 digits.
const maxDigits = 100

// Amount reads a number of wei, such as 1000, 0x3e8, 2gwei or 1.5ether.
func Amount(text string) (*big.Int, error) {
	t := &Type{kind: kindUint, size: 256, text: "uint256"}
	w, err := t.number(text)
	return new(big.Int).SetBytes(w), err
}

// number reads a number into a word.
func (t *Type) number(text string) ([]byte, error) {
	n, err := integer(text)
	if err != nil {
		return nil, err
	}
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(t.size))
	if t.kind == kindInt {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	if n.Cmp(low) < 0 || n.Cmp(high) >= 0 {
		return nil, fmt.Errorf("%v does not fit %s", n, t)
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	return n.FillBytes(make([]byte, word)), nil
}

func integer(text string) (*big.Int, error) {
	bad := errors.New("write a number, such as 42, 0x2a or 1.5ether")
	digits, negative := strings.CutPrefix(text, "-")
	base, places := 10, 0
	if x, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = x, 16
	} else {
		end := strings.IndexAny(digits, "abcdefghijklmnopqrstuvwxyz")
		if end < 0 {
			end = len(digits)
		}
		exponent, ok := units[digits[end:]]
		whole, part, _ := strings.Cut(digits[:end], ".")
		if places = exponent - len(part); !ok || whole == "" || places < 0 {
			return nil, bad
		}
		digits = whole + part
	}
	if len(digits) == 0 || len(digits) > maxDigits || strings.ContainsAny(digits, "+-_") {
		return nil, bad
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, bad
	}
	n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
	if negative {
		n.Neg(n)
	}
	return n, nil
}

// Ether is an amount of wei in ether, exactly.
func Ether(wei *big.Int) string {
	digits := fmt.Sprintf("%019s", wei)
	whole, part := digits[:len(digits)-18], strings.TrimRight(digits[len(digits)-18:], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}
