package soljson

import (
	"errors"
	"fmt"
)

// Names under which localised memory and tables are exported.
const memoryName = "coco.memory"

// Sections and kinds of the WebAssembly binary format (core specification 5.5).
const (
	sectionImport, sectionTable, sectionMemory, sectionExport = 2, 4, 5, 7

	kindFunction, kindTable, kindMemory = 0, 1, 2
)

// layout is what must be known of a module beyond what wazero tells.
type layout struct {
	binary []byte            // the module, its memory and table its own
	tables []string          // names of exported tables
	shared map[string]string // "module\x00name" of what was an import: "memory" or "table"
}

// localise turns an imported memory and table into the module's own, exported
// under a name of ours: a host module of wazero can only lend functions. There is
// at most one of each, so no index changes.
func localise(binary []byte) (*layout, error) {
	l := &layout{shared: map[string]string{}}
	if len(binary) < 8 {
		return nil, errors.New("the module is cut short")
	}
	out := append(make([]byte, 0, len(binary)+64), binary[:8]...)
	own := map[byte][]byte{} // bodies of sections that the imports become
	pending := func(before byte) {
		for _, id := range []byte{sectionTable, sectionMemory, sectionExport} {
			if body := own[id]; body != nil && id < before {
				out = section(out, id, body)
				delete(own, id)
			}
		}
	}
	r := &reader{data: binary, at: 8}
	for r.at < len(r.data) && r.err == nil {
		id, body := r.byte(), r.take(int(r.number()))
		if r.err != nil {
			break
		}
		switch id {
		case sectionImport:
			kept, err := l.imports(body, own)
			if err != nil {
				return nil, err
			}
			body = kept
		case sectionExport:
			s := &reader{data: body}
			for n := s.number(); n > 0 && s.err == nil; n-- {
				name, kind := s.take(int(s.number())), s.byte()
				s.number()
				if kind == kindTable {
					l.tables = append(l.tables, string(name))
				}
			}
			if s.err != nil {
				return nil, s.err
			}
			if own[sectionExport] != nil {
				n, rest := count(body)
				body = append(append(number(nil, n+1), own[sectionExport][1:]...), rest...)
				delete(own, sectionExport)
			}
		case sectionTable, sectionMemory:
			if own[id] != nil {
				return nil, errors.New("the module has several memories or tables")
			}
		}
		if id != 0 {
			pending(id)
		}
		out = section(out, id, body)
	}
	if r.err != nil {
		return nil, r.err
	}
	pending(255)
	l.binary = out
	return l, nil
}

// imports keeps the functions among the imports.
func (l *layout) imports(body []byte, own map[byte][]byte) ([]byte, error) {
	r := &reader{data: body}
	var kept []byte
	functions := uint32(0)
	for n := r.number(); n > 0 && r.err == nil; n-- {
		start := r.at
		module, name, kind := string(r.take(int(r.number()))), string(r.take(int(r.number()))), r.byte()
		described := r.at
		switch kind {
		case kindFunction:
			r.number()
			if r.err == nil {
				kept = append(kept, body[start:r.at]...)
				functions++
			}
			continue
		case kindTable:
			r.byte() // funcref
			r.limits()
			l.shared[module+"\x00"+name] = "table"
			if r.err == nil {
				own[sectionTable] = append([]byte{1}, body[described:r.at]...)
			}
		case kindMemory:
			r.limits()
			l.shared[module+"\x00"+name] = "memory"
			if r.err == nil {
				own[sectionMemory] = append([]byte{1}, body[described:r.at]...)
				export := append([]byte{1, byte(len(memoryName))}, memoryName...)
				own[sectionExport] = append(export, kindMemory, 0)
			}
		default:
			return nil, fmt.Errorf("the module imports %s.%s, which is neither function, memory nor table", module, name)
		}
	}
	return append(number(nil, functions), kept...), r.err
}

// count reads a section's leading number and returns the rest.
func count(body []byte) (uint32, []byte) {
	r := &reader{data: body}
	n := r.number()
	return n, body[r.at:]
}

func section(out []byte, id byte, body []byte) []byte {
	out = number(append(out, id), uint32(len(body)))
	return append(out, body...)
}

// number appends n as LEB128.
func number(out []byte, n uint32) []byte {
	for n >= 0x80 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}

// reader reads a binary; after the first error it gives zeros.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) fail() { r.err = errors.New("the module is cut short") }

func (r *reader) byte() byte {
	if r.err != nil || r.at >= len(r.data) {
		r.fail()
		return 0
	}
	r.at++
	return r.data[r.at-1]
}

func (r *reader) number() uint32 {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return uint32(n)
		}
	}
	r.fail()
	return 0
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.data)-r.at {
		r.fail()
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *reader) limits() {
	flags := r.byte()
	r.number()
	if flags&1 != 0 {
		r.number()
	}
}
