package workflow

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the configuration. It accepts
// exactly what Parse finds well formed (rule a.7.1 and the shape of types); that
// names are unique and lead somewhere is beyond it. Extensions are marked with
// "x-coco-extension": true, or listed in "x-coco-extension-values".
func Schema() []byte { return slices.Clone(schema) }
