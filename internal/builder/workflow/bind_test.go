package workflow

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

func args(pairs ...string) []Argument {
	list := []Argument{}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, Argument{pairs[i], pairs[i+1]})
	}
	return list
}

const (
	place1 = `{"Street":"Long <Street>","Number":65535,"Door":2}`
	person = `{"Name":"Ada","Wallet":"0x00000000000000000000000000000000000000ab","Home":` + place1 + `}`
)

// TestCalls packs a call of each kind and reads it back from the bytes.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		sample, workflow, function string
		given, read                []Argument
	}{
		{"Greeting", "Greeting", "Reply", args("answer", "yes"), nil},
		{"Greeting", "Greeting", "Close", args(), nil},
		{"Greenhouse", "Greenhouse", "SetMode", args("mode", "3"), nil},
		{"Greenhouse", "Greenhouse", "Read", args("alarm", "True", "readAt", "1539128158", "celsius", "-40"), args("celsius", "-40", "readAt", "1539128158", "alarm", "true")},
		{"Sale", "Sale", "MakeOffer", args("OFFER", "100"), args("offer", "100")},
		{"Market", "Market", "Rent", args("goods", "apples", "price", "-3"), nil},
		{"Counts", "Counts", "Add", args("miles", "1,2", "flags", "true", "times", "", "prices", "[7]"), args("miles", "[1,2]", "flags", "[true]", "times", "[]", "prices", "[7]")},
		{"Survey", "Survey", "Invite", args("who", `["`+somebody+`"]`), args("who", `["0x00000000000000000000000000000000000000ab"]`)},
		{"Survey", "Survey", "Enter", args("person", person), nil},
		{"Survey", "Survey", "EnterMany", args("list", "["+person+","+person+"]"), nil},
		{"Survey", "Survey", "Paint", args("list", "0, 2"), args("list", "[0,2]")},
	} {
		b := bound(t, c.sample, c.workflow)
		data, err := b.Call(c.function, c.given)
		if err != nil {
			t.Errorf("%s: %v", c.function, err)
			continue
		}
		want := c.read
		if want == nil {
			want = c.given
		}
		if name, got, ok := b.DecodeCall(data); !ok || name != c.function || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s %v %v", c.function, name, got, ok)
		}
		if got := b.Shown(c.function, c.given); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is shown with %v", c.function, got)
		}
		if len(data) > 4 {
			if name, got, ok := b.DecodeCall(data[:len(data)-32]); ok || name != c.function || got != nil {
				t.Errorf("%s: what is cut short still names its function: %s %v %v", c.function, name, got, ok)
			}
		}
	}
	b := bound(t, "Greeting", "Greeting")
	for _, odd := range [][]byte{nil, {1, 2, 3}, {1, 2, 3, 4}} {
		if name, _, ok := b.DecodeCall(odd); ok || name != "" {
			t.Errorf("%x is %s", odd, name)
		}
	}
}

// TestBadCalls are refused with a code before anything is sent.
func TestBadCalls(t *testing.T) {
	for _, c := range []struct {
		sample, function string
		given            []Argument
		code             problem.Code
	}{
		{"Greeting", "Reply", args(), "VALUE_MISSING"},
		{"Greeting", "Reply", args("answer", "a", "question", "b"), "VALUE_UNKNOWN"},
		{"Greeting", "Reply", args("answer", "a", "Answer", "b"), "VALUE_TWICE"},
		{"Greeting", "Forget", args(), "FUNCTION_UNKNOWN"},
		{"Greenhouse", "SetMode", args("mode", "4"), "VALUE_ENUM"},
		{"Greenhouse", "Read", args("celsius", "9223372036854775808", "readAt", "1", "alarm", "true"), "VALUE_RANGE"}, // int64
		{"Greenhouse", "Read", args("celsius", "-9223372036854775809", "readAt", "1", "alarm", "true"), "VALUE_RANGE"},
		{"Greenhouse", "Read", args("celsius", "1", "readAt", "-1", "alarm", "true"), "VALUE_RANGE"}, // uint
		{"Sale", "MakeOffer", args("offer", "-1"), "VALUE_RANGE"},
		{"Sale", "MakeOffer", args("offer", above.String()), "VALUE_RANGE"},
		{"Counts", "Add", args("miles", "1", "flags", "maybe", "times", "", "prices", ""), "VALUE_BOOL"},
		{"Counts", "Add", args("miles", "1", "flags", "true", "times", "4294967296", "prices", ""), "VALUE_RANGE"},
		{"Survey", "Enter", args("person", `{"Name":"a","Wallet":"`+somebody+`","Home":{"Street":"","Number":65536,"Door":0}}`), "VALUE_RANGE"},
		{"Survey", "Distance", args("a", "127", "b", "-129"), "VALUE_RANGE"},
	} {
		_, err := bound(t, c.sample, c.sample).Call(c.function, c.given)
		if problem.CodeOf(err) != c.code {
			t.Errorf("%s: %v, not %s", c.function, err, c.code)
		}
	}
	b := bound(t, "Counts", "Counts")
	if _, err := b.Create(args("monthly", "1,2,3", "miles", "")); problem.CodeOf(err) != "VALUE_LENGTH" {
		t.Errorf("three of twelve months: %v", err)
	}
	if _, err := b.Call("Sum", args()); err != nil {
		t.Error(err)
	}
}

// TestCreations reads what a constructor was given, also from another build's code.
func TestCreations(t *testing.T) {
	b := bound(t, "Survey", "Survey")
	given := args("list", `["one","two"]`, "office", place1)
	data, err := b.Create(given)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := b.DecodeCreate(data); !ok || !reflect.DeepEqual(got, given) {
		t.Errorf("%v %v", got, ok)
	}
	if !b.Matches(data) || !b.Matches(b.Bytecode) {
		t.Error("creation code is not known again")
	}
	if _, ok := b.DecodeCreate(data[:len(b.Bytecode)-1]); ok {
		t.Error("half of the code is not the code")
	}
	if _, ok := b.DecodeCreate(data[:len(b.Bytecode)+31]); ok {
		t.Error("arguments that are cut short are read")
	}
}

// TestCodeIsKnownAgain tolerates metadata and immutables, and nothing else.
func TestCodeIsKnownAgain(t *testing.T) {
	c := contract(t, "Survey", "Survey")
	b := bound(t, "Survey", "Survey")
	if len(c.Immutables) == 0 {
		t.Fatal("the sample has no immutable")
	}
	deployed := bytes.Clone(c.Runtime)
	for _, p := range c.Immutables {
		copy(deployed[p[0]:p[0]+p[1]], bytes.Repeat([]byte{0xab}, p[1]))
	}
	if !b.Matches(deployed) {
		t.Error("immutables are part of the comparison")
	}
	i := bytes.LastIndex(deployed, []byte("ipfs"))
	if i < 0 {
		t.Fatal("no metadata")
	}
	for _, at := range []int{i + 8, i + 39} { // the first and the last byte of the hash
		other := bytes.Clone(deployed)
		other[at] ^= 1
		if !b.Matches(other) {
			t.Error("the hash of the metadata is part of the comparison")
		}
	}
	for _, at := range []int{0, 100, i - 20, i + 7, i + 40, len(deployed) - 1} {
		other := bytes.Clone(deployed)
		other[at] ^= 1
		if b.Matches(other) {
			t.Errorf("a change of byte %d is not seen", at)
		}
	}
	if b.Matches(deployed[1:]) || b.Matches(append(bytes.Clone(deployed), 0)) || b.Matches(nil) {
		t.Error("other code is taken for the contract's")
	}
	market := contract(t, "Market", "Market")
	if bound(t, "Market", "Stall").Matches(market.Runtime) || !bound(t, "Market", "Market").Matches(market.Runtime) {
		t.Error("contracts of one application are taken for each other")
	}
	for _, name := range []string{"Notebook", "Counts"} { // metadata of 0.4 and 0.5
		c, b := contract(t, name, name), bound(t, name, name)
		other := bytes.Clone(c.Runtime)
		i := bytes.LastIndex(other, []byte("bzzr"))
		if i < 0 {
			t.Fatal("no metadata")
		}
		other[i+7] ^= 1
		if other[i+38] ^= 1; !b.Matches(other) {
			t.Errorf("%s: the hash of the metadata is part of the comparison", name)
		}
		if other[i+39] ^= 1; b.Matches(other) {
			t.Errorf("%s: a change of the code is not seen", name)
		}
	}
}

// TestReads decodes what getters return.
func TestReads(t *testing.T) {
	b := bound(t, "Survey", "Survey")
	place := func(kind string) []byte { // of a generated getter: the fields one by one
		parts, err := shapes([]argument{{Type: "string"}, {Type: "uint16"}, {Type: kind}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		v, err := readValue(&b.Workflow.Properties[2].Type, b.roles, place1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := pack(parts, v.list)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if got, err := b.DecodeRead(2, place("uint8")); err != nil || got != place1 {
		t.Errorf("%s %v", got, err)
	}
	if got, err := b.DecodeRead(0, word(2)); err != nil || got != "2" {
		t.Errorf("%s %v", got, err)
	}
	if got, err := b.DecodeRead(1, word(0xab)); err != nil || got != "0x00000000000000000000000000000000000000ab" {
		t.Errorf("%s %v", got, err)
	}
	text := append(word(32), word(4)...)
	text = append(text, append([]byte("a\x00\xffb"), make([]byte, 28)...)...)
	list := append(append(word(32), word(1)...), text...)
	if got, err := b.DecodeRead(3, list); err != nil || got != `["a��b"]` {
		t.Errorf("%s %v", got, err)
	}
	for i := range b.Reads() {
		if _, err := b.DecodeRead(i, nil); problem.CodeOf(err) != "VALUE_UNREADABLE" {
			t.Errorf("nothing is the value of %d: %v", i, err)
		}
	}
	if _, err := b.DecodeRead(99, nil); err == nil {
		t.Error("there are no hundred properties")
	}
	got, err := b.DecodeReturn("Distance", word(-7))
	if err != nil || !slices.Equal(got, args("Distance", "-7")) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := b.DecodeReturn("Find", word(1)); problem.CodeOf(err) != "VALUE_UNREADABLE" {
		t.Error(err)
	}
	if _, err := b.DecodeReturn("Nothing", nil); problem.CodeOf(err) != "FUNCTION_UNKNOWN" {
		t.Error(err)
	}
}

// TestBindRefuses what does not fit.
func TestBindRefuses(t *testing.T) {
	app := parsed(t, "Greeting")
	if _, err := Bind(app, "Gone", contract(t, "Greeting", "Greeting")); problem.CodeOf(err) != "WORKFLOW_UNKNOWN" {
		t.Error(err)
	}
	if _, err := Bind(app, "Greeting", contract(t, "Sale", "Sale")); problem.CodeOf(err) != "CODE_MISMATCH" {
		t.Error(err)
	}
}

func FuzzDecodeCall(f *testing.F) {
	survey, counts := bound(f, "Survey", "Survey"), bound(f, "Counts", "Counts")
	for _, c := range []struct {
		b     *Binding
		name  string
		given []Argument
	}{
		{survey, "Enter", args("person", person)}, {survey, "EnterMany", args("list", "["+person+"]")}, {survey, "Invite", args("who", "["+somebody+"]")},
		{counts, "Add", args("miles", "1,2", "flags", "true", "times", "", "prices", "[7]")},
	} {
		data, err := c.b.Call(c.name, c.given)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, b := range []*Binding{survey, counts} {
			name, list, ok := b.DecodeCall(data)
			if !ok {
				continue
			}
			// What is read can be given, unless it is longer than a person may write, or an enum's index beyond its members.
			again, err := b.Call(name, list)
			if err != nil {
				if code := problem.CodeOf(err); code != "VALUE_LONG" && code != "VALUE_ENUM" {
					t.Fatalf("%s %v: %v", name, list, err)
				}
				continue
			}
			if _, second, ok := b.DecodeCall(again); !ok || !slices.Equal(list, second) {
				t.Fatalf("%v, then %v", list, second)
			}
		}
		survey.DecodeCreate(data)
		survey.DecodeCreate(append(bytes.Clone(survey.Bytecode), data...))
	})
}

func FuzzDecodeRead(f *testing.F) {
	survey := bound(f, "Survey", "Survey")
	f.Add(uint8(0), word(1))
	f.Add(uint8(3), append(append(word(32), word(1)...), append(word(32), word(0)...)...))
	f.Fuzz(func(t *testing.T, i uint8, data []byte) {
		n := int(i) % (len(survey.reads) + 1)
		text, err := survey.DecodeRead(n, data)
		if err == nil && len(text) > mostWhole {
			t.Fatal("the value is longer than any may be")
		}
		_, _ = survey.DecodeReturn("Find", data)
	})
}
