package workflow

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

const (
	mostABI   = 4 << 20 // bytes of an ABI
	mostNest  = 8       // of arrays and tuples in each other
	mostFixed = 1 << 22 // bytes of an array of fixed length
)

// shape is an ABI type. Ours and not go-ethereum's, whose packing reflects on
// types that a hostile ABI can make as large as it likes.
type shape struct {
	kind     byte // u i b a s [ ( and 0 for a type that has no text form here, such as bytes32
	bits     int  // of u and i
	length   int  // of [: fixed, or -1
	element  *shape
	parts    []shape
	name     string // of an argument or a part of a tuple
	internal string // the Solidity type, if the ABI or the syntax tree says it
	text     string // canonical, as signatures write it
}

// entry and argument are an ABI's JSON.
type entry struct {
	Type            string     `json:"type"`
	Name            string     `json:"name,omitempty"`
	Inputs          []argument `json:"inputs,omitempty"`
	Outputs         []argument `json:"outputs,omitempty"`
	StateMutability string     `json:"stateMutability,omitempty"`
	Constant        bool       `json:"constant,omitempty"` // before 0.5
	Anonymous       bool       `json:"anonymous,omitempty"`

	in, out []shape
}

type argument struct {
	Name         string     `json:"name"`
	Type         string     `json:"type"`
	InternalType string     `json:"internalType,omitempty"`
	Components   []argument `json:"components,omitempty"`
	Indexed      bool       `json:"indexed,omitempty"`
}

// readABI reads an ABI within limits.
func readABI(data []byte) ([]entry, error) {
	if len(data) > mostABI {
		return nil, fmt.Errorf("the ABI has %d bytes, more than %d", len(data), mostABI)
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		var err error
		if e.in, err = shapes(e.Inputs, 0); err == nil {
			e.out, err = shapes(e.Outputs, 0)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", e.Type, e.Name, err)
		}
	}
	return entries, nil
}

func (e *entry) readOnly() bool {
	return e.Constant || e.StateMutability == "view" || e.StateMutability == "pure"
}

// signature is the canonical one, of which the selector is made.
func (e *entry) signature() string { return e.Name + tuple(e.in) }

func tuple(parts []shape) string {
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].text
	}
	return "(" + strings.Join(texts, ",") + ")"
}

func shapes(arguments []argument, depth int) ([]shape, error) {
	if depth > mostNest {
		return nil, fmt.Errorf("types are more than %d deep in each other", mostNest)
	}
	list := make([]shape, len(arguments))
	for i, a := range arguments {
		s, err := shapeOf(a.Type, a.InternalType, a.Components, depth)
		if err != nil {
			return nil, err
		}
		s.name = a.Name
		list[i] = s
	}
	return list, nil
}

func shapeOf(name, internal string, components []argument, depth int) (shape, error) {
	if len(name) > 255 || depth > mostNest {
		return shape{}, fmt.Errorf("types are more than %d deep in each other", mostNest)
	}
	if strings.HasSuffix(name, "]") {
		i := strings.LastIndexByte(name, '[')
		if i < 0 {
			return shape{}, fmt.Errorf("%q is no type", name)
		}
		inner := internal
		if j := strings.LastIndexByte(internal, '['); j >= 0 {
			inner = internal[:j]
		}
		e, err := shapeOf(name[:i], inner, components, depth+1)
		if err != nil {
			return shape{}, err
		}
		s := shape{kind: '[', length: -1, element: &e, internal: internal, text: e.text + name[i:]}
		if digits := name[i+1 : len(name)-1]; digits != "" {
			if s.length, err = strconv.Atoi(digits); err != nil || s.length < 1 || s.length > mostFixed/e.head() || digits[0] == '0' || digits[0] == '+' {
				s.kind, s.length = 0, 0 // lawful in Solidity perhaps, but too long to be written here
			}
		}
		if e.kind == 0 {
			s.kind = 0
		}
		return s, nil
	}
	s := shape{internal: internal, text: name}
	switch {
	case name == "bool":
		s.kind = 'b'
	case name == "address":
		s.kind = 'a'
	case name == "string":
		s.kind = 's'
	case name == "tuple":
		parts, err := shapes(components, depth+1)
		if err != nil {
			return shape{}, err
		}
		s.kind, s.parts, s.text = '(', parts, tuple(parts)
		for _, p := range parts {
			if p.kind == 0 {
				s.kind = 0
			}
		}
		if len(parts) == 0 {
			s.kind = 0
		}
	case strings.HasPrefix(name, "uint"):
		s.kind, s.bits = 'u', bits(name[4:])
	case strings.HasPrefix(name, "int"):
		s.kind, s.bits = 'i', bits(name[3:])
	}
	if (s.kind == 'u' || s.kind == 'i') && s.bits == 0 {
		s.kind = 0
	}
	return s, nil
}

// bits are 8 to 256 in whole bytes, else 0.
func bits(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n < 8 || n > 256 || n%8 != 0 || strconv.Itoa(n) != digits {
		return 0
	}
	return n
}

// dynamic is that the encoding's length depends on the value.
func (s *shape) dynamic() bool {
	switch s.kind {
	case 's':
		return true
	case '[':
		return s.length < 0 || s.element.dynamic()
	case '(':
		for i := range s.parts {
			if s.parts[i].dynamic() {
				return true
			}
		}
	}
	return false
}

// head is the number of bytes in the fixed part of the tuple or list that holds s.
func (s *shape) head() int {
	switch {
	case s.dynamic():
		return 32
	case s.kind == '[':
		return s.length * s.element.head()
	case s.kind == '(':
		return heads(s.parts)
	}
	return 32
}

func heads(parts []shape) (n int) {
	for i := range parts {
		n += parts[i].head()
	}
	return n
}
