package soljson

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// large is a module that is long enough to be taken for a compiler.
func large() []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Repeat([]byte("compiler"), 1<<17)...)
}

// lz4 packs bytes as one block without matches, then one with a match.
func lz4(data []byte) []byte {
	literals := func(n int) []byte {
		if n < 15 {
			return []byte{byte(n << 4)}
		}
		out := []byte{0xf0}
		for n -= 15; n >= 255; n -= 255 {
			out = append(out, 255)
		}
		return append(out, byte(n))
	}
	one := append(literals(len(data)), data...)
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(one)))
	out = append(out, one...)
	two := []byte{0x1f, 'x', 1, 0, 0, 0x10, 'y'} // x, nineteen times more, y
	out = binary.LittleEndian.AppendUint32(out, uint32(len(two)))
	return append(append(out, two...), 0, 0, 0, 0)
}

func TestSplit(t *testing.T) {
	module := large()
	encoded := base64.StdEncoding.EncodeToString(module)
	squeezed := base64.StdEncoding.EncodeToString(lz4(module))
	unpacked := append(slices.Clone(module), strings.Repeat("x", 20)+"y"...)
	for name, x := range map[string]struct {
		script, glue string
		module       []byte
	}{
		"data URI": {`a("b");var f="` + string(dataURI) + encoded + `";c()`, `a("b");var f="` + string(dataURI) + `";c()`, module},
		"plain":    {`var f='` + encoded + `';c()`, `var f='';c()`, module},
		"packed":   {`M["w"] = (function(){})("` + squeezed + `", 1048605);c("d");`, `M["w"] = (function(){})("AAAAAA==", 8);c("d");`, unpacked},
		"asm.js":   {`var m="` + string(dataURI) + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 1<<20)) + `";`, "", nil},
		"short":    {`var m="AGFzbQ==";`, "", nil},
		"nothing":  {``, "", nil},
		"open":     {`var m="` + encoded, "", nil},
	} {
		glue, got, err := split([]byte(x.script))
		if x.module == nil {
			x.glue = x.script
		}
		if err != nil || glue != x.glue || !bytes.Equal(got, x.module) {
			t.Errorf("%s: %.80q, %d bytes, %v", name, glue, len(got), err)
		}
	}
	for _, script := range []string{
		`("` + squeezed + `", 999999999);`,
		`("` + squeezed + `", 1000);`,
		`("` + squeezed[:len(squeezed)/2] + `", 1048605);`,
	} {
		if _, got, err := split([]byte(script)); err == nil && got != nil {
			t.Errorf("%.20q... gave %d bytes", script, len(got))
		}
	}
}

func TestLocalise(t *testing.T) {
	text := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	var imported []byte
	for _, e := range [][]byte{
		append(append(text("a"), text("f")...), kindFunction, 0),
		append(append(text("env"), text("memory")...), kindMemory, 1, 1, 2),
		append(append(text("env"), text("table")...), kindTable, 0x70, 0, 3),
		append(append(text("a"), text("g")...), kindFunction, 0),
	} {
		imported = append(imported, e...)
	}
	module := []byte("\x00asm\x01\x00\x00\x00")
	module = section(module, 1, []byte{1, 0x60, 0, 0})
	module = section(module, sectionImport, append([]byte{4}, imported...))
	module = section(module, 3, []byte{1, 0})
	module = section(module, sectionExport, append(append([]byte{1}, text("t")...), kindTable, 0))
	module = section(module, 10, []byte{1, 2, 0, 0x0b})
	l, err := localise(module)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("\x00asm\x01\x00\x00\x00")
	want = section(want, 1, []byte{1, 0x60, 0, 0})
	want = section(want, sectionImport, slices.Concat([]byte{2}, text("a"), text("f"), []byte{0, 0}, text("a"), text("g"), []byte{0, 0}))
	want = section(want, 3, []byte{1, 0})
	want = section(want, sectionTable, []byte{1, 0x70, 0, 3})
	want = section(want, sectionMemory, []byte{1, 1, 1, 2})
	want = section(want, sectionExport, slices.Concat([]byte{2}, text(memoryName), []byte{kindMemory, 0}, text("t"), []byte{kindTable, 0}))
	want = section(want, 10, []byte{1, 2, 0, 0x0b})
	if !bytes.Equal(l.binary, want) || !slices.Equal(l.tables, []string{"t"}) {
		t.Errorf("%x\n%x\n%v", l.binary, want, l.tables)
	}
	global := section([]byte("\x00asm\x01\x00\x00\x00"), sectionImport, slices.Concat([]byte{1}, text("a"), text("g"), []byte{3, 0x7f, 0}))
	if _, err := localise(global); err == nil {
		t.Error("an imported global was taken")
	}
}

func FuzzLocalise(f *testing.F) {
	f.Add(section([]byte("\x00asm\x01\x00\x00\x00"), sectionImport, []byte{1, 1, 'a', 1, 'm', kindMemory, 0, 1}))
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := localise(data)
		if err == nil && len(l.binary) > 2*len(data)+64 {
			t.Fatal("it has grown")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(lz4([]byte("some bytes, some bytes")), 64)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || size > 1<<20 {
			return
		}
		if out, err := unpack(data, size); err == nil && len(out) > size {
			t.Fatalf("%d bytes, not %d", len(out), size)
		}
	})
}
