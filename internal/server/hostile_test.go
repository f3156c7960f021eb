package server

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// stall opens a connection that sends the beginning of a large request and no
// more.
func stall(t *testing.T, n *node, sent int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", sent+1)
	if _, err := c.Write(bytes.Repeat([]byte(" "), sent)); err != nil {
		t.Fatal(err)
	}
	return c
}

func large(size int) string {
	return strings.Replace(echo, "hi", strings.Repeat("x", size), 1)
}

// What all clients send and are answered fits the node's memory; small requests
// get through whatever large ones do.
func TestMemoryIsBounded(t *testing.T) {
	n := start(t, jsonrpc.Limits{Memory: 100 << 10}, Options{})
	hog := stall(t, n, 70<<10)
	defer hog.Close()
	until(t, func() bool {
		status, header, text := n.do(t, "POST", large(60<<10))
		return status == http.StatusServiceUnavailable && header.Get("Retry-After") != "" && strings.Contains(text, "large messages")
	})
	if status, _, text := n.do(t, "POST", echo); status != http.StatusOK || !strings.Contains(text, "hi") {
		t.Errorf("a small request: %d %s", status, text)
	}
	hog.Close()
	until(t, func() bool {
		status, _, _ := n.do(t, "POST", large(40<<10))
		return status == http.StatusOK
	})
	// A response for which there is no room is an error of that call alone.
	_, _, text := n.do(t, "POST", "["+large(60<<10)+","+echo+"]")
	if !strings.Contains(text, `"code":-32005`) || !strings.Contains(text, "anonymous hi") {
		t.Errorf("got %.300s", text)
	}
}

func until(t *testing.T, ask func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ask(); {
		if time.Now().After(end) {
			t.Fatal("it did not come to that")
		}
	}
}

// The same over WebSocket, where the client is told to try again later.
func TestMemoryOfWebSockets(t *testing.T) {
	n := start(t, jsonrpc.Limits{Memory: 220 << 10}, Options{})
	c := dial(t, n)
	c.SetReadLimit(1 << 20)
	if text := exchange(t, c, large(30<<10)); !strings.Contains(text, "xxx") {
		t.Errorf("got %.100s", text)
	}
	for range 20 { // memory is given back
		exchange(t, c, large(40<<10))
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte(large(300<<10))); err != nil {
		t.Logf("cut while writing: %v", err)
	}
	_, _, err := c.Read(t.Context())
	if status := websocket.CloseStatus(err); status != websocket.StatusTryAgainLater {
		t.Errorf("closed with %v: %v", status, err)
	}
	until(t, func() bool { // the other's memory is free again
		status, _, _ := n.do(t, "POST", large(40<<10))
		return status == http.StatusOK
	})
}

// A WebSocket message that has begun must come to an end.
func TestSlowWebSocketMessage(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{Body: 30 * time.Millisecond})
	c := dial(t, n)
	w, err := c.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the connection stayed open")
	}
}

// A message above the limit closes a WebSocket with the code for that, and is
// status 413 over HTTP, whether or not its length was told.
func TestRequestTooLarge(t *testing.T) {
	n := start(t, jsonrpc.Limits{RequestBytes: 1000}, Options{})
	if status, _, text := n.do(t, "POST", large(2000)); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "1000 bytes") {
		t.Errorf("got %d %s", status, text)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+n.address+"/", struct{ *strings.Reader }{strings.NewReader(large(2000))})
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("without a length: %d", response.StatusCode)
	}
	c := dial(t, n)
	if err := c.Write(context.Background(), websocket.MessageText, []byte(large(2000))); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Read(t.Context())
	if status := websocket.CloseStatus(err); status != websocket.StatusMessageTooBig {
		t.Errorf("closed with %v: %v", status, err)
	}
}
