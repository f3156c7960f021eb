package workflow

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func reference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "reference", "application.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReferenceNamesFindings compares the codes in the source with the reference.
func TestReferenceNamesFindings(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	text := reference(t)
	problems := regexp.MustCompile(`problem\.Newf?\("[A-Z_]+"`)
	code := regexp.MustCompile(`"([A-Z]+(?:_[A-Z]+)+)"`)
	known := map[string]bool{}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllSubmatch(problems.ReplaceAll(source, nil), -1) {
			known[string(m[1])] = true
			if !strings.Contains(text, "`"+string(m[1])+"`") {
				t.Errorf("%s of %s is not in the reference", m[1], name)
			}
		}
	}
	for _, m := range regexp.MustCompile("`([A-Z]+(?:_[A-Z]+)+)`").FindAllStringSubmatch(text, -1) {
		if !known[m[1]] {
			t.Errorf("the reference names %s, which nothing finds", m[1])
		}
	}
}

// TestReferenceExample reads the configuration that the reference shows.
func TestReferenceExample(t *testing.T) {
	_, rest, _ := strings.Cut(reference(t), "```json\n")
	example, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("there is no example")
	}
	app, report := Parse("example.json", []byte(example))
	if !report.OK() || len(report.Warnings) > 0 {
		t.Fatal(report)
	}
	if report := Check(app, output(t, "Greeting"), true); !report.OK() {
		t.Error(report.Errors)
	}
}
