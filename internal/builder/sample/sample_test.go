package sample

import (
	"testing"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// TestSamplesAreRight checks the samples as an upload is checked.
func TestSamplesAreRight(t *testing.T) {
	for _, a := range All {
		app, report := workflow.Parse(a.ConfigurationName, a.Configuration)
		if !report.OK() {
			t.Fatal(report.Errors)
		}
		out := Output(a.Code)
		if out == nil || app.Name != a.Name {
			t.Fatalf("%s: no artifacts, or another name: %s", a.Name, app.Name)
		}
		found := workflow.Check(app, out, true)
		for _, f := range append(append(found.Errors, found.Warnings...), report.Warnings...) {
			t.Errorf("%v", f)
		}
	}
	if Output([]byte("contract C {}")) != nil {
		t.Error("other code has artifacts")
	}
}
