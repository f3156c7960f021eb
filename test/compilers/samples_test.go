package compilers

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

var update = flag.Bool("update", false, "write the samples' artifacts anew")

// TestSamples compiles the sample applications, whose artifacts are part of the
// program.
func TestSamples(t *testing.T) {
	c := install(t)
	for dir, name := range map[string]string{"purchase": "Purchase", "freight": "Freight"} {
		file := filepath.Join("..", "..", "internal", "builder", "sample", dir, name)
		code, err := os.ReadFile(file + ".sol")
		if err != nil {
			t.Fatal(err)
		}
		sources, err := solidity.ReadSources(name+".sol", code)
		if err != nil {
			t.Fatal(err)
		}
		options := patience
		options.TolerateBase = true
		out, err := c.Compile(t.Context(), sources, options)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		if *update {
			if err := os.WriteFile(file+".artifacts.json", text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		there, err := os.ReadFile(file + ".artifacts.json")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(there, text) {
			t.Errorf("%s.artifacts.json is not what the compiler gives: go test ./test/compilers -run TestSamples -update", strings.TrimPrefix(file, "../../"))
		}
	}
}
