package soljson

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/grafana/sobek"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// maxPages bounds a compiler's memory: 2 GiB, which is what the builds
// themselves ask for at most.
const (
	pageSize = 65536
	maxPages = 2 << 30 / pageSize
)

// machine is a WebAssembly object for the script, with one module behind it:
// the one that was found within the script, whatever bytes the script names.
type machine struct {
	ctx      context.Context
	js       *sobek.Runtime
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	layout   *layout
	region   *region
	module   api.Module
	asm      bool // the module was asm.js

	view    sobek.Value // the ArrayBuffer over the region
	viewed  int         // its length
	entries map[uint32]*routine
	exports map[string]*routine
	called  *routine // the export that was called last
	trap    error    // why the module broke down, if it did

	stackSave, stackRestore, setThrew *routine // set by shortcut
}

// thrown is a JavaScript value on its way through WebAssembly.
type thrown struct{ value sobek.Value }

func (t *thrown) Error() string { return fmt.Sprintf("the script threw %v", t.value) }

func newMachine(ctx context.Context, js *sobek.Runtime, binary []byte, cache string) (*machine, error) {
	l, err := localise(binary)
	if err != nil {
		return nil, err
	}
	m := &machine{ctx: ctx, js: js, layout: l, entries: map[uint32]*routine{}, exports: map[string]*routine{}}
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(maxPages)
	if cache != "" {
		if m.cache, err = wazero.NewCompilationCacheWithDir(cache); err != nil {
			return nil, err
		}
		config = config.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if m.compiled, err = m.runtime.CompileModule(ctx, l.binary); err != nil {
		return nil, fmt.Errorf("the WebAssembly within the script: %w", err)
	}
	if m.region, err = newRegion(maxPages * pageSize); err != nil {
		return nil, err
	}
	return m, m.surroundings()
}

func (m *machine) close(ctx context.Context) error {
	err := m.runtime.Close(ctx)
	if m.cache != nil {
		err = errors.Join(err, m.cache.Close(ctx))
	}
	m.region.Free()
	return err
}

func (m *machine) bytes() []byte { return m.region.open }

// surroundings sets the global WebAssembly.
func (m *machine) surroundings() error {
	lib := m.js.NewObject()
	fault, err := m.js.RunString(`(class RuntimeError extends Error {})`)
	if err != nil {
		return err
	}
	promise, err := m.js.RunString(`(function (make) { return function (binary, imports) {
		return new Promise(function (done) { done({ instance: make(imports), module: {} }) }) } })`)
	if err != nil {
		return err
	}
	wrap, _ := sobek.AssertFunction(promise)
	instantiate, err := wrap(sobek.Undefined(), m.js.ToValue(func(imports sobek.Value) sobek.Value {
		instance := m.js.NewObject()
		m.must(instance.Set("exports", m.instantiate(imports)))
		return instance
	}))
	if err != nil {
		return err
	}
	return errors.Join(
		lib.Set("RuntimeError", fault), lib.Set("CompileError", fault), lib.Set("LinkError", fault),
		lib.Set("instantiate", instantiate),
		lib.Set("validate", func() bool { return true }),
		lib.Set("Module", func(sobek.ConstructorCall) *sobek.Object { return nil }),
		lib.Set("Instance", func(c sobek.ConstructorCall) *sobek.Object {
			m.must(c.This.Set("exports", m.instantiate(c.Argument(1))))
			return nil
		}),
		lib.Set("Memory", func(c sobek.ConstructorCall) *sobek.Object {
			pages := c.Argument(0).ToObject(m.js).Get("initial").ToInteger()
			if pages < 0 || pages > maxPages || m.region.Reallocate(uint64(pages)*pageSize) == nil {
				panic(m.js.NewGoError(errors.New("out of memory")))
			}
			return m.memory()
		}),
		lib.Set("Table", func(c sobek.ConstructorCall) *sobek.Object {
			return m.table(c.Argument(0).ToObject(m.js).Get("initial"))
		}),
		m.js.Set("WebAssembly", lib),
	)
}

func (m *machine) must(err error) {
	if err != nil {
		panic(m.js.NewGoError(err))
	}
}

// memory is a WebAssembly.Memory over the region.
func (m *machine) memory() *sobek.Object {
	o := m.js.NewObject()
	buffer := m.js.ToValue(func(sobek.FunctionCall) sobek.Value {
		if open := m.region.open; m.view == nil || m.viewed != len(open) {
			m.view, m.viewed = m.js.ToValue(m.js.NewArrayBuffer(open)), len(open)
		}
		return m.view
	})
	m.must(o.DefineAccessorProperty("buffer", buffer, nil, sobek.FLAG_FALSE, sobek.FLAG_TRUE))
	m.must(o.Set("grow", func(pages uint32) uint32 {
		if m.module != nil {
			if before, ok := m.module.Memory().Grow(pages); ok {
				return before
			}
		}
		panic(m.js.NewGoError(errors.New("out of memory")))
	}))
	return o
}

// table is a WebAssembly.Table that can be read.
func (m *machine) table(length sobek.Value) *sobek.Object {
	o, known := m.js.NewObject(), map[uint32]sobek.Value{}
	m.must(o.Set("length", length))
	m.must(o.Set("get", func(index uint32) sobek.Value {
		if known[index] == nil {
			known[index] = m.js.ToValue(func(c sobek.FunctionCall) sobek.Value { return m.dial(index, c.Arguments) })
		}
		return known[index]
	}))
	return o
}

// instantiate makes the module with the script's functions and returns its
// exports for the script.
func (m *machine) instantiate(imports sobek.Value) *sobek.Object {
	from := imports.ToObject(m.js)
	return m.begin(func(module, name string) sobek.Value {
		if space, ok := from.Get(module).(*sobek.Object); ok {
			return space.Get(name)
		}
		return nil
	})
}

// begin makes the module with the functions that find finds.
func (m *machine) begin(find func(module, name string) sobek.Value) *sobek.Object {
	if m.module != nil {
		panic(m.js.NewGoError(errors.New("the script wants a second module")))
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, def := range m.compiled.ImportedFunctions() {
		module, name, _ := def.Import()
		value := find(module, name)
		f, ok := sobek.AssertFunction(value)
		if !ok {
			panic(m.js.NewGoError(fmt.Errorf("the script has no function %s.%s", module, name)))
		}
		if hosts[module] == nil {
			hosts[module] = m.runtime.NewHostModuleBuilder(module)
		}
		hosts[module] = hosts[module].NewFunctionBuilder().
			WithGoFunction(m.lend(f, value.ToObject(m.js).Get("name").String(), def), def.ParamTypes(), def.ResultTypes()).
			Export(name)
	}
	for _, host := range hosts {
		_, err := host.Instantiate(m.ctx)
		m.must(err)
	}
	ctx := experimental.WithMemoryAllocator(m.ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory {
		return m.region
	}))
	module, err := m.runtime.InstantiateModule(ctx, m.compiled, wazero.NewModuleConfig().WithStartFunctions())
	m.must(err)
	m.module = module
	exports := m.js.NewObject()
	for name, def := range m.compiled.ExportedFunctions() {
		r := &routine{params: def.ParamTypes(), results: def.ResultTypes(), make: func() api.Function { return module.ExportedFunction(name) }}
		m.exports[name] = r
		m.must(exports.Set(name, func(c sobek.FunctionCall) sobek.Value {
			m.called = r
			return m.run(r, c.Arguments)
		}))
	}
	for name := range m.compiled.ExportedMemories() {
		m.must(exports.Set(name, m.memory()))
	}
	for _, name := range m.layout.tables {
		m.must(exports.Set(name, m.table(m.js.ToValue(0))))
	}
	return exports
}

// run lets the script call a routine.
func (m *machine) run(r *routine, args []sobek.Value) sobek.Value {
	values := make([]uint64, len(r.params))
	for i, t := range r.params {
		if i < len(args) {
			values[i] = toWasm(args[i], t)
		}
	}
	result, err := r.run(m.ctx, values)
	if err != nil {
		var t *thrown
		if errors.As(err, &t) {
			panic(t.value)
		}
		if m.trap == nil {
			m.trap = err
		}
		panic(m.js.NewGoError(err))
	}
	if len(r.results) == 0 {
		return sobek.Undefined()
	}
	return m.fromWasm(result, r.results[0])
}

var invokes = regexp.MustCompile(`^invoke_[vidf]+$`)

// lend makes one of the script's functions callable for the module. Those named
// invoke_ call an entry of the table and catch what it throws; they are most of
// all calls and done without the script once shortcut has found what they need.
func (m *machine) lend(f sobek.Callable, name string, def api.FunctionDefinition) api.GoFunction {
	params, results := def.ParamTypes(), def.ResultTypes()
	direct := invokes.MatchString(name) && len(params) > 0 && params[0] == api.ValueTypeI32
	return api.GoFunc(func(_ context.Context, stack []uint64) {
		if direct && m.setThrew != nil {
			if r, args := m.invoked(name, stack, params, results); r != nil {
				m.invoke(r, args, stack[:len(results)])
				return
			}
		}
		args := make([]sobek.Value, len(params))
		for i, t := range params {
			args[i] = m.fromWasm(stack[i], t)
		}
		v, err := f(sobek.Undefined(), args...)
		if err != nil {
			var e *sobek.Exception
			if errors.As(err, &e) {
				panic(&thrown{e.Value()})
			}
			if m.trap == nil {
				m.trap = err
			}
			panic(err)
		}
		if len(results) > 0 {
			stack[0] = toWasm(v, results[0])
		}
	})
}

func (m *machine) fromWasm(v uint64, t api.ValueType) sobek.Value {
	switch t {
	case api.ValueTypeI32:
		return m.js.ToValue(int32(uint32(v)))
	case api.ValueTypeF64:
		return m.js.ToValue(math.Float64frombits(v))
	case api.ValueTypeF32:
		return m.js.ToValue(float64(math.Float32frombits(uint32(v))))
	}
	panic(m.js.NewGoError(errors.New("a 64-bit integer cannot be given to the script"))) // no build does so
}

func toWasm(v sobek.Value, t api.ValueType) uint64 {
	if v == nil {
		return 0
	}
	switch t {
	case api.ValueTypeF64:
		return math.Float64bits(v.ToFloat())
	case api.ValueTypeF32:
		return uint64(math.Float32bits(float32(v.ToFloat())))
	}
	return uint64(uint32(v.ToInteger()))
}
