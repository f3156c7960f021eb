package gateway

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestWriterWritesJSON(t *testing.T) {
	var w writer
	w.open()
	w.integer("a", -7)
	w.text("b", "tab\t\"quote\" <script> \u2028 \x01 \xff é 😀")
	w.null("c")
	w.optional("d", "")
	w.identity("e", 0)
	w.boolean("f", true)
	w.time("g", time.Date(2018, 4, 29, 23, 32, 31, 30_000_000, time.FixedZone("", 7200)))
	w.time("h", time.Time{})
	w.amount("i", new(big.Int).Lsh(big.NewInt(1), 200))
	w.amount("j", nil)
	w.strings("k", []string{"x", "y"})
	w.key("l").array()
	w.open()
	w.close()
	w.open()
	w.hex("m", []byte{0xab, 1})
	w.close()
	w.end()
	w.raw("n", []byte(`{"o":1}`))
	w.number("p", 1<<63)
	w.close()
	want := `{"a":-7,"b":"tab\t\"quote\" <script> \u2028 \u0001 \ufffd é 😀","c":null,"d":null,"e":null,"f":true,` +
		`"g":"2018-04-29T21:32:31.03","h":null,"i":1606938044258990275541962092341162602522202993782792835301376,"j":0,` +
		`"k":["x","y"],"l":[{},{"m":"0xab01"}],"n":{"o":1},"p":9223372036854775808}`
	if got := string(w.b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(w.b) {
		t.Error("it is not JSON")
	}
}

// FuzzString wants every text back as it was, but for bytes that are no UTF-8.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\x7f", "\xc3\x28", "\u2028\u2029", "é😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.Count(s, "\ufffd") == strings.Count(want, "\ufffd") && back != s {
			t.Errorf("%q came back as %q", s, back)
		}
		var reference string
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &reference); err != nil || back != reference {
			t.Errorf("%q is %q, and %q by encoding/json", s, back, reference)
		}
	})
}
