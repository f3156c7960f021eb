package asmjs

// uleb and sleb append numbers as the binary format has them (LEB128).
func uleb(out []byte, n uint32) []byte {
	for n >= 0x80 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}

func sleb(out []byte, n int32) []byte {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// signature is the index of a type, such as "vii".
func (t *translator) signature(s string) uint32 {
	i, ok := t.signatures[s]
	if !ok {
		i = uint32(len(t.sigKeys))
		t.signatures[s] = i
		t.sigKeys = append(t.sigKeys, s)
	}
	return i
}

// foreign is the index of an imported function of a signature.
func (t *translator) foreign(f foreign, signature string) uint32 {
	key := f.module + "\x00" + f.name + ":" + signature
	i, ok := t.imports[key]
	if !ok {
		i = uint32(len(t.importKeys))
		t.imports[key] = i
		t.importKeys = append(t.importKeys, key)
		t.signature(signature)
	}
	return i
}

// base is the index of the first function that is not imported. While bodies are
// written for the first time it is not known yet, so they are written twice.
func (t *translator) base() uint32 { return uint32(len(t.importKeys)) }

// helpers are functions for divisions whose divisor is not known, by the
// instruction: what JavaScript gives where WebAssembly ends the program.
var helpers = []struct{ code, minusOne byte }{{0x6d, 0x6b}, {0x6e, 0}, {0x6f, 0x1a}, {0x70, 0}}

func (t *translator) helper(code byte) uint32 {
	for i, h := range helpers {
		if h.code == code {
			return t.base() + uint32(len(t.bodies)+i)
		}
	}
	return 0
}

// division is a helper's body.
func division(code, minusOne byte) []byte {
	b := []byte{0, 0x20, 1, 0x45, 0x04, 0x40, 0x41, 0, 0x0f, 0x0b} // by zero: zero
	if minusOne != 0 {
		b = append(b, 0x20, 1, 0x41, 0x7f, 0x46, 0x04, 0x40)
		if minusOne == 0x6b {
			b = append(b, 0x41, 0, 0x20, 0, 0x6b, 0x0f, 0x0b) // by -1: 0 - x
		} else {
			b = append(b, 0x41, 0, 0x0f, 0x0b) // the rest by -1: 0
		}
	}
	return append(b, 0x20, 0, 0x20, 1, code, 0x0b)
}

// rewrite writes all bodies until what they depend on, the number of imports and
// of functions, was right from the start.
func (t *translator) rewrite() {
	for {
		before := len(t.importKeys)
		bodies := make([][]byte, 0, len(t.bodies))
		for _, f := range t.functions {
			if !f.native {
				bodies = append(bodies, t.body(f))
			}
		}
		t.bodies = bodies
		if len(t.importKeys) == before {
			return
		}
	}
}

// finish puts the binary together.
func (t *translator) finish() *Module {
	t.rewrite()
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, count int, items []byte) {
		if count > 0 {
			body := append(uleb(nil, uint32(count)), items...)
			out = append(uleb(append(out, id), uint32(len(body))), body...)
		}
	}
	text := func(b []byte, s string) []byte { return append(uleb(b, uint32(len(s))), s...) }
	var functions, codes []byte
	for _, f := range t.functions {
		if !f.native {
			functions = uleb(functions, t.signature(f.signature()))
		}
	}
	for range helpers {
		functions = uleb(functions, t.signature("iii"))
	}
	for _, b := range t.bodies {
		codes = append(uleb(codes, uint32(len(b))), b...)
	}
	for _, h := range helpers {
		b := division(h.code, h.minusOne)
		codes = append(uleb(codes, uint32(len(b))), b...)
	}
	var types []byte
	for _, s := range t.sigKeys {
		types = append(types, 0x60)
		types = uleb(types, uint32(len(s)-1))
		for _, c := range s[1:] {
			types = append(types, letterKind(byte(c)).wasm())
		}
		if s[0] == 'v' {
			types = append(types, 0)
		} else {
			types = append(types, 1, letterKind(s[0]).wasm())
		}
	}
	var imports []byte
	for _, key := range t.importKeys {
		module, name := split(key)
		imports = append(text(text(imports, module), name), 0)
		imports = uleb(imports, t.signature(name[lastColon(name)+1:]))
	}
	var globals []byte
	for _, g := range t.globals {
		globals = append(globals, g...)
	}
	exports := append(text(nil, MemoryName), 2, 0)
	for _, e := range t.exports {
		index := e.of
		if e.kind == 0 {
			index += t.base()
		}
		exports = uleb(append(text(exports, e.name), e.kind), index)
	}
	var elements []byte
	for _, tab := range t.tables {
		for _, m := range tab.members {
			elements = uleb(elements, t.base()+t.function(m).index)
		}
	}
	count := len(t.bodies) + len(helpers)
	section(1, len(t.sigKeys), types)
	section(2, len(t.importKeys), imports)
	section(3, count, functions)
	if t.elements > 0 {
		section(4, 1, uleb([]byte{0x70, 0}, t.elements))
	}
	section(5, 1, uleb([]byte{1, 1}, 32768))
	section(6, len(t.globals), globals)
	section(7, len(t.exports)+1, exports)
	if t.elements > 0 {
		section(9, 1, append(uleb([]byte{0, 0x41, 0, 0x0b}, t.elements), elements...))
	}
	section(10, count, codes)
	return &Module{Binary: out, Globals: t.taken}
}

func letterKind(c byte) kind {
	return map[byte]kind{'v': void, 'i': integer, 'd': double}[c]
}

func split(key string) (module, name string) {
	for i := range key {
		if key[i] == 0 {
			return key[:i], key[i+1:]
		}
	}
	return "", key
}

func lastColon(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ':' {
			return i
		}
	}
	return -1
}
