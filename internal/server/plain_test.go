package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// A plain request is answered as the same request is that goes to net/http, for it
// has a field that is not plain.
func TestPlain(t *testing.T) {
	for _, o := range []Options{{}, {Origins: []string{"https://app.example"}}, {Hosts: []string{"other.example"}},
		{Identify: func(*http.Request) (*caller.Caller, error) { return caller.Internal, nil }}} {
		n := start(t, jsonrpc.Limits{RequestBytes: 200 << 10, Memory: 60 << 10}, o)
		kind := "application/json"
		ask := func(host, body, plain string) string {
			r, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+n.address+"/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			r.Header.Set("Content-Type", kind)
			if plain != "" {
				r.Header.Set(plain, "1")
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			answer.Header.Del("Date")
			return fmt.Sprint(answer.Status, answer.Header, answer.ContentLength, string(text))
		}
		for _, kind = range []string{"text/plain", "application/json; charset=utf-8", "application/json"} {
			if plain, other := ask("localhost", echo, ""), ask("localhost", echo, "X-Other"); plain != other {
				t.Errorf("%s: %s, not %s", kind, plain, other)
			}
		}
		for _, host := range []string{"localhost:8545", "other.example", "[::1]:80"} {
			for _, body := range []string{echo, "[" + echo + "," + echo + "]", "", "{}", "[]", `{"jsonrpc":"2.0","method":"echo","params":["silent"]}`,
				large(3 << 10), large(20 << 10), large(150 << 10), large(300 << 10)} {
				plain, other := ask(host, body, ""), ask(host, body, "X-Other")
				if plain != other {
					t.Errorf("%.80s to %s: %.300s, not %.300s", body, host, plain, other)
				}
			}
		}
	}
}
