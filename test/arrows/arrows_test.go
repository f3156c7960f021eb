// Package arrows keeps the house in order: who may import whom, where C code may
// come from, and the small rules that every package follows. The levels are
// read from the table in docs/architecture.md, so that the document and the code
// cannot part.
package arrows

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/coco-consortium/coco/"
	root   = "../.."
)

// pack is a package as `go list -json` shows it.
type pack struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
	Standard   bool
}

func (p pack) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// list runs `go list -json` in the root of the repository.
func list(t *testing.T, args ...string) []pack {
	t.Helper()
	c := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,CgoFiles,Imports,Deps,Standard"}, args...)...)
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var packs []pack
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pack
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packs
		} else if err != nil {
			t.Fatal(err)
		}
		packs = append(packs, p)
	}
}

// row is a row of the table of levels.
type row struct {
	level int
	path  string
}

// levels reads the table.
func levels(t *testing.T) []row {
	t.Helper()
	f, err := os.Open(root + "/docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	line := regexp.MustCompile(`^\| (\d+) \| ([^|]+) \|`)
	path := regexp.MustCompile("`([^`]+)`")
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		level, _ := strconv.Atoi(m[1])
		for _, p := range path.FindAllStringSubmatch(m[2], -1) {
			rows = append(rows, row{level, p[1]})
		}
	}
	if len(rows) < 10 {
		t.Fatalf("docs/architecture.md has a table of only %d rows", len(rows))
	}
	return rows
}

// rowOf is the row with the longest path that contains the package.
func rowOf(rows []row, name string) (row, bool) {
	var best row
	for _, r := range rows {
		if (name == r.path || strings.HasPrefix(name, r.path+"/")) && len(r.path) > len(best.path) {
			best = r
		}
	}
	return best, best.path != ""
}

func TestImportsGoDown(t *testing.T) {
	rows := levels(t)
	used := map[string]bool{}
	for _, p := range list(t, "./cmd/...", "./internal/...", "./client/...") {
		from, ok := rowOf(rows, p.name())
		if !ok {
			t.Errorf("%s stands in no row of the table of levels in docs/architecture.md", p.name())
			continue
		}
		used[from.path] = true
		for _, i := range p.Imports {
			name, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if name == "verify" || strings.HasPrefix(name, "verify/") {
				if from.path != "internal/cli" && from.path != "client" {
					t.Errorf("%s imports %s: only internal/cli and client may", p.name(), name)
				}
				continue
			}
			to, ok := rowOf(rows, name)
			switch {
			case !ok:
				t.Errorf("%s imports %s, which stands in no row", p.name(), name)
			case to.path != from.path && to.level <= from.level:
				t.Errorf("%s (level %d) imports %s (level %d): imports go down only", p.name(), from.level, name, to.level)
			}
		}
	}
	for _, r := range rows {
		if !used[r.path] {
			t.Errorf("the table of levels names %s, which does not exist", r.path)
		}
	}
}

// TestVerifyIsSmall keeps what an auditor must trust small: of our packages,
// verify reaches only these.
func TestVerifyIsSmall(t *testing.T) {
	direct := []string{"internal/ledger/format", "internal/proof", "internal/attest"}
	reached := append([]string{"internal/problem", "internal/planted"}, direct...)
	under := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(r string) bool { return name == r || strings.HasPrefix(name, r+"/") })
	}
	for _, p := range list(t, "./verify/...") {
		for _, i := range p.Imports {
			if name, ours := strings.CutPrefix(i, module); ours && !under(append(direct, "verify", "internal/planted", "internal/problem"), name) {
				t.Errorf("%s imports %s", p.name(), name)
			}
		}
		for _, d := range p.Deps {
			if name, ours := strings.CutPrefix(d, module); ours && !under(append(reached, "verify"), name) {
				t.Errorf("%s reaches %s", p.name(), name)
			}
			for _, heavy := range []string{"github.com/ethereum/go-ethereum", "go.etcd.io/raft"} {
				if strings.HasPrefix(d, heavy) {
					t.Errorf("%s reaches %s", p.name(), d)
				}
			}
		}
	}
}

// TestBuilderIsAClient keeps App Builder outside the node: of ours it reaches its
// own rooms, the client, what verifies, and nothing else. So does its front door.
func TestBuilderIsAClient(t *testing.T) {
	rooms := []string{"internal/builder", "client", "internal/problem", "internal/planted", "verify", "internal/ledger/format", "internal/proof", "internal/attest"}
	door := append([]string{"cmd/coco-builder", "internal/cli/builder", "internal/cli/terminal", "internal/headroom"}, rooms...)
	for pattern, may := range map[string][]string{"./internal/builder/...": rooms, "./client/...": rooms[1:], "./cmd/coco-builder": door} {
		for _, p := range list(t, pattern) {
			for _, d := range p.Deps {
				name, ours := strings.CutPrefix(d, module)
				if ours && !slices.ContainsFunc(may, func(r string) bool { return name == r || strings.HasPrefix(name, r+"/") }) {
					t.Errorf("%s reaches %s", p.name(), name)
				}
			}
		}
	}
}

// withC lists the packages that may contain C, and why.
var withC = map[string]string{
	"runtime/cgo": "the Go runtime",
	"net":         "the system's resolver",
	"os/user":     "the system's users",
	"plugin":      "the Go runtime",
	"github.com/ethereum/go-ethereum/crypto/secp256k1": "libsecp256k1: recovery is 4 to 5 times faster than in Go",
}

func TestWhereCMayComeFrom(t *testing.T) {
	found := map[string]bool{}
	for _, p := range list(t, "-deps", "./cmd/coco") {
		found[p.ImportPath] = len(p.CgoFiles) > 0
		if len(p.CgoFiles) > 0 && withC[p.ImportPath] == "" {
			t.Errorf("%s contains C: %v", p.ImportPath, p.CgoFiles)
		}
	}
	for path := range withC {
		if strings.Contains(path, ".") && !found[path] {
			t.Errorf("%s contains no C and needs no place in the list", path)
		}
	}
}

// TestForbiddenImports keeps parts of go-ethereum out that bring a consensus
// client, a miner or the chain's own storage into the trusted process.
func TestForbiddenImports(t *testing.T) {
	const geth = "github.com/ethereum/go-ethereum/"
	forbidden := []string{geth + "beacon", geth + "miner", geth + "eth/catalyst", geth + "node", geth + "p2p", geth + "cmd"}
	for _, p := range list(t, "-deps", "./cmd/...", "./verify/...") {
		for _, f := range forbidden {
			if p.ImportPath == f || strings.HasPrefix(p.ImportPath, f+"/") {
				t.Errorf("%s is among the node's dependencies", p.ImportPath)
			}
		}
		if p.ImportPath == "testing" {
			t.Errorf("the product contains the package testing")
		}
	}
}

// TestOursStaysInside forbids the product to lean on the tests of the whole.
func TestOursStaysInside(t *testing.T) {
	for _, p := range list(t, "./cmd/...", "./internal/...", "./verify/...") {
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module+"test/") {
				t.Errorf("%s imports %s", p.name(), i)
			}
		}
	}
}
