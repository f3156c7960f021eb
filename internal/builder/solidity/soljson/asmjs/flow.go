package asmjs

import (
	"slices"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
)

// frame is a block that may be left, or a loop that may be gone on with.
type frame struct {
	labels       []string
	leave, again bool // by break, by continue
	named        bool // a block that is only left by its label
}

func (g *gen) open(code byte, f frame) {
	g.op(code, 0x40)
	g.frames = append(g.frames, f)
}

func (g *gen) end() {
	g.op(0x0b)
	g.frames = g.frames[:len(g.frames)-1]
}

func (g *gen) statement(s ast.Statement) {
	labels := g.labels
	g.labels = nil
	switch s := s.(type) {
	case *ast.EmptyStatement:
	case *ast.ExpressionStatement:
		g.drop(s.Expression)
	case *ast.VariableStatement:
		for _, b := range s.List {
			if literal(b.Initializer) != 0 || !isNumber(b.Initializer) { // locals begin as zero
				l := g.f.locals[word(b.Target)]
				g.value(b.Initializer, l.kind)
				g.set(l)
			}
		}
	case *ast.BlockStatement:
		if len(labels) > 0 {
			g.open(0x02, frame{labels: labels, leave: true, named: true})
			defer g.end()
		}
		for _, x := range s.List {
			g.statement(x)
		}
	case *ast.IfStatement:
		if len(labels) > 0 {
			g.open(0x02, frame{labels: labels, leave: true, named: true})
			defer g.end()
		}
		g.value(s.Test, integer)
		g.open(0x04, frame{})
		g.statement(s.Consequent)
		if s.Alternate != nil {
			g.op(0x05)
			g.statement(s.Alternate)
		}
		g.end()
	case *ast.LabelledStatement:
		g.labels = append(labels, string(s.Label.Name))
		g.statement(s.Statement)
	case *ast.WhileStatement:
		g.open(0x02, frame{labels: labels, leave: true})
		g.open(0x03, frame{labels: labels, again: true})
		if literal(s.Test) == 0 {
			g.value(s.Test, integer)
			g.op(0x45, 0x0d, 1)
		}
		g.statement(s.Body)
		g.op(0x0c, 0)
		g.end()
		g.end()
	case *ast.DoWhileStatement:
		g.open(0x02, frame{labels: labels, leave: true})
		if isNumber(s.Test) && literal(s.Test) == 0 {
			g.open(0x02, frame{labels: labels, again: true})
			g.statement(s.Body)
			g.end()
		} else {
			g.open(0x03, frame{})
			g.open(0x02, frame{labels: labels, again: true})
			g.statement(s.Body)
			g.end()
			g.value(s.Test, integer)
			g.op(0x0d, 0)
			g.end()
		}
		g.end()
	case *ast.ForStatement:
		g.loop(s, labels)
	case *ast.SwitchStatement:
		g.choice(s, labels)
	case *ast.BranchStatement:
		g.branch(s)
	case *ast.ReturnStatement:
		if (s.Argument == nil) != (g.f.result == void) {
			refuse("%s returns a value and none", g.f.literal.Name.Name)
		}
		if s.Argument != nil {
			g.value(s.Argument, g.f.result)
		}
		g.op(0x0f)
	default:
		refuse("a %T is no statement", s)
	}
}

func (g *gen) loop(s *ast.ForStatement, labels []string) {
	if s.Initializer != nil {
		i, ok := s.Initializer.(*ast.ForLoopInitializerExpression)
		if !ok {
			refuse("a loop begins with a %T", s.Initializer)
		}
		g.drop(i.Expression)
	}
	g.open(0x02, frame{labels: labels, leave: true})
	g.open(0x03, frame{})
	if s.Test != nil {
		g.value(s.Test, integer)
		g.op(0x45, 0x0d, 1)
	}
	g.open(0x02, frame{labels: labels, again: true})
	g.statement(s.Body)
	g.end()
	if s.Update != nil {
		g.drop(s.Update)
	}
	g.op(0x0c, 0)
	g.end()
	g.end()
}

func (g *gen) branch(s *ast.BranchStatement) {
	for i, f := range slices.Backward(g.frames) {
		fits := f.leave
		if s.Token == token.CONTINUE {
			fits = f.again
		}
		if s.Label != nil {
			fits = fits && slices.Contains(f.labels, string(s.Label.Name))
		} else {
			fits = fits && !f.named
		}
		if fits {
			g.op(0x0c)
			g.num(uint32(len(g.frames) - 1 - i))
			return
		}
	}
	refuse("a %s leads nowhere", s.Token)
}

// choice is a switch: a block a case, the first innermost, and a jump out of the
// one whose case it is.
func (g *gen) choice(s *ast.SwitchStatement, labels []string) {
	on := g.f.add(integer)
	g.value(s.Discriminant, integer)
	g.set(on)
	g.open(0x02, frame{labels: labels, leave: true})
	count := uint32(len(s.Body))
	for range s.Body {
		g.open(0x02, frame{})
	}
	other := count
	type target struct {
		value int32
		depth uint32
	}
	var targets []target
	seen := map[int32]bool{}
	for i, c := range s.Body {
		if c.Test == nil {
			other = uint32(i)
			continue
		}
		if !isNumber(c.Test) {
			refuse("a case is no number")
		}
		if v := int32(uint32(int64(literal(c.Test)))); !seen[v] {
			seen[v] = true
			targets = append(targets, target{v, uint32(i)})
		}
	}
	slices.SortFunc(targets, func(a, b target) int { return int(int64(a.value) - int64(b.value)) })
	n := len(targets)
	if n > 0 && int64(targets[n-1].value)-int64(targets[0].value) < int64(4*n+64) {
		first := targets[0].value
		g.get(on)
		g.constant(integer, float64(first))
		g.op(0x6b, 0x0e)
		span := int(int64(targets[n-1].value) - int64(first) + 1)
		g.num(uint32(span))
		for v, next := 0, 0; v < span; v++ {
			if int64(targets[next].value)-int64(first) == int64(v) {
				g.num(targets[next].depth)
				next++
			} else {
				g.num(other)
			}
		}
		g.num(other)
	} else {
		for _, t := range targets {
			g.get(on)
			g.constant(integer, float64(t.value))
			g.op(0x46, 0x0d)
			g.num(t.depth)
		}
		g.op(0x0c)
		g.num(other)
	}
	for _, c := range s.Body {
		g.end()
		for _, x := range c.Consequent {
			g.statement(x)
		}
	}
	g.end()
}
