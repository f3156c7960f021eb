package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/problem"
)

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:8545": "http://127.0.0.1:8545", "node.example:80": "http://node.example:80", "[::1]:1": "http://[::1]:1",
		"https://node.example/rpc": "https://node.example/rpc",
	} {
		var r remote
		if err := r.Set(text); err != nil || r.url != want {
			t.Errorf("%s is %q: %v", text, r.url, err)
		}
	}
	for _, text := range []string{"", "nonsense", "localhost", ":", "ws://127.0.0.1:1", "http://", "http://a b", "://x", "file:///etc/passwd"} {
		if (&remote{}).Set(text) == nil {
			t.Errorf("%q is taken for an address", text)
		}
	}
}

// TestWhatNodesAnswer asks servers that answer all kinds of things: each is an
// error with a code, and nothing of it reaches the terminal as it is.
func TestWhatNodesAnswer(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		code         problem.Code
		says         string
	}{
		{"a page", "<html>\x1b[2J", "NODE_ANSWER", `200 OK: not a JSON-RPC answer: <html>\x1b[2J`},
		{"another shape", `{"jsonrpc":"2.0","id":1,"result":{"a":1}}`, "NODE_ANSWER", "cannot unmarshal"},
		{"no method", `{"error":{"code":-32601,"message":"no such method"}}`, "NODE_FOREIGN", "no such method"},
		{"an error", `{"error":{"code":-32000,"message":"no \u001b[31m\u202e"}}`, "NODE_REFUSED", `no \x1b[31m\u202e`},
		{"a problem", `{"error":{"code":-32000,"message":"wait","data":{"code":"BUSY","next":"try\u0007"}}}`, "BUSY", "wait"},
		{"a code that is none", `{"error":{"code":-32000,"message":"x","data":{"code":"busy\u001b"}}}`, "NODE_REFUSED", "x"},
		{"without end", strings.Repeat(" ", maxAnswer+1), "NODE_ANSWER", "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.answer) }))
			defer s.Close()
			var result string
			err := (&remote{s.URL}).ask(t.Context(), &result, "eth_x")
			if problem.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%.200v", err)
			}
			var text strings.Builder
			terminal.Explain(&text, err)
			if strings.ContainsAny(text.String(), "\x1b\x07\u202e") {
				t.Errorf("not printable: %q", text.String())
			}
		})
	}
}

func TestReverted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"error":{"code":3,"message":"execution reverted","data":"0x0102"}}`)
	}))
	defer s.Close()
	var result string
	err := (&remote{s.URL}).ask(t.Context(), &result, "eth_call")
	var r *refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v", err)
	}
	if data, ok := r.reverted(); !ok || string(data) != "\x01\x02" {
		t.Errorf("%x %v", data, ok)
	}
}
