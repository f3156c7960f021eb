package soljson

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/grafana/sobek"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental/table"
)

// routine is a function of the module that may be called while it runs. wazero's
// function objects each have a stack and serve one call at a time, so the idle
// ones are kept.
type routine struct {
	params, results []api.ValueType
	make            func() api.Function
	idle            []*frame
}

type frame struct {
	f     api.Function
	stack []uint64
}

func (r *routine) run(ctx context.Context, args []uint64) (uint64, error) {
	var f *frame
	if n := len(r.idle); n > 0 {
		f, r.idle = r.idle[n-1], r.idle[:n-1]
	} else {
		f = &frame{r.make(), make([]uint64, max(len(r.params), len(r.results), 1))}
	}
	copy(f.stack, args)
	err := f.f.CallWithStack(ctx, f.stack)
	r.idle = append(r.idle, f)
	return f.stack[0], err
}

// entry is the routine at an index of the table, nil if there is none of these
// types. The builds never change their table once it is filled.
func (m *machine) entry(index uint32, params, results []api.ValueType) (r *routine) {
	if r := m.entries[index]; r != nil {
		if !slices.Equal(r.params, params) || !slices.Equal(r.results, results) {
			return nil
		}
		return r
	}
	defer func() {
		if recover() != nil { // wazero's answer to a wrong index or type
			r = nil
		}
	}()
	r = &routine{params: params, results: results, make: func() api.Function {
		return table.LookupFunction(m.module, 0, index, params, results)
	}}
	r.idle = append(r.idle, &frame{r.make(), make([]uint64, max(len(params), len(results), 1))})
	m.entries[index] = r
	return r
}

// dial lets the script call an entry of the table. Only the number of arguments
// is known; the few entries that scripts call take integers.
func (m *machine) dial(index uint32, args []sobek.Value) sobek.Value {
	params := make([]api.ValueType, len(args))
	for i := range params {
		params[i] = api.ValueTypeI32
	}
	for _, results := range [][]api.ValueType{nil, {api.ValueTypeI32}, {api.ValueTypeF64}} {
		if r := m.entry(index, params, results); r != nil {
			return m.run(r, args)
		}
	}
	if r := m.entries[index]; r != nil {
		return m.run(r, args)
	}
	panic(m.js.NewGoError(errors.New("the table has no such function")))
}

// invoked is the routine that an invoke_ function calls, and what it is given. In
// what was asm.js there is a table for each type, and an export dynCall_ that
// reaches into it.
func (m *machine) invoked(name string, stack []uint64, params, results []api.ValueType) (*routine, []uint64) {
	if !m.asm {
		return m.entry(uint32(stack[0]), params[1:], results), stack[1:len(params)]
	}
	r := m.exports["dynCall_"+strings.TrimPrefix(name, "invoke_")]
	if r == nil || !slices.Equal(r.params, params) || len(results) > len(r.results) {
		return nil, nil
	}
	return r, stack[:len(params)]
}

// invoke does what the script's invoke_ functions do: call, and if a number was
// thrown (a C++ exception is one), put the stack back and tell the module by
// setThrew. Anything else that is thrown goes on.
func (m *machine) invoke(r *routine, args, results []uint64) {
	sp, err := m.stackSave.run(m.ctx, nil)
	if err != nil {
		panic(err)
	}
	result, err := r.run(m.ctx, args)
	if err == nil {
		if len(results) > 0 {
			results[0] = result
		}
		return
	}
	var t *thrown
	if !errors.As(err, &t) {
		if m.trap == nil {
			m.trap = err
		}
		panic(err)
	}
	if !isNumber(t.value) {
		panic(t)
	}
	if _, err := m.stackRestore.run(m.ctx, []uint64{sp}); err != nil {
		panic(err)
	}
	if _, err := m.setThrew.run(m.ctx, []uint64{1, 0}); err != nil {
		panic(err)
	}
	if len(results) > 0 {
		results[0] = 0
	}
}

func isNumber(v sobek.Value) bool {
	switch n := v.Export().(type) {
	case int64:
		return true
	case float64:
		return !math.IsNaN(n)
	}
	return false
}

// shortcut finds the exports behind three of the script's functions by calling
// them and seeing which export is reached: their names in the module are
// shortened differently in every build.
func (m *machine) shortcut() error {
	reach := func(args []sobek.Value, names ...string) (*routine, sobek.Value) {
		for _, name := range names {
			if f, ok := sobek.AssertFunction(m.js.Get(name)); ok {
				m.called = nil
				if v, err := f(sobek.Undefined(), args...); err == nil && m.called != nil {
					return m.called, v
				}
			}
		}
		return nil, sobek.Undefined()
	}
	zero := m.js.ToValue(0)
	save, sp := reach(nil, "stackSave")
	if save == nil {
		return nil // slower, but right
	}
	restore, _ := reach([]sobek.Value{sp}, "stackRestore")
	threw, _ := reach([]sobek.Value{zero, zero}, "_setThrew", "setThrew")
	if restore == nil || threw == nil || len(save.params) != 0 || len(restore.params) != 1 || len(threw.params) != 2 {
		return nil
	}
	m.stackSave, m.stackRestore, m.setThrew = save, restore, threw
	return nil
}
