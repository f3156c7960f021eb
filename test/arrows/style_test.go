package arrows

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	mostLines      = 600
	mostFrontDoor  = 50
	leastDocLength = 60 // characters: a sentence, not a name
)

// files lists the repository's own text files: not third_party, not testdata.
func files(t *testing.T, suffixes ...string) []string {
	t.Helper()
	c := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if strings.HasPrefix(name, "third_party/") || strings.Contains(name, "/testdata/") {
			continue
		}
		for _, s := range suffixes {
			if strings.HasSuffix(name, s) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("no files end with %v", suffixes)
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if os.IsNotExist(err) {
		return nil // removed, but not yet from the index
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilesAreShort(t *testing.T) {
	for _, name := range files(t, ".go", ".mjs", ".sh") {
		most := mostLines
		if name == "cmd/coco/main.go" {
			most = mostFrontDoor
		}
		text := read(t, name)
		if n := bytes.Count(text, []byte("\n")); n > most && !bytes.HasPrefix(text, []byte("// Code generated")) {
			t.Errorf("%s has %d lines, more than %d", name, n, most)
		}
	}
}

func TestNothingIsPutOff(t *testing.T) {
	later := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	for _, name := range files(t, ".go", ".mjs", ".sh", ".md", "Makefile", "test/run", ".ci/run") {
		if name == "test/arrows/style_test.go" {
			continue
		}
		for i, line := range strings.Split(string(read(t, name)), "\n") {
			if m := later.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", name, i+1, m)
			}
		}
	}
}

// TestPackagesSayWhatTheyAre wants one package comment of at least a sentence
// in every package, tests included where a folder holds only tests.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	comments := map[string][]string{} // by folder
	only := map[string]bool{}         // folders with nothing but tests
	folders := map[string]bool{}
	for _, name := range files(t, ".go") {
		dir := filepath.Dir(name)
		src := read(t, name)
		if src == nil {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		test := strings.HasSuffix(name, "_test.go")
		if !folders[dir] {
			folders[dir], only[dir] = true, true
		}
		only[dir] = only[dir] && test
		if f.Doc != nil && len(f.Doc.Text()) >= leastDocLength {
			comments[dir] = append(comments[dir], name)
		}
	}
	for dir := range folders {
		var in []string
		for _, name := range comments[dir] {
			if only[dir] || !strings.HasSuffix(name, "_test.go") {
				in = append(in, name)
			}
		}
		if len(in) != 1 {
			t.Errorf("%s has %d package comments %v, not one", dir, len(in), in)
		}
	}
}

// TestRoomsAreNouns refuses names that say nothing.
func TestRoomsAreNouns(t *testing.T) {
	for _, name := range files(t, ".go") {
		for part := range strings.SplitSeq(filepath.Dir(name), "/") {
			switch part {
			case "util", "utils", "common", "helper", "helpers", "manager", "misc", "base", "core":
				t.Errorf("%s: a room called %s", name, part)
			}
		}
	}
}
