package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestCounting feeds the tally what `go test -json` prints for a package with
// every kind of result.
func TestCounting(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.org/x\n\ngo 1.26\n")
	write(t, dir, "good/good_test.go", `package good
import "testing"
func TestPass(t *testing.T) {}
func TestParent(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) {})
}
func TestShort(t *testing.T) { t.Skip("not with -short") }
`)
	write(t, dir, "bad/bad_test.go", `package bad
import "testing"
func TestPass(t *testing.T) {}
func TestParent(t *testing.T) {
	t.Run("fails", func(t *testing.T) { t.Error("wrong") })
	t.Run("passes", func(t *testing.T) {})
}
func TestUnexplained(t *testing.T) { t.Skip("I do not like it here") }
`)
	write(t, dir, "broken/broken_test.go", "package broken\nvar x int = \"no\"\n")
	write(t, dir, "panics/panics_test.go", `package panics
import ("os"; "testing")
func TestMain(m *testing.M) { m.Run(); os.Exit(3) }
func TestPass(t *testing.T) {}
`)
	write(t, dir, "dies/dies_test.go", `package dies
import "testing"
func TestPass(t *testing.T) {}
func TestDies(t *testing.T) {
	go func() { panic("a bug far from the test") }()
	select {}
}
`)
	c := exec.Command("go", "test", "-json", "./...")
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off")
	out, _ := c.Output()

	got := newTally(Fast)
	got.read(strings.NewReader(string(out)))
	counts := got.counts()
	report := got.report.String()
	// Passed: good 3, bad 2, panics 1, dies 1. Failed: the subtest, the
	// unexplained skip, the package that does not build, the one that ends with 3, and
	// the one that a goroutine ends.
	want := Counts{Passed: 7, Failed: 5, Skipped: 1,
		Explained: []string{"example.org/x/good TestShort: long; runs in the layer test"}}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("counts %+v, want %+v\n%s", counts, want, report)
	}
	for _, text := range []string{"TestParent/fails: failed", "wrong", "TestUnexplained: skipped without a rule", "cannot use",
		"dies TestDies: did not end", "a bug far from the test"} {
		if !strings.Contains(report, text) {
			t.Errorf("the report does not contain %q:\n%s", text, report)
		}
	}
}

func TestLayersContainEachOther(t *testing.T) {
	runs := func(layer Layer) map[string]bool {
		names := map[string]bool{}
		for _, s := range steps() {
			if s.Needs == "" && !s.contained(layer) && s.leftOut(layer) == "" {
				if names[s.Name] {
					t.Errorf("the layer %s runs %s twice", layer, s.Name)
				}
				names[s.Name] = true
			}
		}
		return names
	}
	fast, test, full := runs(Fast), runs(Test), runs(Full)
	for name := range fast {
		if !test[name] {
			t.Errorf("the layer test lacks %s", name)
		}
	}
	for name := range test {
		// What is built without cgo in `test` is tested without cgo in `full`.
		if !full[name] && !full[strings.TrimSuffix(name, " build")] {
			t.Errorf("the layer full lacks %s", name)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
