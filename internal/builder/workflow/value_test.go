package workflow

import (
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

var (
	roles     = map[string]bool{"Owner": true, "document": true}
	fields    = []Identifier{{Name: "Street", Type: Type{Name: "string"}}, {Name: "Number", Type: Type{Name: "int"}}, {Name: "Who", Type: Type{Name: "Owner"}}}
	structure = Type{Name: "struct", Fields: fields}
)

func listOf(t Type) Type { return Type{Name: "array", ElementType: &t} }

const somebody = "0x00000000000000000000000000000000000000Ab"

// TestValues is the wire form of every type, canonical and as clients write it.
func TestValues(t *testing.T) {
	max256 := "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	enum := Type{Name: "enum", EnumValues: []string{"A", "B"}}
	for _, c := range []struct {
		kind Type
		text string
		want string // or a problem's code
	}{
		{Type{Name: "string"}, " <b>ü</b> ", " <b>ü</b> "},
		{Type{Name: "string"}, "", ""},
		{Type{Name: "string"}, strings.Repeat("ü", 4000), strings.Repeat("ü", 4000)},
		{Type{Name: "string"}, strings.Repeat("ü", 4001), "VALUE_LONG"},
		{Type{Name: "string"}, "a\x00", "VALUE_TEXT"},
		{Type{Name: "string"}, "\xff", "VALUE_TEXT"},
		{Type{Name: "image"}, "x", "x"},
		{Type{Name: "document"}, somebody, strings.ToLower(somebody)}, // a role here
		{Type{Name: "int"}, "9007199254740993", "9007199254740993"},
		{Type{Name: "int"}, " -007 ", "-7"},
		{Type{Name: "int"}, "-0", "0"},
		{Type{Name: "money"}, max256, max256},
		{Type{Name: "money"}, max256[:77] + "6", "VALUE_RANGE"},
		{Type{Name: "int"}, "-" + max256, "VALUE_RANGE"},
		{Type{Name: "int"}, strings.Repeat("9", 81), "VALUE_INTEGER"},
		{Type{Name: "int"}, "1.55", "VALUE_INTEGER"},
		{Type{Name: "int"}, "0x10", "VALUE_INTEGER"},
		{Type{Name: "int"}, "1e3", "VALUE_INTEGER"},
		{Type{Name: "time"}, "", "VALUE_INTEGER"},
		{Type{Name: "time"}, "1539128158", "1539128158"},
		{Type{Name: "bool"}, "True", "true"},
		{Type{Name: "bool"}, "FALSE", "false"},
		{Type{Name: "bool"}, "1", "VALUE_BOOL"},
		{enum, "1", "1"},
		{enum, "2", "VALUE_ENUM"},
		{enum, "-1", "VALUE_ENUM"},
		{enum, "A", "VALUE_ENUM"},
		{enum, "18446744073709551616", "VALUE_ENUM"},
		{Type{Name: "user"}, somebody, strings.ToLower(somebody)},
		{Type{Name: "Owner"}, "0X" + somebody[2:], strings.ToLower(somebody)},
		{Type{Name: "address"}, "00000000000000000000000000000000000000Ab", "VALUE_ADDRESS"},
		{Type{Name: "contract"}, somebody + "0", "VALUE_ADDRESS"},
		{Type{Name: "Nobody"}, "x", "VALUE_TYPE"},
		{listOf(Type{Name: "int"}), "[21,48,69]", "[21,48,69]"},
		{listOf(Type{Name: "int"}), "21, 48,69", "[21,48,69]"},
		{listOf(Type{Name: "int"}), "5", "[5]"},
		{listOf(Type{Name: "int"}), "5,", "[5]"},
		{listOf(Type{Name: "int"}), "", "[]"},
		{listOf(Type{Name: "int"}), `["1", 2]`, "[1,2]"},
		{listOf(Type{Name: "int"}), "1,,2", "VALUE_INTEGER"},
		{listOf(Type{Name: "int"}), "[1,2", "VALUE_ARRAY"},
		{listOf(Type{Name: "int"}), "[true]", "VALUE_JSON"},
		{listOf(Type{Name: "int"}), "[1.5]", "VALUE_INTEGER"},
		{listOf(Type{Name: "int"}), strings.Repeat("1,", 1<<15) + "1", "VALUE_LONG"},
		{listOf(Type{Name: "bool"}), "True,false", "[true,false]"},
		{listOf(Type{Name: "bool"}), "[true, \"FALSE\"]", "[true,false]"},
		{listOf(Type{Name: "string"}), `["a,b", "<\"ü"]`, `["a,b","<\"ü"]`},
		{listOf(Type{Name: "string"}), "a, b", `["a","b"]`},
		{listOf(Type{Name: "string"}), "[a, b]", "VALUE_ARRAY"},
		{listOf(Type{Name: "address"}), "[" + somebody + "]", `["` + strings.ToLower(somebody) + `"]`},
		{listOf(Type{Name: "Owner"}), `["` + somebody + `"]`, `["` + strings.ToLower(somebody) + `"]`},
		{listOf(enum), "0,1,0", "[0,1,0]"},
		{structure, `{"Number": 12, "Street": "é", "Who": "` + somebody + `"}`, `{"Street":"é","Number":12,"Who":"` + strings.ToLower(somebody) + `"}`},
		{structure, `{"Number": 12, "Street": "é"}`, "VALUE_STRUCT"},
		{structure, `{"Number": 12, "Street": "é", "Who": "` + somebody + `", "x": 1}`, "VALUE_STRUCT"},
		{structure, `{"Number": 12, "Number": 12, "Street": "é", "Who": "` + somebody + `"}`, "VALUE_STRUCT"},
		{structure, `{"Number": 12, "Street": 7, "Who": "` + somebody + `"}`, "VALUE_JSON"},
		{structure, `{"Number": 12`, "VALUE_STRUCT"},
		{structure, `[]`, "VALUE_STRUCT"},
		{listOf(structure), `[{"Number":1,"Street":"","Who":"` + somebody + `"}]`, `[{"Street":"","Number":1,"Who":"` + strings.ToLower(somebody) + `"}]`},
		{listOf(structure), `1,2`, "VALUE_ARRAY"},
	} {
		got, err := CheckValue(&c.kind, roles, c.text)
		if err != nil {
			got = string(problem.CodeOf(err))
			if p := err.(*problem.Error); p.What == "" || p.Next == "" || len(err.Error()) > 400 {
				t.Errorf("%q: %v", c.text, err)
			}
		}
		if got != c.want {
			t.Errorf("%s %.60q: %.90s, not %.90s", c.kind.Name, c.text, got, c.want)
		}
		if err == nil {
			if again, err := CheckValue(&c.kind, roles, got); err != nil || again != got {
				t.Errorf("%q is not canonical: %q %v", got, again, err)
			}
		}
	}
}

// TestWhereInAValue names the element that is wrong.
func TestWhereInAValue(t *testing.T) {
	kind := listOf(structure)
	_, err := CheckValue(&kind, roles, `[{"Number":"x","Street":"","Who":"`+somebody+`"}]`)
	if err == nil || !strings.Contains(err.Error(), `element 1: field "Number": "x" is no whole number`) {
		t.Error(err)
	}
}
