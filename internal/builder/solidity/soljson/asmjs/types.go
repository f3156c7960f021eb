package asmjs

import (
	"math"
	"strings"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
)

var nan, infinity = math.NaN(), math.Inf(1)

// number is a literal with its sign. One with a point is a double.
func number(e ast.Expression) (float64, kind) {
	switch e := e.(type) {
	case *ast.NumberLiteral:
		var v float64
		switch n := e.Value.(type) {
		case int64:
			v = float64(n)
		case float64:
			v = n
		default:
			refuse("%s is no number", e.Literal)
		}
		k := integer
		switch {
		case strings.Contains(e.Literal, ".") || v != math.Trunc(v) || v > math.MaxUint32:
			k = double
		case v > math.MaxInt32:
			k = unsigned
		}
		return v, k
	case *ast.UnaryExpression:
		v, k := number(e.Operand)
		switch e.Operator {
		case token.MINUS:
			if k == unsigned {
				k = integer
			}
			return -v, k
		case token.PLUS:
			return v, double
		}
	}
	refuse("a %T is no number", e)
	return 0, void
}

func isNumber(e ast.Expression) bool {
	if u, ok := e.(*ast.UnaryExpression); ok && (u.Operator == token.MINUS || u.Operator == token.PLUS) {
		return isNumber(u.Operand)
	}
	_, ok := e.(*ast.NumberLiteral)
	return ok
}

// sign finds the types of a function: its parameters by the coercions at its
// beginning, its locals by their first values, its result by what it returns.
func (t *translator) sign(f *function) {
	if f.native {
		return
	}
	body := f.literal.Body.List
	for i, b := range f.literal.ParameterList.List {
		name := word(b.Target)
		k := void
		if i < len(body) {
			if s, ok := body[i].(*ast.ExpressionStatement); ok {
				if a, ok := s.Expression.(*ast.AssignExpression); ok && a.Operator == token.ASSIGN {
					if left, ok := a.Left.(*ast.Identifier); ok && string(left.Name) == name {
						k = coercion(a.Right)
					}
				}
			}
		}
		if k == void {
			refuse("parameter %s of %s has no type", name, f.literal.Name.Name)
		}
		f.params = append(f.params, k)
		f.locals[name] = local{uint32(i), k}
	}
	walk(f.literal.Body, func(s ast.Statement) {
		if v, ok := s.(*ast.VariableStatement); ok {
			for _, b := range v.List {
				name := word(b.Target)
				if _, again := f.locals[name]; again || b.Initializer == nil {
					refuse("variable %s of %s", name, f.literal.Name.Name)
				}
				k := t.kindOf(f, b.Initializer)
				f.locals[name] = f.add(k)
			}
		}
	})
	walk(f.literal.Body, func(s ast.Statement) {
		if r, ok := s.(*ast.ReturnStatement); ok && r.Argument != nil && f.result == void {
			if f.result = t.kindOf(f, r.Argument); f.result == unsigned {
				f.result = integer
			}
		}
	})
}

// coercion is the type that x|0 or +x says.
func coercion(e ast.Expression) kind {
	switch e := e.(type) {
	case *ast.BinaryExpression:
		if e.Operator == token.OR {
			return integer
		}
	case *ast.UnaryExpression:
		if e.Operator == token.PLUS {
			return double
		}
	}
	return void
}

// add makes a further local.
func (f *function) add(k kind) local {
	f.types = append(f.types, k)
	return local{uint32(len(f.params) + len(f.types) - 1), k}
}

// walk visits all statements within one.
func walk(s ast.Statement, visit func(ast.Statement)) {
	if s == nil {
		return
	}
	visit(s)
	list := func(l []ast.Statement) {
		for _, s := range l {
			walk(s, visit)
		}
	}
	switch s := s.(type) {
	case *ast.BlockStatement:
		list(s.List)
	case *ast.IfStatement:
		walk(s.Consequent, visit)
		walk(s.Alternate, visit)
	case *ast.WhileStatement:
		walk(s.Body, visit)
	case *ast.DoWhileStatement:
		walk(s.Body, visit)
	case *ast.ForStatement:
		walk(s.Body, visit)
	case *ast.LabelledStatement:
		walk(s.Statement, visit)
	case *ast.SwitchStatement:
		for _, c := range s.Body {
			list(c.Consequent)
		}
	}
}

// kindOf is the type of an expression, without writing anything.
func (t *translator) kindOf(f *function, e ast.Expression) kind {
	if isNumber(e) {
		_, k := number(e)
		return k
	}
	switch e := e.(type) {
	case *ast.Identifier:
		if l, ok := f.locals[string(e.Name)]; ok {
			return l.kind
		}
		switch n := t.names[string(e.Name)].(type) {
		case global:
			return n.kind
		case constant:
			return double
		}
		refuse("%s is no variable", e.Name)
	case *ast.UnaryExpression:
		switch e.Operator {
		case token.PLUS:
			return double
		case token.MINUS:
			return t.kindOf(f, e.Operand)
		}
		return integer
	case *ast.BinaryExpression:
		switch e.Operator {
		case token.UNSIGNED_SHIFT_RIGHT:
			return unsigned
		case token.PLUS, token.MINUS, token.MULTIPLY, token.SLASH, token.REMAINDER:
			if t.kindOf(f, e.Left) == double {
				return double
			}
		}
		return integer
	case *ast.AssignExpression:
		return t.kindOf(f, e.Right)
	case *ast.ConditionalExpression:
		if k := t.kindOf(f, e.Consequent); k != unsigned {
			return k
		}
		return t.kindOf(f, e.Alternate)
	case *ast.SequenceExpression:
		return t.kindOf(f, e.Sequence[len(e.Sequence)-1])
	case *ast.BracketExpression:
		if h, ok := t.names[word(e.Left)].(heap); ok && h.float {
			return double
		}
		return integer
	case *ast.CallExpression:
		if i, ok := e.Callee.(*ast.Identifier); ok {
			switch n := t.names[string(i.Name)].(type) {
			case *function:
				return n.result
			case builtin:
				switch n {
				case "imul", "clz32":
					return integer
				case "floor", "ceil", "sqrt":
					return double
				}
				return t.kindOf(f, e.ArgumentList[0])
			case foreign:
				if n.module == Mathematics {
					return double
				}
				return void
			}
		}
		if b, ok := e.Callee.(*ast.BracketExpression); ok {
			if tab, ok := t.names[word(b.Left)].(*table); ok {
				return tab.of.result
			}
		}
	}
	refuse("a %T has no type", e)
	return void
}
