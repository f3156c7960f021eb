// Package documents keeps the documents true: links lead somewhere, the table of
// errors is the code's, the table of dependencies is go.mod's, the reference of
// commands names every command and flag, and the commands in tutorials and how-to
// guides run. With -update it rewrites what can be written from the code.
package documents

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var update = flag.Bool("update", false, "rewrite the tables that are made from the code")

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files lists the repository's files, tracked or about to be.
func files(t *testing.T) []string {
	t.Helper()
	c := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range files(t) {
		if strings.HasSuffix(name, ".md") && !strings.HasPrefix(name, "third_party/") && !strings.Contains(name, "testdata/") {
			names = append(names, name)
		}
	}
	return names
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, name := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// TestDecisionsAreListed compares the index of decisions with their titles;
// -update writes it.
func TestDecisionsAreListed(t *testing.T) {
	const index = "docs/adr/README.md"
	record := regexp.MustCompile(`^docs/adr/((\d{4})-[a-z0-9-]+\.md)$`)
	title := regexp.MustCompile(`(?m)^# (?:\d+[.:] )?(.*)$`)
	var list strings.Builder
	last := ""
	for _, name := range files(t) { // in order
		m := record.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if m[2] == last {
			t.Errorf("two decisions have the number %s", last)
		}
		last = m[2]
		heading := title.FindStringSubmatch(read(t, name))
		if heading == nil {
			t.Fatalf("%s has no title", name)
		}
		fmt.Fprintf(&list, "- [%s](%s): %s\n", m[2], m[1], heading[1])
	}
	text := read(t, index)
	head, _, _ := strings.Cut(text, "\n- [")
	want := strings.TrimRight(head, "\n") + "\n\n" + list.String()
	switch {
	case text == want:
	case *update:
		if err := os.WriteFile(filepath.Join(root, index), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not list the decisions; run go test ./test/documents -update", index)
	}
}

// TestDependenciesHaveReasons compares the tables with what is required.
func TestDependenciesHaveReasons(t *testing.T) {
	var required []string
	c := exec.Command("go", "mod", "edit", "-json")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		tool := false
		for _, x := range mod.Tool {
			tool = tool || strings.HasPrefix(x.Path, r.Path+"/")
		}
		if !r.Indirect || tool {
			required = append(required, r.Path)
		}
	}
	for _, name := range files(t) {
		if filepath.Base(name) != "package.json" || strings.Contains(name, "third_party/") {
			continue
		}
		var pack struct{ Dependencies map[string]string }
		if err := json.Unmarshal([]byte(read(t, name)), &pack); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for dependency, version := range pack.Dependencies {
			if alias, ok := strings.CutPrefix(version, "npm:"); ok { // another name for several versions of one package
				dependency = alias[:strings.LastIndexByte(alias, '@')]
			}
			required = append(required, dependency)
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]{3,} \\| [^|]{10,} \\|$")
	var listed []string
	for _, m := range row.FindAllStringSubmatch(read(t, "docs/dependencies.md"), -1) {
		listed = append(listed, m[1])
	}
	compare(t, "docs/dependencies.md", required, listed)
}

// compare reports what is in one list only.
func compare(t *testing.T, document string, want, have []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("%s lacks %s", document, w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			t.Errorf("%s has %s, which is no more", document, h)
		}
	}
}
