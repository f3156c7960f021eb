package workflow

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

// The samples are configurations of our own, in the manner of those that people
// wrote for Workbench, with the oddities that are known of them. What their code
// compiles to is kept beside them; -compilers DIR compiles it again with the
// compilers added to that directory.
var compilers = flag.String("compilers", "", "compile the samples with these, and keep the outputs")

// samples and what makes each special.
var samples = []string{
	"Greeting",   // a byte order mark, states out of order with Value
	"Greenhouse", // a role User beside the type user, enums, a StartState that disagrees, compiled by 0.5
	"Sale",       // a function twice in one state, NextStates that disagree, money of two Solidity types
	"Market",     // two files that import each other, contracts that make contracts, no Initiators
	"Counts",     // arrays of Workbench's four kinds
	"Survey",     // every extension
	"Notebook",   // the obsolete base contract, a role with the name of an extension's type, compiled by 0.4
}

func TestMain(m *testing.M) {
	solidity.RunWorker()
	flag.Parse()
	if *compilers != "" {
		for _, name := range samples {
			if err := compile(name); err != nil {
				panic(name + ": " + err.Error())
			}
		}
	}
	os.Exit(m.Run())
}

// compile writes a sample's output as solidity.Output.
func compile(name string) error {
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.sol"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = []string{filepath.Join("testdata", name+".sol")}
	}
	sources := solidity.Sources{}
	for _, f := range files {
		if sources[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			return err
		}
	}
	c, err := solidity.Open(*compilers)
	if err != nil {
		return err
	}
	version := map[string]string{"Greenhouse": "0.5.17", "Counts": "0.5.17", "Notebook": "0.4.26"}[name]
	out, err := c.Compile(context.Background(), sources, solidity.Options{Version: version})
	if err != nil {
		return err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("testdata", name+".out.json"), text, 0o644)
}

func configuration(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t testing.TB, name string) *Application {
	t.Helper()
	app, report := Parse(name+".json", configuration(t, name))
	if !report.OK() {
		t.Fatalf("%s: %v", name, report.Errors)
	}
	return app
}

func output(t testing.TB, name string) *solidity.Output {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out solidity.Output
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func contract(t testing.TB, sample, name string) *solidity.Contract {
	t.Helper()
	list := output(t, sample).Named(name)
	if len(list) != 1 {
		t.Fatalf("%s has %d contracts %s", sample, len(list), name)
	}
	return list[0]
}

func bound(t testing.TB, sample, workflow string) *Binding {
	t.Helper()
	b, err := Bind(parsed(t, sample), workflow, contract(t, sample, workflow))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSamples reads every sample and holds its code against it.
func TestSamples(t *testing.T) {
	expected := map[string][]string{ // warnings
		"Notebook":   {"BASE_OBSOLETE"},
		"Greenhouse": {"STATE_UNREACHABLE"}, // from the StartState, with which the code disagrees
		"Sale":       {"STATE_UNREACHABLE"}, // by NextStates, with which the code disagrees
		"Market":     {"TRANSITION_CLOSED"}, // another contract's
	}
	for _, name := range samples {
		t.Run(name, func(t *testing.T) {
			app, report := Parse(name+".json", configuration(t, name))
			if !report.OK() {
				t.Fatalf("configuration: %v", report.Errors)
			}
			report.Add(Check(app, output(t, name), false))
			if !report.OK() {
				t.Fatalf("code: %v", report.Errors)
			}
			for _, f := range report.Warnings {
				if !slices.Contains(expected[name], f.Code) && !strings.Contains(f.Message, "isibility for constructor is ignored") {
					t.Errorf("warning: %v", f)
				}
			}
			for _, code := range expected[name] {
				if !report.Has(code) {
					t.Errorf("no warning %s", code)
				}
			}
			for _, w := range app.Workflows {
				if b := bound(t, name, w.Name); len(b.Reads()) != len(w.Properties) {
					t.Errorf("%s: %d reads of %d properties", w.Name, len(b.Reads()), len(w.Properties))
				}
			}
		})
	}
}
