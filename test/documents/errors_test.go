package documents

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const errorTable = "docs/reference/errors.md"

// found is a problem as the code makes it.
type found struct {
	code, room, what, next string
}

// TestErrorsAreDocumented compares the table of docs/reference/errors.md with
// the problems that the code makes; -update writes it.
func TestErrorsAreDocumented(t *testing.T) {
	table := tableOf(problems(t))
	text := read(t, errorTable)
	head, rest, ok := strings.Cut(text, "|---|---|---|---|\n")
	if !ok {
		t.Fatalf("%s has no table", errorTable)
	}
	end := 0
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		end += len(line)
	}
	if rest[:end] == table {
		return
	}
	if *update {
		text = head + "|---|---|---|---|\n" + table + rest[end:]
		if err := os.WriteFile(filepath.Join(root, errorTable), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, have := strings.Split(table, "\n"), strings.Split(rest[:end], "\n")
	compare(t, errorTable, want, have)
	t.Error("run go test ./test/documents -update and read the difference")
}

// tableOf is one row for each code, in order.
func tableOf(all []found) string {
	byCode := map[string][]found{}
	for _, f := range all {
		byCode[f.code] = append(byCode[f.code], f)
	}
	var rows []string
	for code, places := range byCode {
		var rooms []string
		row := places[0]
		for _, p := range places {
			rooms = append(rooms, p.room)
			if row.what == "" {
				row.what = p.what
			}
			if row.next == "" {
				row.next = p.next
			}
		}
		sort.Strings(rooms)
		if row.what == "" {
			row.what = "as the message says"
		}
		if row.next == "" {
			row.next = "as the message says"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", code, strings.Join(slices.Compact(rooms), ", "), cell(row.what), cell(row.next)))
	}
	sort.Strings(rows)
	return strings.Join(rows, "")
}

var verb = regexp.MustCompile(`%[+#]?[a-zA-Z]`)

func cell(text string) string {
	return strings.ReplaceAll(verb.ReplaceAllString(text, "…"), "|", "\\|")
}

// problems finds the problems in the product's source: calls of problem.New and
// problem.Newf, and tables of structs with a code.
func problems(t *testing.T) []found {
	t.Helper()
	var all []found
	byDir := map[string][]*ast.File{}
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "third_party/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		byDir[filepath.Dir(name)] = append(byDir[filepath.Dir(name)], f)
	}
	var dirs []string
	for dir := range byDir {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		constants := codeConstants(byDir[dir])
		for _, f := range byDir[dir] {
			ast.Inspect(f, func(n ast.Node) bool {
				p := found{room: strings.TrimPrefix(dir, "internal/")}
				switch n := n.(type) {
				case *ast.CallExpr:
					p.call(n, constants)
				case *ast.CompositeLit:
					p.row(n, constants)
				}
				if p.code != "" {
					all = append(all, p)
				}
				return true
			})
		}
	}
	return all
}

var codeForm = regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)

// codeConstants are the constants of type problem.Code of a package.
func codeConstants(files []*ast.File) map[string]string {
	constants := map[string]string{}
	for _, f := range files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if typed, ok := v.Type.(*ast.SelectorExpr); !ok || typed.Sel.Name != "Code" || len(v.Values) != len(v.Names) {
					continue
				}
				for i, name := range v.Names {
					constants[name.Name] = literal(v.Values[i])
				}
			}
		}
	}
	return constants
}

// call recognises problem.New(code, what, next) and problem.Newf(code, next,
// format, ...), also as New in the package itself.
func (p *found) call(c *ast.CallExpr, constants map[string]string) {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || len(c.Args) < 3 {
		return
	}
	if x, ok := s.X.(*ast.Ident); !ok || x.Name != "problem" {
		return
	}
	switch p.code = codeOf(c.Args[0], constants); s.Sel.Name {
	case "New":
		p.what, p.next = literal(c.Args[1]), literal(c.Args[2])
	case "Newf":
		p.what, p.next = literal(c.Args[2]), literal(c.Args[1])
	default:
		p.code = ""
	}
}

// row recognises {library error, code, next}.
func (p *found) row(l *ast.CompositeLit, constants map[string]string) {
	if len(l.Elts) != 3 {
		return
	}
	if _, ok := l.Elts[0].(*ast.SelectorExpr); ok {
		p.code, p.next = codeOf(l.Elts[1], constants), literal(l.Elts[2])
	}
}

func codeOf(e ast.Expr, constants map[string]string) string {
	if id, ok := e.(*ast.Ident); ok {
		return constants[id.Name]
	}
	if text := literal(e); codeForm.MatchString(text) {
		return text
	}
	return ""
}

// literal is the text of a string literal, or of several with +, or "".
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		if x, y := literal(e.X), literal(e.Y); x != "" && y != "" {
			return x + y
		}
	}
	return ""
}
