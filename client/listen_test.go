package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/coco-consortium/coco/client"
)

// TestWatchOfABadNode: whatever a node does while a client subscribes, the client
// tries again.
func TestWatchOfABadNode(t *testing.T) {
	tried := make(chan int, 100)
	answers := []string{"", "no JSON", `{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}}`, `{"jsonrpc":"2.0","id":0,"result":7}`}
	times := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			http.Error(w, "gone", http.StatusServiceUnavailable)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		i := times
		times++
		if i > 0 { // the first one is left before it asks
			_, _, _ = conn.Read(r.Context())
		}
		if i < len(answers) && answers[i] != "" {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(answers[i]))
		}
		tried <- i
	}))
	defer server.Close()
	c := dial(t, server.URL, client.Options{Poll: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Watch(ctx, func() {})
	}()
	for range len(answers) + 1 {
		select {
		case <-tried:
		case <-time.After(time.Minute):
			t.Fatal("the client has given up")
		}
	}
	cancel()
	<-done
}
