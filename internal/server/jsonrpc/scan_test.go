package jsonrpc

import (
	"encoding/json"
	"strings"
	"testing"
)

// A string is good when encoding/json says so, whatever byte stands wherever in
// it: most are passed eight at a time.
func TestStrings(t *testing.T) {
	for length := range 26 {
		for place := range length + 1 {
			for c := range 0x80 {
				text := []byte(`"` + strings.Repeat("a", length) + `"`)
				text[place+1] = byte(c)
				s := scanner{b: text, depth: 1, digits: 80}
				err := s.skip()
				if err == nil {
					err = s.end()
				}
				if (err == nil) != json.Valid(text) {
					t.Fatalf("%q: %v", text, err)
				}
			}
		}
	}
	for _, text := range []string{"\"\u00e9\u20ac\U0001f600 and more than eight\"", `"aaaaaaaa\"aaaaaaaaaaaaa"`, `"aaaaaaaaaaaaaaaa\u0041aaaaaaaa\\"`} {
		if s := (scanner{b: []byte(text), depth: 1}); s.skip() != nil || s.end() != nil {
			t.Errorf("%s is refused", text)
		}
	}
}
