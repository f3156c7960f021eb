package workflow

import (
	"strconv"
	"strings"
)

// place is a position in a file, counted from 1, columns in characters.
type place struct{ line, column int }

// pointer extends an RFC 6901 pointer by keys and indices.
func pointer(at string, parts ...any) string {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			at += "/" + strconv.Itoa(p)
		case string:
			at += "/" + strings.ReplaceAll(strings.ReplaceAll(p, "~", "~0"), "/", "~1")
		}
	}
	return at
}

// finding makes a finding about the value that a pointer names. What is not
// there is at what should hold it.
func (a *Application) finding(code, rule, at, message, fix string) Finding {
	f := Finding{Code: code, Rule: rule, File: a.file, Pointer: at, Message: message, Fix: fix}
	for p := at; ; {
		if q, ok := a.places[p]; ok {
			f.Line, f.Column = q.line, q.column
			return f
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return f
		}
		p = p[:i]
	}
}

// nearest is the candidate that a misspelt name most likely means, or "": it
// differs in case, or in at most two letters of a longer name.
func nearest(name string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if len(name) > 3 && len(name) <= 255 && len(c) <= 255 {
			if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
				best, least = c, d
			}
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost++
			}
			left = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
