package asmjs

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
)

// whatever is the wish of one who takes a value of whatever kind.
const whatever = kind(255)

// gen writes the body of one function.
type gen struct {
	t      *translator
	f      *function
	code   []byte
	frames []frame
	labels []string // of the statement that follows
}

// body is a function's locals and code, as the binary format has them.
func (t *translator) body(f *function) []byte {
	declared := len(f.types)
	g := &gen{t: t, f: f}
	for _, s := range f.literal.Body.List {
		g.statement(s)
	}
	if f.result != void {
		g.constant(f.result, 0)
	}
	g.op(0x0b)
	var head []byte
	head = uleb(head, uint32(len(f.types)))
	for _, k := range f.types {
		head = append(head, 1, k.wasm())
	}
	f.types = f.types[:declared]
	return append(head, g.code...)
}

func (g *gen) op(b ...byte)      { g.code = append(g.code, b...) }
func (g *gen) num(n uint32)      { g.code = uleb(g.code, n) }
func (g *gen) get(l local)       { g.op(0x20); g.num(l.index) }
func (g *gen) set(l local)       { g.op(0x21); g.num(l.index) }
func (g *gen) tee(l local)       { g.op(0x22); g.num(l.index) }
func (g *gen) call(index uint32) { g.op(0x10); g.num(index) }

func (g *gen) constant(k kind, v float64) { g.code = append(g.code, encode(k, v)...) }

// encode is the instruction that gives a constant.
func encode(k kind, v float64) []byte {
	if k == double {
		return binary.LittleEndian.AppendUint64([]byte{0x44}, math.Float64bits(v))
	}
	return sleb([]byte{0x41}, int32(uint32(int64(v))))
}

// drop evaluates an expression for what it does.
func (g *gen) drop(e ast.Expression) {
	switch e := e.(type) {
	case *ast.AssignExpression:
		g.assign(e, false)
		return
	case *ast.SequenceExpression:
		for _, x := range e.Sequence {
			g.drop(x)
		}
		return
	case *ast.ConditionalExpression:
		if g.t.kindOf(g.f, e) == void {
			g.value(e.Test, integer)
			g.op(0x04, 0x40)
			g.frames = append(g.frames, frame{})
			g.drop(e.Consequent)
			g.op(0x05)
			g.drop(e.Alternate)
			g.end()
			return
		}
	}
	if g.expr(e, void) != void {
		g.op(0x1a)
	}
}

// value evaluates an expression to a value of a kind.
func (g *gen) value(e ast.Expression, want kind) {
	if want == double && isNumber(e) {
		v, _ := number(e)
		g.constant(double, v)
		return
	}
	k := g.expr(e, want)
	if want == double && k == integer {
		g.op(0xb7)
	} else if want == double && k == unsigned {
		g.op(0xb8)
	} else if !k.same(want) {
		refuse("a %T is %d, not %d", e, k, want)
	}
}

// expr evaluates an expression and tells what kind of value is on the stack.
// want matters to functions of the environment only: it is what they return.
func (g *gen) expr(e ast.Expression, want kind) kind {
	if isNumber(e) {
		v, k := number(e)
		g.constant(k, v)
		return k
	}
	switch e := e.(type) {
	case *ast.Identifier:
		if l, ok := g.f.locals[string(e.Name)]; ok {
			g.get(l)
			return l.kind
		}
		switch n := g.t.names[string(e.Name)].(type) {
		case global:
			g.op(0x23)
			g.num(n.index)
			return n.kind
		case constant:
			g.constant(double, n.value)
			return double
		}
		refuse("%s is no variable", e.Name)
	case *ast.UnaryExpression:
		return g.unary(e)
	case *ast.BinaryExpression:
		return g.binary(e)
	case *ast.AssignExpression:
		return g.assign(e, true)
	case *ast.SequenceExpression:
		last := len(e.Sequence) - 1
		for _, x := range e.Sequence[:last] {
			g.drop(x)
		}
		return g.expr(e.Sequence[last], want)
	case *ast.ConditionalExpression:
		k := g.t.kindOf(g.f, e)
		if k == void {
			k = want
		}
		if k == void || k == whatever {
			refuse("a choice has no type")
		}
		g.value(e.Test, integer)
		g.op(0x04, k.wasm())
		g.frames = append(g.frames, frame{})
		g.value(e.Consequent, k)
		g.op(0x05)
		g.value(e.Alternate, k)
		g.end()
		return k
	case *ast.BracketExpression:
		h := g.heap(e)
		g.op(h.load, h.shift, 0)
		if !h.float {
			return integer
		}
		if h.shift == 2 {
			g.op(0xbb)
		}
		return double
	case *ast.CallExpression:
		return g.calls(e, want)
	}
	refuse("a %T is no expression", e)
	return void
}

// heap leaves the address of an element of a view.
func (g *gen) heap(e *ast.BracketExpression) heap {
	h, ok := g.t.names[word(e.Left)].(heap)
	if _, hidden := g.f.locals[word(e.Left)]; !ok || hidden {
		refuse("%s is no view", word(e.Left))
	}
	if isNumber(e.Member) {
		v, _ := number(e.Member)
		g.constant(integer, v*float64(int(1)<<h.shift))
		return h
	}
	if b, ok := e.Member.(*ast.BinaryExpression); ok && b.Operator == token.SHIFT_RIGHT && isNumber(b.Right) {
		if v, _ := number(b.Right); v == float64(h.shift) {
			g.value(b.Left, integer)
			return h
		}
	}
	if h.shift != 0 {
		refuse("an index is not shifted by the size of its element")
	}
	g.value(e.Member, integer)
	return h
}

// assign stores, and leaves the value if it is used.
func (g *gen) assign(e *ast.AssignExpression, used bool) kind {
	if e.Operator != token.ASSIGN {
		refuse("an assignment by %s", e.Operator)
	}
	if b, ok := e.Left.(*ast.BracketExpression); ok {
		h := g.heap(b)
		k := integer
		if h.float {
			k = double
		}
		g.value(e.Right, k)
		var kept local
		if used {
			kept = g.f.add(k)
			g.tee(kept)
		}
		if h.float && h.shift == 2 {
			g.op(0xb6)
		}
		g.op(h.store, h.shift, 0)
		if used {
			g.get(kept)
		}
		return k
	}
	name := word(e.Left)
	if l, ok := g.f.locals[name]; ok {
		g.value(e.Right, l.kind)
		if used {
			g.tee(l)
		} else {
			g.set(l)
		}
		return l.kind
	}
	n, ok := g.t.names[name].(global)
	if !ok {
		refuse("%s is no variable", name)
	}
	g.value(e.Right, n.kind)
	g.op(0x24)
	g.num(n.index)
	if used {
		g.op(0x23)
		g.num(n.index)
	}
	return n.kind
}

func (g *gen) unary(e *ast.UnaryExpression) kind {
	switch e.Operator {
	case token.PLUS:
		g.value(e.Operand, double)
		return double
	case token.MINUS:
		if g.t.kindOf(g.f, e.Operand) == double {
			g.value(e.Operand, double)
			g.op(0x9a)
			return double
		}
		g.constant(integer, 0)
		g.value(e.Operand, integer)
		g.op(0x6b)
		return integer
	case token.NOT:
		g.value(e.Operand, integer)
		g.op(0x45)
		return integer
	case token.BITWISE_NOT:
		if u, ok := e.Operand.(*ast.UnaryExpression); ok && u.Operator == token.BITWISE_NOT && g.t.kindOf(g.f, u.Operand) == double {
			g.value(u.Operand, double)
			g.op(0xfc, 0x06, 0xa7) // through 64 bits: modulo 2^32 as in JavaScript
			return integer
		}
		g.value(e.Operand, integer)
		g.constant(integer, -1)
		g.op(0x73)
		return integer
	}
	refuse("an operator %s", e.Operator)
	return void
}

// instructions of binary operators: of signed, unsigned and double operands.
var operators = map[token.Token][3]byte{
	token.PLUS: {0x6a, 0x6a, 0xa0}, token.MINUS: {0x6b, 0x6b, 0xa1}, token.MULTIPLY: {0x6c, 0x6c, 0xa2}, token.SLASH: {0x6d, 0x6e, 0xa3},
	token.REMAINDER: {0x6f, 0x70, 0}, token.AND: {0x71, 0x71, 0}, token.OR: {0x72, 0x72, 0}, token.EXCLUSIVE_OR: {0x73, 0x73, 0},
	token.SHIFT_LEFT: {0x74, 0x74, 0}, token.SHIFT_RIGHT: {0x75, 0x75, 0}, token.UNSIGNED_SHIFT_RIGHT: {0x76, 0x76, 0},
	token.EQUAL: {0x46, 0x46, 0x61}, token.NOT_EQUAL: {0x47, 0x47, 0x62},
	token.LESS: {0x48, 0x49, 0x63}, token.GREATER: {0x4a, 0x4b, 0x64}, token.LESS_OR_EQUAL: {0x4c, 0x4d, 0x65}, token.GREATER_OR_EQUAL: {0x4e, 0x4f, 0x66},
}

func (g *gen) binary(e *ast.BinaryExpression) kind {
	zero := false
	if isNumber(e.Right) {
		v, _ := number(e.Right)
		zero = v == 0
	}
	switch e.Operator {
	case token.OR:
		if zero { // a coercion
			g.value(e.Left, integer)
			return integer
		}
	case token.UNSIGNED_SHIFT_RIGHT:
		if zero {
			g.value(e.Left, integer)
			return unsigned
		}
	case token.LOGICAL_AND, token.LOGICAL_OR:
		kept := g.f.add(integer)
		g.value(e.Left, integer)
		g.tee(kept)
		g.op(0x04, integer.wasm())
		g.frames = append(g.frames, frame{})
		if e.Operator == token.LOGICAL_AND {
			g.value(e.Right, integer)
			g.op(0x05)
			g.get(kept)
		} else {
			g.get(kept)
			g.op(0x05)
			g.value(e.Right, integer)
		}
		g.end()
		return integer
	}
	codes, ok := operators[e.Operator]
	if !ok {
		refuse("an operator %s", e.Operator)
	}
	l, r := g.t.kindOf(g.f, e.Left), g.t.kindOf(g.f, e.Right)
	if l == double || r == double {
		if e.Operator == token.REMAINDER {
			g.value(e.Left, double)
			g.value(e.Right, double)
			g.call(g.t.foreign(foreign{Mathematics, "%"}, "ddd"))
			return double
		}
		if codes[2] == 0 || l != r && !isNumber(e.Left) && !isNumber(e.Right) {
			refuse("an operator %s of a double and an integer", e.Operator)
		}
		g.value(e.Left, double)
		g.value(e.Right, double)
		g.op(codes[2])
		if e.Comparison || e.Operator == token.EQUAL || e.Operator == token.NOT_EQUAL {
			return integer
		}
		return double
	}
	g.value(e.Left, integer)
	g.value(e.Right, integer)
	code := codes[0]
	if codes[0] != codes[1] || e.Operator == token.EQUAL || e.Operator == token.NOT_EQUAL {
		if (l == unsigned) != (r == unsigned) && !positive(e.Left) && !positive(e.Right) {
			refuse("an operator %s of a signed and an unsigned integer", e.Operator)
		}
		if l == unsigned || r == unsigned {
			code = codes[1]
		}
	}
	if e.Operator == token.SLASH || e.Operator == token.REMAINDER {
		if v := literal(e.Right); v != 0 && v != -1 {
			g.op(code)
		} else {
			g.call(g.t.helper(code))
		}
		return integer
	}
	g.op(code)
	if e.Operator == token.UNSIGNED_SHIFT_RIGHT {
		return unsigned
	}
	return integer
}

// literal is a number's value, 0 for other expressions.
func literal(e ast.Expression) float64 {
	if !isNumber(e) {
		return 0
	}
	v, _ := number(e)
	return v
}

// positive tells that an expression is the same signed and unsigned.
func positive(e ast.Expression) bool {
	if isNumber(e) {
		v, _ := number(e)
		return v >= 0
	}
	if b, ok := e.(*ast.BinaryExpression); ok {
		return b.Operator == token.AND && isNumber(b.Right) && positive(b.Right)
	}
	return false
}

// calls is a call of a function of the module, a table, Math or the environment.
func (g *gen) calls(e *ast.CallExpression, want kind) kind {
	if b, ok := e.Callee.(*ast.BracketExpression); ok {
		return g.indirect(b, e.ArgumentList)
	}
	switch n := g.t.names[word(e.Callee)].(type) {
	case *function:
		if len(e.ArgumentList) != len(n.params) || n.native {
			refuse("%s is called with %d values", word(e.Callee), len(e.ArgumentList))
		}
		for i, a := range e.ArgumentList {
			g.value(a, n.params[i])
		}
		g.call(g.t.base() + n.index)
		return n.result
	case builtin:
		return g.builtin(string(n), e.ArgumentList)
	case foreign:
		if n.module == Mathematics {
			want = double
		}
		if want == whatever {
			refuse("%s gives nobody knows what", n.name)
		}
		signature := []byte{want.letter()}
		for _, a := range e.ArgumentList {
			k := g.expr(a, whatever)
			if k == void {
				refuse("%s is given nothing", n.name)
			}
			signature = append(signature, k.letter())
		}
		g.call(g.t.foreign(n, string(signature)))
		return want
	}
	refuse("%s is no function", word(e.Callee))
	return void
}

// indirect calls what a table has at an index.
func (g *gen) indirect(b *ast.BracketExpression, args []ast.Expression) kind {
	tab, ok := g.t.names[word(b.Left)].(*table)
	m, masked := b.Member.(*ast.BinaryExpression)
	if !ok || !masked || m.Operator != token.AND || literal(m.Right) != float64(len(tab.members)-1) {
		refuse("a call of no table")
	}
	index := g.f.add(integer) // JavaScript evaluates it before the arguments
	g.value(b.Member, integer)
	g.set(index)
	if len(args) != len(tab.of.params) {
		refuse("a table's function is called with %d values", len(args))
	}
	for i, a := range args {
		g.value(a, tab.of.params[i])
	}
	g.get(index)
	g.constant(integer, float64(tab.base))
	g.op(0x6a, 0x11)
	g.num(g.t.signature(tab.of.signature()))
	g.op(0)
	return tab.of.result
}

func (f *function) signature() string {
	var b strings.Builder
	b.WriteByte(f.result.letter())
	for _, k := range f.params {
		b.WriteByte(k.letter())
	}
	return b.String()
}

func (g *gen) builtin(name string, args []ast.Expression) kind {
	count := map[string]int{"imul": 2, "min": 2, "max": 2}[name]
	if len(args) != max(count, 1) {
		refuse("Math.%s of %d values", name, len(args))
	}
	if name == "imul" || name == "clz32" {
		for _, a := range args {
			g.value(a, integer)
		}
		g.op(map[string]byte{"imul": 0x6c, "clz32": 0x67}[name])
		return integer
	}
	code, ok := map[string]byte{"floor": 0x9c, "ceil": 0x9b, "sqrt": 0x9f, "abs": 0x99, "min": 0xa4, "max": 0xa5}[name]
	if !ok || g.t.kindOf(g.f, args[0]) != double {
		refuse("Math.%s of integers", name)
	}
	for _, a := range args {
		g.value(a, double)
	}
	g.op(code)
	return double
}
