package client

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
)

// answers are what nodes answer, whole and broken.
var answers = []string{
	`[{"jsonrpc":"2.0","id":0,"result":{"number":"0x1","hash":"0x` + strings.Repeat("1", 64) + `","parentHash":"0x` + strings.Repeat("2", 64) +
		`","timestamp":"0x65","transactions":[{"hash":"0x` + strings.Repeat("3", 64) + `","from":"0x` + strings.Repeat("4", 40) +
		`","to":null,"value":"0x0","nonce":"0x1","gas":"0x5208","input":"0x00ff"}]}},{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"a\"b"}}]`,
	`[{"txHash":"0x` + strings.Repeat("3", 64) + `","result":{"from":"0x` + strings.Repeat("4", 40) + `","to":"0x` + strings.Repeat("5", 40) +
		`","gas":"0x1","gasUsed":"0x2","input":"0x","output":"0x08c379a0","error":"execution reverted","type":"CALL","calls":[{"type":"CREATE","from":"0x` +
		strings.Repeat("5", 40) + `","input":"0x5f","error":"out of gas"}]}}]`,
	`[{"transactionHash":"0x` + strings.Repeat("3", 64) + `","blockHash":"0x` + strings.Repeat("1", 64) + `","gasUsed":"0x1","status":"0x1","contractAddress":null,"logs":[]}]`,
	`{"status":"Committed","txId":"2.17","failure":"out of gas","revertData":"0x"}`,
	`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{"number":"0x1"}}}`,
	`{"jsonrpc":"2.0","id":0,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}`,
	`null`, `[null]`, `[[[[[`, `{"a":{"b":[1,2,{"c":"\\\""}]}}`, `"\ud800"`, "{\"\x00\":1e999}", `[{"result":{"type":"CALL"}}]`, `{"calls":[{"calls":[{}]}]}`, ``,
}

// FuzzAnswers gives the decoders whatever a node may answer: they end, take no
// more memory than a multiple of the answer, and never panic.
func FuzzAnswers(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func(*cursor){
			func(s *cursor) { s.block() },
			func(s *cursor) { s.receipts() },
			func(s *cursor) {
				if list := s.traces(); s.err == nil {
					b := Block{Transactions: make([]Transaction, len(list))}
					for i := range list {
						b.Transactions[i].Hash = list[i].hash
					}
					if err := b.follow(list); err != nil {
						t.Error(err)
					}
				}
			},
			func(s *cursor) { s.status() },
			func(s *cursor) { s.quantity() },
			func(s *cursor) { s.big() },
			func(s *cursor) { s.head() },
			func(s *cursor) { s.skip() },
		} {
			s := &cursor{text: text}
			if read(s); s.at > len(text) {
				t.Fatalf("read to %d of %d bytes", s.at, len(text))
			}
		}
		responses(text, make([]Request, 3))
		decodeError(text)
		if err := responses(text, make([]Request, 1)); err != nil && !errors.Is(err, ErrAnswer) {
			var said *Error
			if !errors.As(err, &said) {
				t.Errorf("an error of no kind: %v", err)
			}
		}
	})
}

// FuzzScan compares with encoding/json: what is valid is passed over whole, and
// members and texts are the same.
func FuzzScan(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !utf8.Valid(text) { // encoding/json puts U+FFFD for what is no UTF-8
			return
		}
		s := &cursor{text: text}
		if s.skip(); s.err != nil || s.peek() != 0 {
			t.Fatalf("%q is valid: %v, the rest is %q", text, s.err, text[s.at:])
		}
		var want string
		if json.Unmarshal(text, &want) == nil && text[0] == '"' {
			s := &cursor{text: text}
			if got := s.words(); got != want {
				t.Errorf("%q is %q, not %q", text, got, want)
			}
		}
		var members []json.RawMessage
		if json.Unmarshal(text, &members) == nil && members != nil {
			s := &cursor{text: text}
			var got []json.RawMessage
			s.array(func() { got = append(got, append(json.RawMessage{}, s.raw()...)) })
			if s.err != nil || len(got) != len(members) || len(got) > 0 && !reflect.DeepEqual(got, members) {
				t.Errorf("%q is %q, not %q: %v", text, got, members, s.err)
			}
		}
	})
}

// TestDeep nests calls deeper than any contract can: an error, and no stack that
// overflows.
func TestDeep(t *testing.T) {
	frame := `{"type":"CALL","from":"0x` + strings.Repeat("4", 40) + `","calls":[`
	for _, c := range []struct {
		depth int
		ok    bool
	}{{1, true}, {1024, true}, {1_000_000, false}} {
		s := &cursor{text: []byte(strings.Repeat(frame, c.depth) + strings.Repeat(`]}`, c.depth))}
		list := s.calls()
		if (s.err == nil) != c.ok || c.ok && (len(list) != c.depth || list[c.depth-1].Depth != c.depth-1) {
			t.Errorf("%d deep: %d calls, %v", c.depth, len(list), s.err)
		}
	}
}

// TestUndone has calls fail at several places.
func TestUndone(t *testing.T) {
	call := func(err string, inner ...string) string {
		return `{"type":"CALL","from":"0x` + strings.Repeat("4", 40) + `","error":"` + err + `","calls":[` + strings.Join(inner, ",") + `]}`
	}
	s := &cursor{text: []byte(call("", call("", call("")), call("x", call("", call("")), call("")), call(""), call("", call("y"), call(""))))}
	list := s.calls()
	var got []string
	for _, f := range list {
		got = append(got, map[bool]string{true: "undone", false: "done"}[f.Undone])
	}
	if want := "done done done undone undone undone undone done done undone done"; s.err != nil || strings.Join(got, " ") != want {
		t.Errorf("%s, %v", got, s.err)
	}
}

// TestMayCall tells code that can call from code that only looks like it.
func TestMayCall(t *testing.T) {
	for code, want := range map[string]bool{
		"":                 false,
		"00":               false,
		"f1":               true,
		"5f5ff3f1":         false, // behind the end
		"5f5ff35bf1":       true,  // which can be jumped to
		"60f15f5ff3":       false, // a number
		"7ff15bf1":         false, // a number cut off by the end
		"56fa":             false, // behind a jump
		"57fa":             true,  // behind a jump that may not be taken
		"fe5b00f0":         false,
		"fe605bf0":         false, // a number that looks like a place to jump to
		"5b5b5b5b5b5bf4":   true,
		"60005ff5":         true,
		"6000ff":           true,
		"fda2646970667358": false, // the compiler's notes
	} {
		if got := mayCall(common.FromHex(code)); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
}
