package contract

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

type kind uint8

const (
	kindUint    kind = iota // size in bits
	kindInt                 // size in bits
	kindBool                //
	kindAddress             //
	kindFixed               // size in bytes, at most 32
	kindBytes               //
	kindString              //
	kindSlice               // of elem
	kindArray               // size of elem
	kindTuple               // fields
)

// Type is a type of the ABI.
type Type struct {
	kind   kind
	size   int
	elem   *Type
	fields []Field
	words  int // of 32 bytes, that it takes in the head of what contains it
	text   string
}

// Field is a parameter, a result or a member of a tuple. Its name may be empty.
type Field struct {
	Name    string
	Type    *Type
	Indexed bool // of an event's parameter: it stands in a topic
}

// Limits of types.
const (
	maxDepth = 16
	maxWords = 1 << 16
)

// String is the type in its canonical form, as selectors have it.
func (t *Type) String() string { return t.text }

// dynamic reports that the head holds only the offset of the value.
func (t *Type) dynamic() bool { return t.words < 0 }

// span is how many words of the head the type takes.
func (t *Type) span() int {
	if t.dynamic() {
		return 1
	}
	return t.words
}

var errType = errors.New("not a type of Solidity's ABI")

// newType makes the type of a name such as "uint256[2][]" or "tuple[]", whose
// members are fields.
func newType(name string, fields []Field) (*Type, error) {
	base, dimensions, array := strings.Cut(name, "[")
	t, err := elementary(base, fields)
	if err != nil || !array {
		return t, err
	}
	if strings.Count(dimensions, "[") >= maxDepth {
		return nil, fmt.Errorf("%s: nested too deep", Printable(name))
	}
	for d := range strings.SplitSeq(dimensions, "[") {
		count, ok := strings.CutSuffix(d, "]")
		if !ok {
			return nil, fmt.Errorf("%s: %w", Printable(name), errType)
		}
		elem := t
		t = &Type{kind: kindSlice, elem: elem, words: -1, text: elem.text + "[]"}
		if count == "" {
			continue
		}
		n, err := strconv.ParseUint(count, 10, 31)
		if err != nil || n == 0 || n > maxWords || int(n)*elem.span() > maxWords {
			return nil, fmt.Errorf("%s: an array of 1 to %d values", Printable(name), maxWords)
		}
		t = &Type{kind: kindArray, size: int(n), elem: elem, words: int(n) * elem.span(), text: elem.text + "[" + count + "]"}
		if elem.dynamic() {
			t.words = -1
		}
	}
	return t, nil
}

func elementary(name string, fields []Field) (*Type, error) {
	switch name {
	case "address":
		return &Type{kind: kindAddress, words: 1, text: name}, nil
	case "bool":
		return &Type{kind: kindBool, words: 1, text: name}, nil
	case "string":
		return &Type{kind: kindString, words: -1, text: name}, nil
	case "bytes":
		return &Type{kind: kindBytes, words: -1, text: name}, nil
	case "function": // an address and a selector
		return &Type{kind: kindFixed, size: 24, words: 1, text: name}, nil
	case "uint", "int":
		name += "256"
	case "tuple":
		return tuple(fields)
	}
	for prefix, k := range map[string]kind{"uint": kindUint, "int": kindInt, "bytes": kindFixed} {
		digits, ok := strings.CutPrefix(name, prefix)
		size, err := strconv.Atoi(digits)
		if !ok || err != nil || strconv.Itoa(size) != digits || size < 1 {
			continue
		}
		if k == kindFixed && size <= 32 || k != kindFixed && size <= 256 && size%8 == 0 {
			return &Type{kind: k, size: size, words: 1, text: name}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", Printable(name), errType)
}

func tuple(fields []Field) (*Type, error) {
	t := &Type{kind: kindTuple, fields: fields, text: "(" + typesOf(fields) + ")"}
	dynamic := false
	for _, f := range fields {
		t.words += f.Type.span()
		dynamic = dynamic || f.Type.dynamic()
	}
	if t.words > maxWords {
		return nil, fmt.Errorf("a tuple of more than %d words", maxWords)
	}
	if dynamic {
		t.words = -1
	}
	return t, nil
}

// typesOf is the canonical list of the fields' types.
func typesOf(fields []Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Type.text
	}
	return strings.Join(list, ",")
}
