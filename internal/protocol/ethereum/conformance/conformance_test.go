package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// COCO_RPC_VECTORS names a directory with genesis.json, chain.rlp and vectors.
const vectorsVariable = "COCO_RPC_VECTORS"

// TestVectors asks the vectors of the chain in testdata, always, and those of the
// directory that COCO_RPC_VECTORS names.
func TestVectors(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		dir := t.TempDir()
		genesis, blocks := ownChain()
		writeChain(t, dir, genesis, blocks)
		runVectors(t, dir, "testdata", nil)
	})
	dir := os.Getenv(vectorsVariable)
	if dir == "" {
		return
	}
	if below := filepath.Join(dir, "tests"); exists(filepath.Join(below, "chain.rlp")) {
		dir = below
	}
	t.Run("foreign", func(t *testing.T) { runVectors(t, dir, dir, leftOut) })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tally counts the vectors of a method.
type tally struct{ passed, byShape, failed, leftOut, early int }

// runVectors executes the chain of a directory and asks the vectors of another.
func runVectors(t *testing.T, chain, vectors string, leftOut map[string]string) {
	w := newWorld(t, chain)
	list, err := readVectors(vectors)
	if err != nil {
		t.Fatal(err)
	}
	methods := make(map[string]*tally)
	var total tally
	for _, v := range list {
		n := methods[v.method()]
		if n == nil {
			n = new(tally)
			methods[v.method()] = n
		}
		err := v.run(func(request []byte) []byte { return w.dispatcher.Serve(t.Context(), request, nil) })
		reason := reasonFor(leftOut, v)
		switch {
		case err == nil && reason == "":
			n.passed++
			total.passed++
			if v.shapeOnly {
				n.byShape++
				total.byShape++
			}
		case err == nil:
			n.early++
			total.early++
			t.Logf("%s passes, although it is left out: %s", v.name, reason)
		case reason != "":
			n.leftOut++
			total.leftOut++
		default:
			n.failed++
			total.failed++
			t.Errorf("%s: %v", v.name, err)
		}
	}
	if total.passed == 0 {
		t.Fatalf("no vector passed in %s", vectors)
	}
	t.Log(table(methods, total, leftOut))
}

// reasonFor is why a vector, or all of its method, is left out; else "".
func reasonFor(leftOut map[string]string, v *vector) string {
	if reason, ok := leftOut[v.name]; ok {
		return reason
	}
	return leftOut[v.method()]
}

func table(methods map[string]*tally, total tally, leftOut map[string]string) string {
	var b strings.Builder
	line := func(name string, n tally) {
		fmt.Fprintf(&b, "\n%-42s %6d %8d %6d %8d", name, n.passed, n.byShape, n.failed, n.leftOut+n.early)
	}
	fmt.Fprintf(&b, "\n%-42s %6s %8s %6s %8s", "method", "passed", "by shape", "failed", "left out")
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		line(name, *methods[name])
		for _, of := range slices.Sorted(maps.Keys(leftOut)) {
			if of == name || strings.HasPrefix(of, name+"/") {
				fmt.Fprintf(&b, "\n    %s: %s", of, leftOut[of])
			}
		}
	}
	line("all", total)
	return b.String()
}
