package soljson

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/sobek"
	"github.com/tetratelabs/wazero/api"

	"github.com/coco-consortium/coco/internal/builder/solidity/soljson/asmjs"
)

// Emscripten marks where the module begins and ends.
var (
	asmStart = []byte("// EMSCRIPTEN_START_ASM\nvar asm=(")
	asmEnd   = []byte(")\n\n\n// EMSCRIPTEN_END_ASM\n")
)

// asmName is what stands for the module in the glue.
const asmName = "coco_asm"

// asmVersion is part of the name of what is kept: raise it when the translation
// changes.
const asmVersion = "1"

// translated separates a script from its asm.js and translates that, or takes the
// translation that is kept in the cache. It is nil where there is none or where
// it is not understood.
func translated(script []byte, cache string) (glue string, binary []byte) {
	start := bytes.Index(script, asmStart)
	end := bytes.LastIndex(script, asmEnd)
	if start < 0 || end < start {
		return "", nil
	}
	text := script[start+len(asmStart) : end]
	glue = string(script[:start]) + "\nvar asm=" + asmName + string(script[end+1:])
	sum := sha256.Sum256(text)
	kept := filepath.Join(cache, "asmjs-"+asmVersion+"-"+hex.EncodeToString(sum[:])+".wasm")
	if cache != "" {
		if binary, err := os.ReadFile(kept); err == nil {
			return glue, binary
		}
	}
	m, err := asmjs.Translate(string(text))
	if err != nil {
		return "", nil
	}
	if cache != "" {
		keep(kept, m.Binary)
	}
	return glue, m.Binary
}

// keep writes a file whole or not at all; one that is missing is made again.
func keep(path string, data []byte) {
	f, err := os.CreateTemp(filepath.Dir(path), ".asmjs-")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}

// pretend gives the script what makes the translated module look like the asm.js
// that it was: a function that links it, and large ArrayBuffers that are the
// module's memory.
func (m *machine) pretend() error {
	m.asm = true
	wrap, err := m.js.RunString(`(function (make) {
		var Plain = ArrayBuffer;
		function Buffer(size) { return size >= 1048576 ? make(size) : new Plain(size) }
		Buffer.prototype = Plain.prototype;
		Buffer.isView = Plain.isView;
		ArrayBuffer = Buffer;
	})`)
	if err != nil {
		return err
	}
	f, _ := sobek.AssertFunction(wrap)
	if _, err := f(sobek.Undefined(), m.js.ToValue(m.enlarge)); err != nil {
		return err
	}
	return m.js.Set(asmName, m.link)
}

// enlarge is the memory with a new size. Its old content stays where it is, so
// that the script's copying of it changes nothing.
func (m *machine) enlarge(size int64) sobek.Value {
	more := size - int64(len(m.region.open))
	ok := size > 0 && size <= maxPages*pageSize && size%pageSize == 0
	switch {
	case !ok || more <= 0:
		ok = ok && more == 0
	case m.module == nil:
		ok = m.region.Reallocate(uint64(size)) != nil
	default:
		_, ok = m.module.Memory().Grow(uint32(more / pageSize))
	}
	if !ok {
		panic(m.js.NewGoError(errors.New("out of memory")))
	}
	return m.js.ToValue(m.js.NewArrayBuffer(m.region.open))
}

// link is the module's function: it takes the standard library, the environment
// and the memory, and gives the exports.
func (m *machine) link(global, env *sobek.Object, _ sobek.Value) sobek.Value {
	exports := m.begin(func(module, name string) sobek.Value {
		name = name[:strings.LastIndexByte(name, ':')]
		if module == asmjs.Environment {
			return env.Get(name)
		}
		if name == "%" {
			return m.js.ToValue(math.Mod)
		}
		if library, ok := global.Get("Math").(*sobek.Object); ok {
			return library.Get(name)
		}
		return nil
	})
	for _, name := range env.Keys() {
		if g, ok := m.module.ExportedGlobal(asmjs.GlobalPrefix + name).(api.MutableGlobal); ok {
			g.Set(toWasm(env.Get(name), api.ValueTypeI32))
		}
	}
	m.must(exports.Set("_emscripten_replace_memory", func() bool { return true }))
	return exports
}
