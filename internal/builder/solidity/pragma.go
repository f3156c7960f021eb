package solidity

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// Pragma is one version pragma of a source.
type Pragma struct {
	File string
	Line int    // 1-based
	Text string // such as ">=0.4.25 <0.6.0"
	any  [][]bound
}

// bound is one comparison; parts that were not written, or were x, are -1.
type bound struct {
	op    string
	parts [3]int
}

const (
	maxPragma = 256 // bytes of one pragma's text
	maxBounds = 32  // comparisons within one
)

// Pragmas finds the version pragmas of all sources, in order of the files.
func (s Sources) Pragmas() ([]Pragma, error) {
	var list []Pragma
	for _, name := range s.Names() {
		for _, p := range pragmas(string(s[name])) {
			p.File = name
			any, why := parseRange(p.Text)
			if why != "" {
				return nil, problem.Newf(ErrPragma.Code, ErrPragma.Next, "%s:%d: pragma solidity %s: %s", show(name), p.Line, show(p.Text), why)
			}
			p.any = any
			list = append(list, p)
		}
	}
	return list, nil
}

var pragmaWord = regexp.MustCompile(`^pragma\s+solidity\b`)

// pragmas finds the pragmas of one source, passing over comments and strings.
func pragmas(text string) []Pragma {
	var list []Pragma
	code := blank(text)
	line, counted := 1, 0
	for at := 0; ; {
		i := strings.Index(code[at:], "pragma")
		if i < 0 {
			return list
		}
		at += i
		m := pragmaWord.FindString(code[at:])
		if m == "" || at > 0 && isWord(code[at-1]) {
			at += len("pragma")
			continue
		}
		rest := code[at+len(m):]
		end := strings.IndexByte(rest, ';')
		if end < 0 {
			end = len(rest) // the compiler will say that the semicolon is missing
		}
		line += strings.Count(code[counted:at], "\n")
		counted = at
		written := rest[:end]
		if strings.ContainsAny(written, `"'`) {
			written = text[at+len(m) : at+len(m)+end] // a version in quotes is one too
		}
		list = append(list, Pragma{Line: line, Text: strings.Join(strings.Fields(written), " ")})
		at += len(m) + end
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// blank replaces comments and the insides of strings by spaces; lines and
// offsets stay what they are.
func blank(text string) string {
	out := []byte(text)
	wipe := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' && out[i] != '\r' {
				out[i] = ' '
			}
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "//"):
			end := len(text)
			if n := strings.IndexAny(text[i:], "\n\r"); n >= 0 {
				end = i + n
			}
			wipe(i, end)
			i = end
		case strings.HasPrefix(text[i:], "/*"):
			end := len(text)
			if n := strings.Index(text[i+2:], "*/"); n >= 0 {
				end = i + 2 + n + 2
			}
			wipe(i, end)
			i = end
		case text[i] == '"' || text[i] == '\'':
			end := i + 1
			for end < len(text) && text[end] != text[i] && text[end] != '\n' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(text))
			wipe(i+1, end)
			i = min(end+1, len(text))
		default:
			i++
		}
	}
	return string(out)
}

var (
	oneBound = regexp.MustCompile(`^(\^|~|>=|<=|>|<|=)?\s*v?([0-9]+|[xX*])(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?`)
	dash     = regexp.MustCompile(`^\s+-\s+`)
)

// parseRange reads a range as npm's semver and the compiler itself do: sets of
// comparisons joined by ||, within a set all must hold, "1 - 2" is a range.
func parseRange(text string) (any [][]bound, why string) {
	if len(text) > maxPragma {
		return nil, "it is too long"
	}
	text = strings.NewReplacer(`"`, "", `'`, "").Replace(text)
	count := 0
	for set := range strings.SplitSeq(text, "||") {
		var all []bound
		for rest := strings.TrimSpace(set); rest != ""; rest = strings.TrimSpace(rest) {
			b, length, why := parseBound(rest)
			if why != "" {
				return nil, why
			}
			rest = rest[length:]
			if m := dash.FindString(rest); m != "" && b.op == "" {
				to, length, why := parseBound(rest[len(m):])
				if why != "" || to.op != "" {
					return nil, "a range with - wants a plain version on both sides"
				}
				rest = rest[len(m)+length:]
				b.op, to.op = ">=", "<="
				all = append(all, to)
			}
			all = append(all, b)
			if count++; count > maxBounds {
				return nil, "it has too many parts"
			}
		}
		if len(all) == 0 {
			return nil, "it names no version"
		}
		any = append(any, all)
	}
	return any, ""
}

func parseBound(text string) (b bound, length int, why string) {
	m := oneBound.FindStringSubmatch(text)
	if m == nil {
		return b, 0, "it is no range of versions"
	}
	b.op = m[1]
	open := false
	for i := range b.parts {
		b.parts[i] = -1
		n, err := strconv.Atoi(m[i+2])
		if err != nil || n > 9999 {
			if err == nil || len(m[i+2]) > 4 {
				return b, 0, "it names no version that can exist"
			}
			open = true // not written, or x
		}
		if !open {
			b.parts[i] = n
		}
	}
	// What touches the version must be the next comparison.
	if rest := text[len(m[0]):]; rest != "" && !strings.ContainsRune(" <>=^~", rune(rest[0])) {
		return b, 0, "it is no range of versions"
	}
	return b, len(m[0]), ""
}

// Allows tells whether the pragma accepts a version.
func (p Pragma) Allows(v Version) bool {
	for _, all := range p.any {
		ok := true
		for _, b := range all {
			ok = ok && b.allows(v)
		}
		if ok {
			return true
		}
	}
	return false
}

func (b bound) allows(v Version) bool {
	cmp := 0
	for i := 0; i < 3 && cmp == 0 && b.parts[i] >= 0; i++ {
		cmp = v[i] - b.parts[i]
	}
	switch b.op {
	case ">":
		return cmp > 0
	case ">=":
		return cmp >= 0
	case "<":
		return cmp < 0
	case "<=":
		return cmp <= 0
	case "~": // the last written part may grow, but not beyond the minor version
		return cmp >= 0 && same(b, v, 2)
	case "^": // up to and including the first part that is not zero
		keep := 1
		for keep < 3 && b.parts[keep-1] == 0 && b.parts[keep] >= 0 {
			keep++
		}
		return cmp >= 0 && same(b, v, keep)
	}
	return cmp == 0
}

// same tells whether the first n written parts agree.
func same(b bound, v Version, n int) bool {
	for i := 0; i < n && b.parts[i] >= 0; i++ {
		if b.parts[i] != v[i] {
			return false
		}
	}
	return true
}
