// Package soljson runs the published builds of the Solidity compiler for
// JavaScript (soljson.js) without a JavaScript host: the script runs in sobek,
// and where the compiler itself is WebAssembly, that part runs in wazero while
// the script keeps the little work that it had. Older builds are asm.js; that is
// translated to WebAssembly when a build is first loaded (package asmjs), or runs
// in sobek altogether where it cannot be.
//
// Nothing of the machine is given to the script: no files, no network, no
// environment, no import callback. What it needs of memory and time is not
// bounded here but by the process that it runs in (package solidity).
package soljson

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/grafana/sobek"
)

// MaxAnswer is how many bytes the compiler's answer may have.
const MaxAnswer = 128 << 20

// Compiler is one loaded build. It is used by one goroutine.
type Compiler struct {
	js     *sobek.Runtime
	module *sobek.Object
	wasm   *machine // nil for asm.js
}

// Load runs a build's script. cache is a directory for machine code made from
// WebAssembly, "" for none; without it the first start takes some ten seconds
// every time.
func Load(ctx context.Context, script []byte, cache string) (*Compiler, error) {
	glue, binary, err := split(script)
	if err != nil {
		return nil, err
	}
	c := &Compiler{js: sobek.New()}
	c.js.SetMaxCallStackSize(100_000)
	if err := c.surroundings(); err != nil {
		return nil, err
	}
	if binary != nil {
		if c.wasm, err = newMachine(ctx, c.js, binary, cache); err != nil {
			return nil, err
		}
	} else if rest, binary := translated(script, cache); binary != nil {
		if c.wasm, err = newMachine(ctx, c.js, binary, cache); err != nil {
			return nil, err
		}
		glue = rest
		if err := c.wasm.pretend(); err != nil {
			return nil, err
		}
	}
	program, err := sobek.Compile("soljson.js", glue, false)
	if err != nil {
		return nil, fmt.Errorf("the script cannot be read: %w", err)
	}
	if _, err := c.js.RunProgram(program); err != nil {
		return nil, c.failure("the script failed", err)
	}
	module, ok := c.js.Get("Module").(*sobek.Object)
	if !ok {
		return nil, errors.New("the script defines no Module")
	}
	c.module = module
	if c.wasm != nil {
		if err := c.wasm.shortcut(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close gives back what the WebAssembly machine holds.
func (c *Compiler) Close(ctx context.Context) error {
	if c.wasm == nil {
		return nil
	}
	return c.wasm.close(ctx)
}

// WebAssembly tells whether the compiler runs as WebAssembly, be it that or
// translated from asm.js, rather than as JavaScript.
func (c *Compiler) WebAssembly() bool { return c.wasm != nil }

// Version is what the compiler says of itself.
func (c *Compiler) Version() (string, error) {
	p, err := c.call([]string{"_solidity_version", "_version"})
	if err != nil {
		return "", err
	}
	text, err := c.text(p)
	return string(text), err
}

// Compile gives standard JSON to the compiler and returns what it answers, byte
// for byte. Imports are resolved among the input's sources only.
func (c *Compiler) Compile(input []byte) ([]byte, error) {
	if bytes.IndexByte(input, 0) >= 0 {
		return nil, errors.New("the input has a zero byte")
	}
	// The pointer comes from the compiler's allocator and not from its stack,
	// which has five megabytes and does not say when they are used up.
	p, err := c.call([]string{"_solidity_alloc", "_malloc"}, len(input)+1)
	if err != nil {
		return nil, err
	}
	at, err := c.heap(p, len(input)+1)
	if err != nil {
		return nil, err
	}
	copy(at, input)
	at[len(input)] = 0
	// No callback for imports; a third argument exists since 0.6 only.
	if p, err = c.call([]string{"_solidity_compile", "_compileStandard"}, p, 0, 0); err != nil {
		return nil, err
	}
	return c.text(p)
}

// call calls the first of the names that the build exports.
func (c *Compiler) call(names []string, args ...int) (int, error) {
	for _, name := range names {
		f, ok := sobek.AssertFunction(c.module.Get(name))
		if !ok {
			continue
		}
		values := make([]sobek.Value, len(args))
		for i, a := range args {
			values[i] = c.js.ToValue(int32(uint32(a)))
		}
		v, err := f(sobek.Undefined(), values...)
		if err != nil {
			return 0, c.failure(name, err)
		}
		return int(uint32(v.ToInteger())), nil
	}
	return 0, fmt.Errorf("the script has no function %s", names[0])
}

// heap is the compiler's memory from p on, at least length bytes.
func (c *Compiler) heap(p, length int) ([]byte, error) {
	var all []byte
	if c.wasm != nil {
		all = c.wasm.bytes()
	} else {
		view := c.module.Get("HEAPU8")
		if view == nil {
			view = c.js.Get("HEAPU8")
		}
		o, ok := view.(*sobek.Object)
		if !ok {
			return nil, errors.New("the script shows no memory")
		}
		if b, ok := o.Get("buffer").Export().(sobek.ArrayBuffer); ok {
			all = b.Bytes()
		}
	}
	if p <= 0 || p > len(all) || length > len(all)-p {
		return nil, errors.New("the compiler's memory has no such place")
	}
	return all[p:], nil
}

// text is the C string at p.
func (c *Compiler) text(p int) ([]byte, error) {
	at, err := c.heap(p, 1)
	if err != nil {
		return nil, err
	}
	n := bytes.IndexByte(at, 0)
	if n < 0 || n > MaxAnswer {
		return nil, fmt.Errorf("the compiler's answer is longer than %d bytes", MaxAnswer)
	}
	return bytes.Clone(at[:n]), nil
}

// failure is an error of the script with what it was doing.
func (c *Compiler) failure(what string, err error) error {
	if c.wasm != nil && c.wasm.trap != nil {
		return fmt.Errorf("%s: %w", what, c.wasm.trap)
	}
	var deep *sobek.StackOverflowError
	if errors.As(err, &deep) {
		return fmt.Errorf("%s: stack overflow", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// surroundings gives the script the few things that it expects of any host.
func (c *Compiler) surroundings() error {
	none := func(sobek.FunctionCall) sobek.Value { return sobek.Undefined() }
	console := c.js.NewObject()
	performance := c.js.NewObject()
	start := time.Now()
	for _, err := range []error{
		console.Set("log", none), console.Set("warn", none), console.Set("error", none),
		performance.Set("now", func() float64 { return float64(time.Since(start).Microseconds()) / 1000 }),
		c.js.Set("console", console), c.js.Set("performance", performance),
		c.js.Set("print", none), c.js.Set("printErr", none),
		c.js.Set("atob", func(text string) sobek.Value {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				panic(c.js.NewGoError(err))
			}
			runes := make([]uint16, len(raw))
			for i, b := range raw {
				runes[i] = uint16(b)
			}
			return sobek.StringFromUTF16(runes)
		}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
