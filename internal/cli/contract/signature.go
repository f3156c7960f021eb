package contract

import (
	"errors"
	"fmt"
	"strings"
)

// maxSignature is the longest signature that is read, in bytes.
const maxSignature = 4 << 10

// Signature reads a function as cast and Solidity write it, with or without names
// and results:
//
//	balanceOf(address)(uint256)
//	function getPool(bytes32 id, (uint8 kind, address[] members) rule) external view returns (bool)
func Signature(text string) (*Function, error) {
	if len(text) > maxSignature {
		return nil, fmt.Errorf("the signature is longer than %d bytes", maxSignature)
	}
	name, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	name = strings.TrimSpace(strings.TrimPrefix(name, "function "))
	if !ok || !isName(name) {
		return nil, errors.New(`write the function as "name(types)(types of results)", such as "balanceOf(address)(uint256)"`)
	}
	p := signature{rest: rest}
	f := &Function{Name: name, Inputs: p.fields(0)}
	for _, word := range strings.Fields(p.until("(")) {
		if !strings.Contains(" external public view pure payable nonpayable returns ", " "+word+" ") {
			p.fail("%q stands between parameters and results", word)
		}
	}
	if p.rest != "" {
		p.rest = p.rest[1:]
		f.Outputs = p.fields(0)
	}
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("%q follows the results", p.rest)
	}
	return f, p.err
}

// signature is what remains to be read, and the first error.
type signature struct {
	rest string
	err  error
}

func (p *signature) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("the signature cannot be read: "+format, args...)
	}
	p.rest = ""
}

// until takes what stands before the first of some characters.
func (p *signature) until(stops string) string {
	i := strings.IndexAny(p.rest, stops)
	if i < 0 {
		i = len(p.rest)
	}
	taken := p.rest[:i]
	p.rest = p.rest[i:]
	return taken
}

// fields takes a list up to its closing parenthesis; the opening one was taken.
func (p *signature) fields(depth int) []Field {
	if depth == maxDepth {
		p.fail("it is nested too deep")
	}
	list := []Field{}
	for p.err == nil {
		p.rest = strings.TrimSpace(p.rest)
		if len(list) == 0 && strings.HasPrefix(p.rest, ")") {
			p.rest = p.rest[1:]
			return list
		}
		list = append(list, p.field(depth))
		switch {
		case strings.HasPrefix(p.rest, ","):
			p.rest = p.rest[1:]
		case strings.HasPrefix(p.rest, ")"):
			p.rest = p.rest[1:]
			return list
		default:
			p.fail("a parenthesis is not closed")
		}
	}
	return list
}

// field takes a type and, behind it, words of which the last is the name.
func (p *signature) field(depth int) Field {
	var members []Field
	name, words := "", ""
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(p.rest, "tuple"), "("); ok {
		p.rest = rest
		members = p.fields(depth + 1)
		name = "tuple"
	}
	words = p.until(",()")
	if p.err != nil {
		return Field{}
	}
	typed, after, _ := strings.Cut(strings.TrimSpace(words), " ")
	if name != "" && !strings.HasPrefix(typed, "[") { // no dimensions
		typed, after = "", words
	}
	t, err := newType(name+typed, members)
	if err != nil {
		p.fail("%v", err)
	}
	f := Field{Type: t}
	for _, w := range strings.Fields(after) {
		if f.Name = w; !isName(w) {
			p.fail("%q is no name", w)
		}
	}
	if strings.Contains(" memory calldata storage payable ", " "+f.Name+" ") {
		f.Name = ""
	}
	return f
}

// isName reports that text is an identifier of Solidity.
func isName(text string) bool {
	for i, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}
