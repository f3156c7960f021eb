package workflow

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// plainly is a tree as encoding/json makes it.
func plainly(n *node) any {
	switch n.kind {
	case '{':
		m := map[string]any{}
		for _, x := range n.members {
			m[x.key] = plainly(x.value)
		}
		return m
	case '[':
		l := []any{}
		for _, x := range n.items {
			l = append(l, plainly(x))
		}
		return l
	case '"':
		return n.text
	case '0':
		return json.Number(n.text)
	case 't':
		return n.text == "true"
	}
	return nil
}

// FuzzDocument compares the reader with the standard library's.
func FuzzDocument(f *testing.F) {
	for _, name := range samples {
		f.Add(configuration(f, name))
	}
	for _, s := range []string{`{"a":[1,-2.5e3,true,false,null,"x\u00e9\n"]}`, `[1,]`, `{"a":1,}`, `{,}`, `"`, `"\`, `01`, `-`, `[[[`, "\"\x00\"", `{"a" 1}`, `tru`, ` 1 2`, "\xff", `"\ud800"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := readDocument(data)
		plain := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
		d := json.NewDecoder(strings.NewReader(plain))
		d.UseNumber()
		var want any
		wantErr := d.Decode(&want)
		if wantErr == nil && json.Valid([]byte(plain)) != (err == nil) || wantErr != nil && err == nil {
			if err != nil && strings.Contains(err.Error(), "deep in each other") {
				return
			}
			t.Fatalf("%q: %v, the standard library says %v", data, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(plainly(n), want) {
			t.Fatalf("%q: %v, not %v", data, plainly(n), want)
		}
	})
}

// TestPlaces names the lines and columns of values and of what is no JSON.
func TestPlaces(t *testing.T) {
	n, err := readDocument([]byte("\xef\xbb\xbf{\r\n  \"é\": [1,\n\"ü\", {\"b\":2}]}"))
	if err != nil {
		t.Fatal(err)
	}
	list := n.members[0].value
	for _, c := range []struct {
		got, want place
	}{
		{n.at, place{1, 1}}, {n.members[0].at, place{2, 3}}, {list.at, place{2, 8}}, {list.items[0].at, place{2, 9}},
		{list.items[1].at, place{3, 1}}, {list.items[2].members[0].value.at, place{3, 11}},
	} {
		if c.got != c.want {
			t.Errorf("%v, not %v", c.got, c.want)
		}
	}
	for text, want := range map[string]place{
		"{\n  \"a\": 1\n  \"b\": 2}":   {3, 3},
		"{\n  \"a\": 1,\n}":            {3, 1},
		"[1,\n 2":                      {2, 3},
		"{\"a\":\n   \"never closed }": {2, 4},
		"{\"a\": 'b'}":                 {1, 7},
		"{} x":                         {1, 4},
		"":                             {1, 1},
		"{\"a\": tru}":                 {1, 7},
		strings.Repeat("[", 40):        {1, 33},
		"{\"a\":\n 007}":               {2, 5},
		"{\"a\": \"line\nbreak\"}":     {1, 12},
	} {
		_, err := readDocument([]byte(text))
		e, ok := err.(*syntaxError)
		if !ok || e.at != want {
			t.Errorf("%q: %+v, not at %v", text, err, want)
		}
	}
}
