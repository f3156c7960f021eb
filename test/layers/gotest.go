package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Counts says what a step did. Only tests without subtests are counted.
type Counts struct {
	Passed, Failed, Skipped int
	Explained               []string // the skipped tests and the rules that allow it
}

func (c *Counts) add(other Counts) {
	c.Passed += other.Passed
	c.Failed += other.Failed
	c.Skipped += other.Skipped
	c.Explained = append(c.Explained, other.Explained...)
}

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

// goTest runs `go test` and counts. The output of failed tests is printed.
func goTest(ctx context.Context, layer Layer, s Step) Counts {
	c := command(ctx, s.Env, "go", append([]string{"test", "-json"}, s.GoTest...)...)
	out, err := c.StdoutPipe()
	if err != nil {
		fmt.Printf("--- %s: %v\n", s.Name, err)
		return Counts{Failed: 1}
	}
	var errors strings.Builder
	c.Stderr = &errors
	if err := c.Start(); err != nil {
		fmt.Printf("--- %s: %v\n", s.Name, err)
		return Counts{Failed: 1}
	}
	t := newTally(layer)
	t.read(out)
	err = c.Wait()
	counts := t.counts()
	if err != nil && counts.Failed == 0 {
		// Such as a pattern that matches no package.
		counts.Failed++
		fmt.Printf("--- %s: go test: %v\n%s", s.Name, err, errors.String())
	}
	if counts.Passed+counts.Failed+counts.Skipped == 0 {
		counts.Failed++
		fmt.Printf("--- %s: no test ran\n", s.Name)
	}
	fmt.Print(t.report.String())
	return counts
}

// tally sums the events of one `go test -json`.
type tally struct {
	layer   Layer
	results map[name]string // of tests: pass, fail, skip
	outputs map[name]*strings.Builder
	parents map[name]bool
	order   []name
	sum     Counts
	report  strings.Builder
}

// name of a test, or of a package when test is empty.
type name struct{ pkg, test string }

func newTally(layer Layer) *tally {
	return &tally{layer: layer, results: map[name]string{}, outputs: map[name]*strings.Builder{}, parents: map[name]bool{}}
}

func (t *tally) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				t.event(e)
			} else {
				t.report.Write(line)
			}
		}
		if err != nil {
			return
		}
	}
}

func (t *tally) event(e event) {
	n := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		t.report.WriteString(e.Output)
	case "output":
		if t.outputs[n] == nil {
			t.outputs[n] = &strings.Builder{}
		}
		t.outputs[n].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" && e.Action == "skip" {
			return // a package without test files
		}
		t.results[n] = e.Action
		t.order = append(t.order, n)
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			t.parents[name{e.Package, e.Test[:i]}] = true
		}
	}
}

// counts judges what was read. A package that fails while all of its tests pass
// (it does not build, a goroutine panics, it exceeds its time) is one failure. What
// the tests said that were running then is printed: go test gives the reason to
// one of them, and no result.
func (t *tally) counts() Counts {
	failing := map[string]bool{}
	for _, n := range t.order {
		if n.test != "" && t.results[n] == "fail" {
			failing[n.pkg] = true
		}
	}
	for _, n := range t.order {
		switch result := t.results[n]; {
		case n.test == "" && (result != "fail" || failing[n.pkg]):
		case t.parents[n] && (result != "fail" || t.childFailed(n)):
		case result == "pass":
			t.sum.Passed++
		case result == "fail":
			t.fail(n, "failed")
			if n.test == "" {
				t.unended(n.pkg)
			}
		default:
			t.skip(n)
		}
	}
	return t.sum
}

// unended prints what those tests of a package said that have no result.
func (t *tally) unended(pkg string) {
	for n, out := range t.outputs {
		if n.pkg == pkg && t.results[n] == "" {
			fmt.Fprintf(&t.report, "--- %s %s: did not end\n%s", short(pkg), n.test, tail(out.String()))
		}
	}
}

func (t *tally) childFailed(parent name) bool {
	for n, result := range t.results {
		if result == "fail" && n.pkg == parent.pkg && strings.HasPrefix(n.test, parent.test+"/") {
			return true
		}
	}
	return false
}

func (t *tally) skip(n name) {
	why := explain(t.layer, n.pkg, n.test, t.output(n))
	if why == "" {
		t.fail(n, "skipped without a rule in test/layers/skips.go that explains it")
		return
	}
	t.sum.Skipped++
	t.sum.Explained = append(t.sum.Explained, fmt.Sprintf("%s %s: %s", short(n.pkg), n.test, why))
}

func (t *tally) fail(n name, how string) {
	t.sum.Failed++
	fmt.Fprintf(&t.report, "--- %s %s: %s\n%s", short(n.pkg), n.test, how, tail(t.output(n)))
	for i := strings.LastIndexByte(n.test, '/'); i >= 0; i = strings.LastIndexByte(n.test[:i], '/') {
		t.report.WriteString(tail(t.output(name{n.pkg, n.test[:i]})))
	}
}

func (t *tally) output(n name) string {
	if b := t.outputs[n]; b != nil {
		return b.String()
	}
	return ""
}

// tail keeps the beginning of a long output, where what failed is said, and its end.
func tail(s string) string {
	const first, last = 4000, 8000
	if len(s) <= first+last {
		return s
	}
	return s[:first] + "\n[...]\n" + s[len(s)-last:]
}

func short(pkg string) string {
	return strings.TrimPrefix(pkg, "github.com/coco-consortium/coco/")
}
