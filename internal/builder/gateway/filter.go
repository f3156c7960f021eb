package gateway

import (
	"strconv"
	"strings"
)

// Limits of a directory filter.
const (
	maxFilter      = 2000 // bytes
	maxFilterTerms = 32
	maxFilterDepth = 8
)

// filter is a condition on a person of the directory: the part of OData's
// $filter that clients of Microsoft Graph search people with.
//
//	or     = and *("or" and)
//	and    = term *("and" term)
//	term   = "startswith(" property "," text ")" / property "eq" text / "(" or ")"
//	text   = "'" characters, a quote doubled "'"
type filter struct {
	kind     string    // "or", "and", "startswith", "eq"
	parts    []*filter // of or, and
	property string    // lower case
	text     string    // lower case
}

// properties of a person that a filter may name, in lower case.
var directoryProperties = map[string]bool{
	"displayname": true, "givenname": true, "surname": true, "mail": true, "userprincipalname": true, "id": true,
}

// matches says whether a person with these properties is meant. Letter case does
// not count, as in the directory.
func (f *filter) matches(person map[string]string) bool {
	switch f.kind {
	case "or":
		for _, p := range f.parts {
			if p.matches(person) {
				return true
			}
		}
		return false
	case "and":
		for _, p := range f.parts {
			if !p.matches(person) {
				return false
			}
		}
		return true
	case "eq":
		return strings.ToLower(person[f.property]) == f.text
	}
	return strings.HasPrefix(strings.ToLower(person[f.property]), f.text)
}

// only is the text that all conditions look for, or "" if they differ: then the
// search can be narrowed by it.
func (f *filter) only() string {
	if f.kind == "eq" || f.kind == "startswith" {
		return f.text
	}
	text := f.parts[0].only()
	for _, p := range f.parts[1:] {
		if p.only() != text {
			return ""
		}
	}
	return text
}

// parseFilter reads a $filter.
func parseFilter(text string) (*filter, error) {
	if len(text) > maxFilter {
		return nil, malformed("$filter is longer than " + strconv.Itoa(maxFilter) + " bytes")
	}
	p := filterParser{rest: text}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, p.wrong()
	}
	return f, nil
}

type filterParser struct {
	rest  string
	terms int
}

func (p *filterParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *filterParser) wrong() error {
	at := p.rest
	if len(at) > 40 {
		at = at[:40]
	}
	return malformed("$filter is not understood at " + strconv.Quote(at) + ": startswith(PROPERTY,'TEXT') and PROPERTY eq 'TEXT' are, joined by or and and")
}

// take takes a sign if it is next.
func (p *filterParser) take(sign string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, sign)
	p.rest = rest
	return ok
}

// word takes the next word if it is the given one.
func (p *filterParser) word(want string) bool {
	p.skip()
	if got := p.letters(); !strings.EqualFold(got, want) {
		return false
	}
	p.rest = p.rest[len(want):]
	return true
}

// letters is the word that is next.
func (p *filterParser) letters() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end < 0 {
		end = len(p.rest)
	}
	return p.rest[:end]
}

func (p *filterParser) or(depth int) (*filter, error) {
	return p.joined("or", func() (*filter, error) {
		return p.joined("and", func() (*filter, error) { return p.term(depth) })
	})
}

// joined reads one or more conditions with a word between them.
func (p *filterParser) joined(kind string, one func() (*filter, error)) (*filter, error) {
	var parts []*filter
	for {
		f, err := one()
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
		if !p.word(kind) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return &filter{kind: kind, parts: parts}, nil
}

func (p *filterParser) term(depth int) (*filter, error) {
	if p.terms++; p.terms > maxFilterTerms || depth > maxFilterDepth {
		return nil, malformed("$filter has too many conditions")
	}
	if p.take("(") {
		f, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = p.wrong()
		}
		return f, err
	}
	f := &filter{kind: "eq"}
	if p.word("startswith") {
		f.kind = "startswith"
		if !p.take("(") {
			return nil, p.wrong()
		}
	}
	p.skip()
	f.property = strings.ToLower(p.letters())
	if !directoryProperties[f.property] {
		return nil, p.wrong()
	}
	p.rest = p.rest[len(f.property):]
	if f.kind == "startswith" && !p.take(",") || f.kind == "eq" && !p.word("eq") {
		return nil, p.wrong()
	}
	text, ok := p.quoted()
	if !ok || f.kind == "startswith" && !p.take(")") {
		return nil, p.wrong()
	}
	f.text = strings.ToLower(text)
	return f, nil
}

// quoted reads a text in single quotes.
func (p *filterParser) quoted() (string, bool) {
	if !p.take("'") {
		return "", false
	}
	var b strings.Builder
	for {
		part, rest, ok := strings.Cut(p.rest, "'")
		if !ok {
			return "", false
		}
		b.WriteString(part)
		if p.rest = rest; !strings.HasPrefix(rest, "'") {
			return b.String(), true
		}
		b.WriteByte('\'')
		p.rest = rest[1:]
	}
}
