package compilers

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/problem"
)

func sources(t *testing.T, name string) solidity.Sources {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := solidity.ReadSources(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(t *testing.T, out *solidity.Output, name string) *solidity.Contract {
	t.Helper()
	list := out.Named(name)
	if len(list) != 1 {
		t.Fatalf("%d contracts %s", len(list), name)
	}
	return list[0]
}

// TestWhatIsKnownOfAContract holds what the rest of App Builder asks of a
// contract, for the oldest build, whose ABI says least, and the newest.
func TestWhatIsKnownOfAContract(t *testing.T) {
	c := install(t)
	for _, x := range []struct{ version, file, pays string }{
		{"0.4.26", "Old.sol", "pay(address,uint256,bytes32) pay(address)"},
		{"0.6.12", "New.sol", "pay(tuple)"},
		{"0.8.37", "New.sol", "pay(tuple)"},
	} {
		t.Run(x.version, func(t *testing.T) {
			o := patience
			o.Version = x.version
			out, err := c.Compile(t.Context(), sources(t, x.file), o)
			if err != nil {
				t.Fatal(err)
			}
			ledger, child := find(t, out, "Ledger"), find(t, out, "Child")
			if !strings.HasPrefix(out.Compiler, x.version+"+commit.") || ledger.Abstract || ledger.Kind != "contract" || len(ledger.Bytecode) < 500 || len(ledger.Runtime) < 400 {
				t.Errorf("%s: %+v", out.Compiler, ledger)
			}
			if !bytes.Contains(ledger.Bytecode, ledger.Runtime[len(ledger.Runtime)-40:]) {
				t.Error("the creation code does not hold the code")
			}
			if got := ledger.Enums["Ledger.StateType"]; !slices.Equal(got, []string{"Open", "Paused", "Closed"}) {
				t.Errorf("enum %v", got)
			}
			if !slices.Contains(child.Bases, "Ledger") || child.Line <= ledger.Line || ledger.Line < 5 {
				t.Errorf("bases %v, lines %d and %d", child.Bases, child.Line, ledger.Line)
			}
			types := map[string]string{}
			for _, v := range child.Variables {
				types[v.Name] = v.Type
			}
			want := map[string]string{"State": "enum Ledger.StateType", "Owner": "address", "Name": "string", "Amounts": "uint256[]",
				"balances": "mapping(address => uint256)", "Watcher": "contract Listener", "made": "contract Ledger"}
			if !reflect.DeepEqual(types, want) {
				t.Errorf("variables %v", types)
			}
			var pays []string
			for _, f := range ledger.Functions {
				if f.Name != "pay" {
					continue
				}
				var parameters []string
				for _, p := range f.Parameters {
					parameters = append(parameters, p.Type)
				}
				pays = append(pays, "pay("+strings.Join(parameters, ",")+")")
				if f.Line <= ledger.Line || f.Mutability != "nonpayable" || f.Visibility != "public" {
					t.Errorf("%+v", f)
				}
			}
			if strings.Join(pays, " ") != x.pays {
				t.Errorf("%v", pays)
			}
			if i := find(t, out, "Listener"); !i.Abstract || i.Kind != "interface" || len(i.Bytecode) != 0 {
				t.Errorf("%+v", i)
			}
			if x.file == "New.sol" && (len(ledger.Immutables) == 0 || !find(t, out, "Named").Abstract || ledger.Bases[0] != "Named") {
				t.Errorf("immutables %v, bases %v", ledger.Immutables, ledger.Bases)
			}
		})
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	c := install(t)
	for _, version := range []string{"0.5.17", "0.7.6", "0.8.37"} {
		o := patience
		o.Version = version
		out, err := c.Compile(t.Context(), sources(t, "Wrong.sol"), o)
		if !errors.Is(err, solidity.ErrDoesNotCompile) || out == nil || len(out.Contracts) != 0 {
			t.Fatalf("%s: %+v %v", version, out, err)
		}
		at := func(line, column int, text string) bool {
			return slices.ContainsFunc(out.Errors(), func(m solidity.Message) bool {
				return m.File == "Wrong.sol" && m.Line == line && m.Column == column && strings.Contains(m.Text, text)
			})
		}
		if !at(12, 1, "Identifier already declared") || !strings.Contains(err.Error(), "Wrong.sol:12:1") {
			t.Errorf("%s: %+v %v", version, out.Messages, err)
		}
		out, err = c.Compile(t.Context(), sources(t, "Torn.sol"), o)
		if !errors.Is(err, solidity.ErrDoesNotCompile) || !slices.ContainsFunc(out.Errors(), func(m solidity.Message) bool { return m.Line == 6 && m.Code == "ParserError" }) {
			t.Errorf("%s: %+v %v", version, out, err)
		}
	}
}

// TestImports lets sources import each other in the ways that people do, and no
// way leads out of the upload.
func TestImports(t *testing.T) {
	c := install(t)
	const head = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\n"
	out, err := c.Compile(t.Context(), solidity.Sources{
		"app/A.sol":                     []byte(head + `import "./B.sol"; import "@lib/token/T.sol"; contract A is T { B b; }`),
		"app/B.sol":                     []byte(head + `import {A} from "./A.sol"; import "../L.sol"; contract B { A a; function f() public pure returns (uint) { return L.one(); } }`),
		"L.sol":                         []byte(head + `library L { function one() public pure returns (uint) { return 1; } }`),
		"node_modules/@lib/token/T.sol": []byte(head + `import "./U.sol"; contract T is U { }`),
		"node_modules/@lib/token/U.sol": []byte(head + `contract U { enum E { X } E public e; }`),
	}, patience)
	if err != nil {
		t.Fatal(err)
	}
	a, b := find(t, out, "A"), find(t, out, "B")
	if !slices.Equal(a.Bases, []string{"T", "U"}) || len(a.Variables) != 1 || a.Variables[0].File != "node_modules/@lib/token/U.sol" || a.Variables[0].Line != 3 {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(b.Unlinked, []string{"L"}) || len(b.Bytecode) != 0 || b.Abstract {
		t.Errorf("%+v", b)
	}
	for _, path := range []string{"/etc/hostname", "../../../../etc/hostname", "file:///etc/hostname", "https://example.org/x.sol", "./compile.mjs"} {
		out, err := c.Compile(t.Context(), solidity.Sources{"A.sol": []byte(head + `import "` + path + `"; contract A {}`)}, patience)
		if !errors.Is(err, solidity.ErrDoesNotCompile) || !strings.Contains(out.Messages[0].Text, "it is not in the upload") {
			t.Errorf("%s: %+v %v", path, out, err)
		}
	}
}

// TestBase compiles code from before the base contract went, which imports it
// without bringing it along.
func TestBase(t *testing.T) {
	c := install(t)
	for version, location := range map[string]string{"0.4.26": "", "0.8.37": "memory"} {
		s := solidity.Sources{"A.sol": []byte(`pragma solidity >=0.4.25 <0.9.0;
import "./WorkbenchBase.sol";
contract A is WorkbenchBase {
    string public Note;
    constructor(string ` + location + ` note) WorkbenchBase("A", "A") public { Note = note; ContractCreated(); }
    function Act() public { ContractUpdated("Act"); }
}`)}
		if version == "0.8.37" {
			s["A.sol"] = bytes.ReplaceAll(s["A.sol"], []byte(`"A") public {`), []byte(`"A") {`))
		}
		o := patience
		o.Version = version
		if _, err := c.Compile(t.Context(), s, o); !errors.Is(err, solidity.ErrDoesNotCompile) {
			t.Errorf("%s, strictly: %v", version, err)
		}
		o.TolerateBase = true
		out, err := c.Compile(t.Context(), s, o)
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		if a := find(t, out, "A"); !slices.Equal(a.Bases, []string{solidity.BaseContract}) || len(a.Bytecode) == 0 {
			t.Errorf("%+v", a)
		}
	}
}

// TestBombs gives compilers code that is made to break them. The answer is a
// clear error, and the next code compiles.
func TestBombs(t *testing.T) {
	c := install(t)
	const head = "pragma solidity ^0.8.0; contract C { "
	for name, text := range map[string]string{
		"parentheses": head + "uint public x = " + strings.Repeat("(", 200_000) + "1" + strings.Repeat(")", 200_000) + "; }",
		"blocks":      head + "function f() public { " + strings.Repeat("{", 100_000) + strings.Repeat("}", 100_000) + " } }",
		"constant":    head + "uint public x = 10**10**10**10; }",
		"shifts":      head + "uint constant x = (1 << 4000) ** 4000 ** 4000; }",
		"arrays":      head + "uint" + strings.Repeat("[99999999999]", 5_000) + " x; }",
		"sum":         head + "uint public x = 1" + strings.Repeat("+1", 300_000) + "; }",
		"negations":   head + "function f(bool b) public pure returns (bool) { return " + strings.Repeat("!", 100_000) + "b; } }",
		"string":      head + `string public x = "` + strings.Repeat("a", 1_500_000) + `"; }`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.Compile(t.Context(), solidity.Sources{"C.sol": []byte(text)}, patience)
			if err == nil {
				t.Logf("compiles: %d bytes", len(out.Contracts[0].Bytecode))
				return
			}
			if problem.CodeOf(err) == "INTERNAL" {
				t.Errorf("no clear error: %.300v", err)
			}
			t.Logf("%.200v", err)
		})
	}
	if _, err := c.Compile(t.Context(), solidity.Sources{"C.sol": []byte(head + "}")}, patience); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestLargeContractsAreOptimized where they could not be deployed otherwise.
func TestLargeContractsAreOptimized(t *testing.T) {
	c := install(t)
	var body strings.Builder
	for i := range 400 {
		body.WriteString("function f" + strings.Repeat("x", i+1) + "(uint a, uint b) public view returns (uint) { return (a + b) * (a + b) + x * x; } ")
	}
	out, err := c.Compile(t.Context(), solidity.Sources{"C.sol": []byte("pragma solidity ^0.8.0; contract C { uint x; " + body.String() + "}")}, patience)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.Contracts[0].Runtime); !out.Optimized || n == 0 {
		t.Errorf("%d bytes, optimized %v", n, out.Optimized)
	}
}
