package workflow

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// place is a position in a file, counted from 1, columns in characters.
type place struct{ line, column int }

// placeOf is the place of a byte offset.
func placeOf(data []byte, offset int) place {
	offset = min(max(offset, 0), len(data))
	p := place{line: 1}
	start := 0
	for i, c := range data[:offset] {
		if c == '\n' {
			p.line, start = p.line+1, i+1
		}
	}
	p.column = utf8.RuneCount(data[start:offset]) + 1
	return p
}

// pointer makes an RFC 6901 pointer of keys and indices.
func pointer(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		switch p := p.(type) {
		case int:
			b.WriteString(strconv.Itoa(p))
		case string:
			b.WriteString(escape(p))
		}
	}
	return b.String()
}

func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// finding makes a finding about the value that a pointer names.
func (a *Application) finding(code, rule, at, message, fix string) Finding {
	f := Finding{Code: code, Rule: rule, File: a.file, Pointer: at, Message: message, Fix: fix}
	for p := at; ; { // a value that is not there is at what should hold it
		if q, ok := a.places[p]; ok {
			f.Line, f.Column = q.line, q.column
			break
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return f
}
