package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	mostName  = 50
	mostLong  = 255  // display names, descriptions, members of enums
	mostItems = 1000 // of a list
	mostValue = 1<<16 - 1
)

// The rules that findings name; docs/reference/application.md says them.
const (
	ruleForm       = "a.7.1"
	ruleUnique     = "a.7.2"
	ruleReferences = "a.7.3"
	ruleReserved   = "a.7.4"
	ruleTypes      = "a.7.5"
	ruleCode       = "a.7.6"
	ruleBase       = "a.7.7"
)

// Parse reads a configuration and checks all that can be checked without code.
// name is the file's name in findings. The application is nil if there are errors.
func Parse(name string, data []byte) (*Application, *Report) {
	d := &decoder{app: &Application{file: name, places: map[string]place{"": {1, 1}}}, report: newReport()}
	if n := d.document(data); n != nil {
		d.application(n)
		references(d.app, d.report)
	}
	slices.SortStableFunc(d.report.Errors, inOrder)
	slices.SortStableFunc(d.report.Warnings, inOrder)
	if !d.report.OK() {
		return nil, d.report
	}
	return d.app, d.report
}

func inOrder(a, b Finding) int {
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// decoder fills the application and says what does not fit.
type decoder struct {
	app    *Application
	report *Report
}

func (d *decoder) fail(code, rule, at, fix, format string, args ...any) {
	d.report.fail(d.app.finding(code, rule, at, fmt.Sprintf(format, args...), fix))
}

func (d *decoder) document(data []byte) *node {
	switch {
	case len(data) > mostBytes:
		d.fail("FILE_LARGE", ruleForm, "", "leave out what is not needed, or make several applications of it",
			"a configuration has at most %d bytes, and this one has %d", mostBytes, len(data))
		return nil
	case !utf8.Valid(data):
		d.fail("FILE_ENCODING", ruleForm, "", "save the file as UTF-8", "the file is not UTF-8 text")
		return nil
	}
	n, err := readDocument(data)
	if err != nil {
		e := err.(*syntaxError)
		d.app.places[""] = e.at
		d.fail("JSON_SYNTAX", ruleForm, "", "correct the JSON at this place", "%s", e.what)
		return nil
	}
	return n
}

// read takes one value from the tree.
type read func(n *node, at string)

// field is a key of an object and what reads its value.
type field struct {
	key  string
	need bool
	read read
}

func need(key string, r read) field { return field{key, true, r} }
func may(key string, r read) field  { return field{key, false, r} }

// object reads the fields of what, which is a name for messages.
func (d *decoder) object(n *node, at, what string, fields ...field) {
	if !d.kind(n, at, '{', "an object in braces") {
		return
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	seen := map[string]place{}
	for _, m := range n.members {
		first, twice := seen[m.key]
		if !twice {
			seen[m.key] = m.at
		}
		f := Finding{Rule: ruleForm, File: d.app.file, Line: m.at.line, Column: m.at.column, Pointer: pointer(at, m.key)}
		switch known := slices.Contains(keys, m.key); {
		case twice:
			f.Code, f.Fix = "KEY_TWICE", "leave one of them out"
			f.Message = fmt.Sprintf("the key %s stands twice in %s, first in line %d", short(m.key), what, first.line)
			d.report.fail(f)
		case !known && (at != "" || m.key != "$schema"): // which editors write
			f.Code, f.Fix = "KEY_UNKNOWN", "leave it out"
			if near := nearest(m.key, keys); near != "" {
				f.Fix = fmt.Sprintf("write %q, as upper and lower case matter", near)
			}
			f.Message = fmt.Sprintf("%s has no key %s: it is ignored", what, short(m.key))
			d.report.warn(f)
		}
	}
	for _, f := range fields {
		v := n.member(f.key)
		switch {
		case v != nil && v.kind != 'n':
			f.read(v, pointer(at, f.key))
		case f.need:
			d.app.places[at] = n.at
			d.fail("FIELD_MISSING", ruleForm, pointer(at, f.key), "add it", "%s has no %s", what, f.key)
		}
	}
}

// kind notes where a value stands and whether it is of the kind that is wanted.
func (d *decoder) kind(n *node, at string, want byte, what string) bool {
	d.app.places[at] = n.at
	if n.kind == want {
		return true
	}
	is := map[byte]string{'{': "an object", '[': "a list", '"': "a text", '0': "a number", 't': n.text, 'n': "null"}[n.kind]
	d.fail("FIELD_TYPE", ruleForm, at, "write "+what, "%s should stand here, not %s", what, is)
	return false
}

// text reads a text of at least least and at most most characters.
func (d *decoder) text(into *string, least, most int) read {
	return func(n *node, at string) {
		if !d.kind(n, at, '"', "a text in double quotes") {
			return
		}
		switch count := utf8.RuneCountInString(n.text); {
		case count < least:
			d.fail("TEXT_EMPTY", ruleForm, at, "write a name", "the text is empty")
		case count > most:
			d.fail("TEXT_LONG", ruleForm, at, "shorten it", "the text has %d characters, and at most %d fit", count, most)
		case strings.ContainsRune(n.text, 0):
			d.fail("TEXT_CONTROL", ruleForm, at, "leave it out", "the text holds the character U+0000")
		default:
			*into = n.text
		}
	}
}

func (d *decoder) name(into *string) read { return d.text(into, 1, mostName) }
func (d *decoder) long(into *string) read { return d.text(into, 0, mostLong) }

// integer reads a whole number from 0 to most.
func (d *decoder) integer(most int, set func(int)) read {
	return func(n *node, at string) {
		if !d.kind(n, at, '0', "a whole number") {
			return
		}
		f, err := strconv.ParseFloat(n.text, 64) // 50, 50.0 and 5e1 are one number
		if err != nil || f != float64(int(f)) || f < 0 || f > float64(most) {
			d.fail("NUMBER_RANGE", ruleForm, at, fmt.Sprintf("write a whole number from 0 to %d", most),
				"%s is no whole number from 0 to %d", short(n.text), most)
			return
		}
		set(int(f))
	}
}

func (d *decoder) boolean(into *bool) read {
	return func(n *node, at string) {
		if d.kind(n, at, 't', "true or false") {
			*into = n.text == "true"
		}
	}
}

// list reads every item with the reader that each makes for a new element.
func list[T any](d *decoder, into *[]T, least int, each func(*T) read) read {
	return func(n *node, at string) {
		if !d.kind(n, at, '[', "a list in brackets") {
			return
		}
		switch count := len(n.items); {
		case count < least:
			d.fail("LIST_EMPTY", ruleForm, at, fmt.Sprintf("write at least %d", least), "the list is empty")
			return
		case count > mostItems:
			d.fail("LIST_LONG", ruleForm, at, "shorten it", "the list has %d items, and at most %d fit", count, mostItems)
			return
		}
		*into = make([]T, len(n.items))
		for i, item := range n.items {
			each(&(*into)[i])(item, pointer(at, i))
		}
	}
}

// short quotes outside text for a message.
func short(s string) string {
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:60]) + "…"
	}
	return strconv.Quote(s)
}
