package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("application.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("application.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shapeless says whether Parse finds what a schema can find.
func shapeless(r *Report) bool {
	return slices.ContainsFunc(r.Errors, func(f Finding) bool {
		return f.Rule == ruleForm || slices.Contains([]string{"ELEMENT_MISSING", "ENUM_VALUES", "ENUM_VALUE_FORM"}, f.Code)
	})
}

// TestSchemaAgrees changes samples at random: the schema and Parse accept the same.
func TestSchemaAgrees(t *testing.T) {
	s := compiled(t)
	texts := map[string][]byte{}
	for _, name := range samples {
		texts[name] = bytes.TrimPrefix(configuration(t, name), []byte("\xef\xbb\xbf"))
	}
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		text := texts[rapid.SampledFrom(samples).Draw(t, "sample")]
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			doc = change(t, doc, 0)
		}
		text, err = json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)) // numbers as they are written
		if err != nil {
			t.Fatal(err)
		}
		_, report := Parse("x", text)
		err = s.Validate(doc)
		seen[err == nil]++
		if (err == nil) == shapeless(report) {
			t.Fatalf("schema: %v\nParse: %v\n%s", err, report.Errors, text)
		}
	})
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("accepted %d, refused %d: one of them was not tried", seen[true], seen[false])
	}
}

// TestSchemaRefuses what a schema can refuse of the changes that Parse finds, and nothing else.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	for _, c := range findings {
		text := strings.Replace(shop, c.old, c.new, 1)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil || c.code == "KEY_TWICE" { // which no schema sees
			continue
		}
		_, report := Parse("x", []byte(text))
		if err := s.Validate(doc); (err == nil) == shapeless(report) {
			t.Errorf("%s: %v", c.code, err)
		}
	}
}

// change replaces, removes or adds one value somewhere below.
func change(t *rapid.T, v any, depth int) any {
	stop := rapid.IntRange(0, 12).Draw(t, "stop") == 0 && depth > 0
	switch v := v.(type) {
	case map[string]any:
		if stop || len(v) == 0 {
			break
		}
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(v))).Draw(t, "key")
		switch rapid.IntRange(0, 14).Draw(t, "what") {
		case 0:
			delete(v, key)
		case 1:
			v[strings.ToLower(key)] = v[key]
		case 2:
			v[rapid.SampledFrom([]string{"Value", "ElementType", "EnumValues", "Fields", "Description", "Signature", "ReadOnly", "Returns", "Other"}).Draw(t, "new")] = anything(t)
		default:
			v[key] = change(t, v[key], depth+1)
		}
		return v
	case []any:
		if stop || len(v) == 0 {
			break
		}
		i := rapid.IntRange(0, len(v)-1).Draw(t, "item")
		switch rapid.IntRange(0, 9).Draw(t, "what") {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return append(v, v[i])
		}
		v[i] = change(t, v[i], depth+1)
		return v
	}
	return anything(t)
}

func anything(t *rapid.T) any {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return json.Number(rapid.SampledFrom([]string{"0", "-1", "50", "50.0", "5e1", "100", "101", "1.5", "65535", "65536", "1e99"}).Draw(t, "number"))
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{anything(t)}
	case 6:
		return map[string]any{"Name": rapid.SampledFrom([]string{"int", "array", "enum", "struct", "Owner"}).Draw(t, "type")}
	case 7:
		return strings.Repeat("é", rapid.SampledFrom([]int{0, 1, 49, 50, 51, 255, 256}).Draw(t, "length"))
	}
	return rapid.SampledFrom([]string{"Success", "success", "Failure", "a\x00b", "Send(uint256,(bool)[])", "Send (a)", "Soft", "no way", strings.Repeat("a", 256)}).Draw(t, "text")
}

// TestSchemaMarksExtensions finds every extension in the model marked in the schema, and nothing else.
func TestSchemaMarksExtensions(t *testing.T) {
	var doc any
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	var marked []string
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			if v["x-coco-extension"] == true {
				marked = append(marked, at)
			}
			if values, ok := v["x-coco-extension-values"]; ok {
				marked = append(marked, fmt.Sprintf("%s: %v", at, values))
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], at+"/"+k)
			}
		case []any:
			for i, e := range v {
				walk(e, fmt.Sprintf("%s/%d", at, i))
			}
		}
	}
	walk(doc, "")
	want := []string{
		"/$defs/function/properties/ReadOnly", "/$defs/function/properties/Returns", "/$defs/function/properties/Signature",
		"/$defs/type/properties/ElementType: [string address contract user enum struct image document the name of a role]",
		"/$defs/type/properties/Fields", "/$defs/type/properties/Name: [struct image document]", "/properties/$schema",
	}
	if !slices.Equal(marked, want) {
		t.Errorf("marked: %q", marked)
	}
}
