// Package compilers holds App Builder's way to run the published builds of the
// Solidity compiler, which needs no JavaScript host, against Node.js, which their
// makers publish them for: each build must answer the same bytes in both.
package compilers

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/test/npm"
)

func TestMain(m *testing.M) {
	solidity.RunWorker()
	os.Exit(m.Run())
}

// versions are the builds that App Builder promises. The first two are asm.js,
// which must have been translated to WebAssembly like the rest.
var versions = []struct{ name, sources string }{
	{"0.4.26", "Old.sol"},
	{"0.5.17", "Old.sol"},
	{"0.6.12", "New.sol"},
	{"0.7.6", "New.sol"},
	{"0.8.37", "New.sol"},
}

// patience guards against a hang; compilers take seconds.
var patience = solidity.Options{Time: 5 * time.Minute}

// install has all builds. What is made of them lies beside them, so that only the
// first run takes its time.
func install(t *testing.T) *solidity.Compilers {
	t.Helper()
	npm.Install(t, ".")
	c, err := solidity.Open(filepath.Join("node_modules", ".coco"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, i := range c.List() {
		have[i.Version] = true
	}
	for _, v := range versions {
		if have[v.name] {
			continue
		}
		start := time.Now()
		i, err := c.Add(t.Context(), filepath.Join("node_modules", "solc-"+v.name))
		if err != nil {
			t.Fatalf("adding %s: %v", v.name, err)
		}
		t.Logf("added %s in %s", i.Long, time.Since(start).Round(time.Millisecond))
	}
	return c
}

// input asks for everything that a compiler can tell.
func input(t *testing.T, file string, optimize bool) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	selection := []string{"abi", "evm.bytecode", "evm.deployedBytecode", "evm.methodIdentifiers", "evm.gasEstimates",
		"evm.assembly", "evm.legacyAssembly", "metadata", "userdoc", "devdoc", "storageLayout"}
	data, err := json.Marshal(map[string]any{
		"language": "Solidity",
		"sources":  map[string]any{file: map[string]any{"content": string(content)}},
		"settings": map[string]any{
			"optimizer":       map[string]any{"enabled": optimize, "runs": 200},
			"outputSelection": map[string]any{"*": map[string]any{"*": selection, "": []string{"ast"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSameBytesAsNode(t *testing.T) {
	c := install(t)
	list := c.List()
	if len(list) != len(versions) {
		t.Fatalf("%d compilers, not %d", len(list), len(versions))
	}
	for n, v := range versions {
		i := list[len(list)-1-n]
		t.Run(v.name, func(t *testing.T) {
			if i.Version != v.name || !i.WebAssembly {
				t.Fatalf("compiler %s, WebAssembly %v", i.Version, i.WebAssembly)
			}
			for _, x := range []struct {
				file     string
				optimize bool
				wants    string // what the answer must hold, so that two empty answers are not the same
			}{
				{v.sources, false, `"object":"60`},
				{"Small.sol", true, `"object":"60`},
				{v.sources, true, `"object":"60`},
				{"Wrong.sol", false, "DeclarationError"},
				{"Torn.sol", false, "ParserError"},
			} {
				in := input(t, x.file, x.optimize)
				start := time.Now()
				ours, err := c.Run(t.Context(), i, in, patience)
				if err != nil {
					t.Fatalf("%s: %v", x.file, err)
				}
				took := time.Since(start)
				start = time.Now()
				theirs := node(t, v.name, in)
				t.Logf("%s, optimizer %v: %d bytes, %s; Node.js %s", x.file, x.optimize, len(ours), took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
				if !bytes.Contains(theirs, []byte(x.wants)) {
					t.Errorf("%s: no %s in the answer: %.400s", x.file, x.wants, theirs)
				}
				if !bytes.Equal(ours, theirs) {
					t.Errorf("%s, optimizer %v: %s", x.file, x.optimize, difference(ours, theirs))
				}
			}
		})
	}
}

// node runs the same build under Node.js.
func node(t *testing.T, version string, input []byte) []byte {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("node_modules", "solc-"+version, "soljson.js"))
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), "node", "--stack-size=8000", "compile.mjs", script)
	p.Stdin = bytes.NewReader(input)
	p.Stderr = os.Stderr
	out, err := p.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	return out
}

// difference shows where two answers part.
func difference(ours, theirs []byte) string {
	n := 0
	for n < len(ours) && n < len(theirs) && ours[n] == theirs[n] {
		n++
	}
	cut := func(b []byte) string { return string(b[max(0, n-60):min(len(b), n+60)]) }
	return "ours: ..." + cut(ours) + "... theirs: ..." + cut(theirs) + "..."
}
