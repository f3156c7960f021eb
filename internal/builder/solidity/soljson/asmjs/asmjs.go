// Package asmjs translates asm.js, the subset of JavaScript that compilers to the
// web wrote before WebAssembly (http://asmjs.org/spec/latest/), to WebAssembly.
//
// It takes the modules that Emscripten wrote, which deviate from the letter of
// the specification in that their memory may grow. A module with anything that
// it does not understand is refused as a whole; whoever calls runs the script as
// JavaScript then. Two things behave otherwise than in JavaScript, both undefined
// in C: an access beyond the memory ends the program instead of giving zero, and
// an unaligned one is not rounded down.
package asmjs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/file"
	"github.com/grafana/sobek/parser"
)

// Module is a translated module.
type Module struct {
	Binary []byte
	// Globals are the integers that the module takes from its environment, by
	// the name there; the binary exports each as "global.NAME".
	Globals []string
}

// Names within the binary. Functions that the module takes are imported from
// "env" or "Math" under NAME:SIGNATURE, since JavaScript does not mind how a
// function is called and WebAssembly does. Its memory is exported as well.
const (
	Environment  = "env"
	Mathematics  = "Math"
	MemoryName   = "asm.memory"
	GlobalPrefix = "global."
)

// kind is a type of a value: what asm.js calls void, signed or int, unsigned,
// and double.
type kind byte

const (
	void kind = iota
	integer
	unsigned
	double
)

// wasm is the value type.
func (k kind) wasm() byte {
	if k == double {
		return 0x7c
	}
	return 0x7f
}

func (k kind) same(l kind) bool {
	return k == l || k != double && l != double && k != void && l != void
}

// letter is a kind as Emscripten's signatures write it.
func (k kind) letter() byte { return "viid"[k] }

// what a name of the module stands for
type (
	heap struct {
		shift, load, store byte
		float              bool
	}
	global struct {
		index uint32
		kind  kind
	}
	constant struct{ value float64 }
	foreign  struct{ module, name string }
	function struct {
		index   uint32
		literal *ast.FunctionLiteral
		params  []kind
		result  kind
		locals  map[string]local
		types   []kind // of locals that are no parameters
		native  bool   // replaces the memory: not translated
	}
	table struct {
		base    uint32
		members []string
		of      *function // all have its type
	}
	builtin string // a function of Math with an instruction of its own
)

type local struct {
	index uint32
	kind  kind
}

// refusal is why a module is not translated.
type refusal struct{ text string }

func refuse(format string, args ...any) { panic(refusal{fmt.Sprintf(format, args...)}) }

// Translate translates the text of a module: function (global, env, buffer) {...}.
func Translate(text string) (m *Module, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case refusal:
			m, err = nil, errors.New(r.text)
		default: // a form that no compiler writes
			m, err = nil, fmt.Errorf("the module is not understood: %v", r)
		}
	}()
	program, err := parser.ParseFile(new(file.FileSet), "asm.js", "("+text+")", 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, err
	}
	t := &translator{names: map[string]any{}, imports: map[string]uint32{}, signatures: map[string]uint32{}}
	if len(program.Body) != 1 {
		refuse("this is no single function")
	}
	s, ok := program.Body[0].(*ast.ExpressionStatement)
	if !ok {
		refuse("this is no function")
	}
	f, ok := s.Expression.(*ast.FunctionLiteral)
	if !ok || len(f.ParameterList.List) != 3 {
		refuse("this is no function of three parameters")
	}
	t.module(f)
	return t.finish(), nil
}

// translator is the state of one translation.
type translator struct {
	names      map[string]any
	functions  []*function
	tables     []*table
	elements   uint32
	globals    [][]byte // initial values, encoded
	taken      []string
	exports    []export
	imports    map[string]uint32
	importKeys []string
	signatures map[string]uint32
	sigKeys    []string
	bodies     [][]byte
}

type export struct {
	name string
	kind byte
	of   uint32
}

// module reads the parts of a module, then translates its functions. Imported
// functions come first in WebAssembly's numbering, and which there are is known
// only afterwards, so calls are written with a placeholder; see emit.go.
func (t *translator) module(f *ast.FunctionLiteral) {
	var last *ast.ReturnStatement
	for _, s := range f.Body.List {
		switch s := s.(type) {
		case *ast.ExpressionStatement: // "use asm"
		case *ast.VariableStatement:
			for _, b := range s.List {
				t.declare(word(b.Target), b.Initializer)
			}
		case *ast.FunctionDeclaration:
			t.define(s.Function)
		case *ast.ReturnStatement:
			last = s
		case *ast.EmptyStatement:
		default:
			refuse("a module has a %T", s)
		}
	}
	if last == nil {
		refuse("the module exports nothing")
	}
	for _, tab := range t.tables {
		tab.base = t.elements
		t.elements += uint32(len(tab.members))
		tab.of = t.function(tab.members[0])
		for _, m := range tab.members {
			if t.function(m).native {
				refuse("a table has %s", m)
			}
		}
	}
	for _, f := range t.functions {
		t.sign(f)
	}
	for _, f := range t.functions {
		if !f.native {
			t.bodies = append(t.bodies, t.body(f))
		}
	}
	list, ok := last.Argument.(*ast.ObjectLiteral)
	if !ok {
		refuse("the module returns no object")
	}
	for _, p := range list.Value {
		k, ok := p.(*ast.PropertyKeyed)
		if !ok {
			refuse("an export is a %T", p)
		}
		name, ok := k.Key.(*ast.StringLiteral)
		if !ok {
			refuse("an export is named by a %T", k.Key)
		}
		if f := t.function(word(k.Value)); !f.native {
			t.exports = append(t.exports, export{string(name.Value), 0, f.index})
		}
	}
}

// declare is one variable of the module.
func (t *translator) declare(name string, e ast.Expression) {
	switch e := e.(type) {
	case *ast.NumberLiteral, *ast.UnaryExpression:
		value, k := number(e)
		t.global(name, k, value)
	case *ast.NewExpression: // new global.Int8Array(buffer), or of a name for it
		if d, ok := e.Callee.(*ast.DotExpression); ok {
			t.names[name] = view(string(d.Identifier.Name))
		} else if h, ok := t.names[word(e.Callee)].(heap); ok {
			t.names[name] = h
		} else {
			refuse("%s is no view of the memory", name)
		}
	case *ast.BinaryExpression: // env.x|0
		d, ok := e.Left.(*ast.DotExpression)
		if !ok || e.Operator.String() != "|" {
			refuse("%s is no value of the environment", name)
		}
		t.taken = append(t.taken, string(d.Identifier.Name))
		g := t.global(name, integer, 0)
		t.exports = append(t.exports, export{GlobalPrefix + string(d.Identifier.Name), 3, g.index})
	case *ast.DotExpression:
		t.take(name, e)
	case *ast.ArrayLiteral:
		tab := &table{}
		for _, m := range e.Value {
			tab.members = append(tab.members, word(m))
		}
		if len(tab.members) == 0 {
			refuse("%s is an empty table", name)
		}
		t.names[name] = tab
		t.tables = append(t.tables, tab)
	default:
		refuse("%s is a %T", name, e)
	}
}

func (t *translator) global(name string, k kind, value float64) global {
	g := global{uint32(len(t.globals)), k}
	t.globals = append(t.globals, append(append([]byte{k.wasm(), 1}, encode(k, value)...), 0x0b))
	t.names[name] = g
	return g
}

// take is global.NaN, global.Math.floor, global.Int8Array or env.something.
func (t *translator) take(name string, e *ast.DotExpression) {
	what := string(e.Identifier.Name)
	if d, ok := e.Left.(*ast.DotExpression); ok && string(d.Identifier.Name) == "Math" {
		switch what {
		case "floor", "ceil", "sqrt", "abs", "min", "max", "imul", "clz32":
			t.names[name] = builtin(what)
		default:
			t.names[name] = foreign{Mathematics, what}
		}
		return
	}
	switch {
	case what == "NaN" || what == "Infinity":
		t.names[name] = constant{map[string]float64{"NaN": nan, "Infinity": infinity}[what]}
	case strings.HasSuffix(what, "Array"):
		t.names[name] = view(what)
	default:
		t.names[name] = foreign{Environment, what}
	}
}

func view(name string) heap {
	h, ok := map[string]heap{
		"Int8Array": {0, 0x2c, 0x3a, false}, "Uint8Array": {0, 0x2d, 0x3a, false},
		"Int16Array": {1, 0x2e, 0x3b, false}, "Uint16Array": {1, 0x2f, 0x3b, false},
		"Int32Array": {2, 0x28, 0x36, false}, "Uint32Array": {2, 0x28, 0x36, false},
		"Float32Array": {2, 0x2a, 0x38, true}, "Float64Array": {3, 0x2b, 0x39, true},
	}[name]
	if !ok {
		refuse("there is no view %s", name)
	}
	return h
}

func (t *translator) function(name string) *function {
	f, ok := t.names[name].(*function)
	if !ok {
		refuse("%s is no function", name)
	}
	return f
}

// define notes a function; its index counts from the first that is not imported.
func (t *translator) define(l *ast.FunctionLiteral) {
	f := &function{literal: l, locals: map[string]local{}}
	if s := l.Source; strings.Contains(s[:min(len(s), 400)], "newBuffer") {
		f.native = true // replaces the views when the memory has grown
	} else {
		for _, g := range t.functions {
			if !g.native {
				f.index++
			}
		}
	}
	t.names[string(l.Name.Name)] = f
	t.functions = append(t.functions, f)
}

// word is the name that an expression is.
func word(e ast.Expression) string {
	i, ok := e.(*ast.Identifier)
	if !ok {
		refuse("a name is a %T", e)
	}
	return string(i.Name)
}
