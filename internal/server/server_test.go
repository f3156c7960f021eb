package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a running server with a few methods.
type node struct {
	*Server
	address string
	hold    chan struct{} // lets "hold" return
	holding chan struct{} // gets a token when "hold" is at work
	feed    chan string
}

func start(t *testing.T, limits jsonrpc.Limits, o Options) *node {
	n := &node{hold: make(chan struct{}), holding: make(chan struct{}, 10), feed: make(chan string)}
	d := jsonrpc.New(limits, nil, slog.New(slog.DiscardHandler))
	jsonrpc.Handle(d, "echo", func(_ context.Context, c *caller.Caller, p *struct{ Text string }) (any, error) {
		return c.String() + " " + p.Text, nil
	})
	jsonrpc.Handle(d, "hold", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		n.holding <- struct{}{}
		select {
		case <-n.hold:
			return "held", nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	jsonrpc.Handle(d, "eth_subscribe", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		id, err := jsonrpc.Subscribe(ctx, func(ctx context.Context, sub *jsonrpc.Notifier) error {
			for {
				select {
				case text := <-n.feed:
					if err := sub.Notify([]byte(text)); err != nil {
						return err
					}
				case <-ctx.Done():
					return nil
				}
			}
		})
		return string(id), err
	})
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.Server, n.address = New(d, o), l.Addr().String()
	served := make(chan error)
	go func() { served <- n.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		n.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return n
}

const echo = `{"jsonrpc":"2.0","id":1,"method":"echo","params":["hi"]}`

func (n *node) do(t *testing.T, method, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, _ := http.NewRequest(method, "http://"+n.address+"/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, strings.TrimSpace(string(text))
}

func TestHTTP(t *testing.T) {
	n := start(t, jsonrpc.Limits{RequestBytes: 1000}, Options{Hosts: []string{"localhost", "node.example"}, Origins: []string{"https://app.example"}})
	for _, c := range []struct {
		name, method, body string
		header             []string
		status             int
		want               string
	}{
		{"a call", "POST", echo, nil, 200, `{"jsonrpc":"2.0","id":1,"result":"anonymous hi"}`},
		{"charset", "POST", echo, []string{"Content-Type", "application/json; charset=utf-8"}, 200, `{"jsonrpc":"2.0","id":1,"result":"anonymous hi"}`},
		{"notification", "POST", `{"jsonrpc":"2.0","method":"echo","params":["hi"]}`, nil, 204, ``},
		{"no JSON", "POST", `{`, nil, 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"unexpected end of JSON input"}}`},
		{"health", "GET", ``, nil, 200, ``},
		{"get with a body", "GET", `x`, nil, 405, `send JSON-RPC requests by POST`},
		{"put", "PUT", echo, nil, 405, `send JSON-RPC requests by POST`},
		{"a form of a web site", "POST", echo, []string{"Content-Type", "text/plain"}, 415, `invalid content type, only application/json is supported`},
		{"large body", "POST", strings.Repeat(" ", 1001), nil, 413, `request too large, limit is 1000 bytes`},
		{"allowed host", "POST", echo, []string{"Host", "Node.Example:8545"}, 200, `{"jsonrpc":"2.0","id":1,"result":"anonymous hi"}`},
		{"IPv6", "POST", echo, []string{"Host", "[::1]:8545"}, 200, `{"jsonrpc":"2.0","id":1,"result":"anonymous hi"}`},
		{"rebound host", "POST", echo, []string{"Host", "evil.example"}, 403, `invalid host specified: address the node by an IP address, by localhost, or by a name it was told with its allowed hosts`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, got := n.do(t, c.method, c.body, c.header...)
			if status != c.status || got != c.want {
				t.Errorf("%d %s", status, got)
			}
			if kind := header.Get("Content-Type"); status == 200 && got != "" && kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
		})
	}
	t.Run("large body of unknown length", func(t *testing.T) {
		r, _ := http.NewRequest("POST", "http://"+n.address, io.MultiReader(strings.NewReader(strings.Repeat(" ", 1001))))
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 413 {
			t.Errorf("status %d", response.StatusCode)
		}
	})
	t.Run("origins", func(t *testing.T) {
		for origin, want := range map[string]string{"https://app.example": "https://app.example", "https://evil.example": ""} {
			status, header, _ := n.do(t, "OPTIONS", "", "Origin", origin, "Access-Control-Request-Method", "POST")
			if got := header.Get("Access-Control-Allow-Origin"); status != 204 || got != want {
				t.Errorf("%s: %d %q", origin, status, got)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{Identify: func(r *http.Request) (*caller.Caller, error) {
		if r.Header.Get("Authorization") == "" {
			return nil, errors.New("who are you")
		}
		return &caller.Caller{Kind: "test", Subject: r.Header.Get("Authorization")}, nil
	}})
	if status, _, got := n.do(t, "POST", echo); status != 401 || got != "who are you" {
		t.Errorf("%d %s", status, got)
	}
	if _, _, got := n.do(t, "POST", echo, "Authorization", "eve"); !strings.Contains(got, "test:eve hi") {
		t.Errorf("HTTP: %s", got)
	}
	c, _, err := websocket.Dial(t.Context(), "ws://"+n.address, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"eve"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := exchange(t, c, echo); !strings.Contains(got, "test:eve hi") {
		t.Errorf("WebSocket: %s", got)
	}
}

func dial(t *testing.T, n *node) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://"+n.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func exchange(t *testing.T, c *websocket.Conn, request string) string {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(request)); err != nil {
		t.Fatal(err)
	}
	_, message, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

func TestWebSocket(t *testing.T) {
	n := start(t, jsonrpc.Limits{RequestBytes: 1000}, Options{Ping: 5 * time.Millisecond})
	c := dial(t, n)
	if got := exchange(t, c, echo); got != `{"jsonrpc":"2.0","id":1,"result":"anonymous hi"}` {
		t.Errorf("got %s", got)
	}
	if got := exchange(t, c, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`); !strings.Contains(got, `"result":"0x`) {
		t.Errorf("got %s", got)
	}
	n.feed <- "[1]"
	if _, got, err := c.Read(t.Context()); err != nil || !strings.Contains(string(got), `"result":[1]}}`) {
		t.Errorf("got %s, %v", got, err)
	}
	t.Run("large message", func(t *testing.T) {
		c := dial(t, n)
		c.Write(t.Context(), websocket.MessageText, make([]byte, 1001))
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("got %v", err)
		}
	})
	t.Run("foreign origin", func(t *testing.T) {
		_, response, err := websocket.Dial(t.Context(), "ws://"+n.address, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example"}}})
		if err == nil || response.StatusCode != 403 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no handshake", func(t *testing.T) {
		if status, _, _ := n.do(t, "GET", "", "Connection", "Upgrade", "Upgrade", "websocket"); status != 400 {
			t.Errorf("status %d", status)
		}
	})
}

// A client that stops reading its subscription costs its queue and then loses
// the connection.
func TestSlowWebSocket(t *testing.T) {
	n := start(t, jsonrpc.Limits{QueueItems: 2}, Options{})
	c := dial(t, n)
	c.SetReadLimit(-1)
	exchange(t, c, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	sent := 0
	for n.sessionCount() > 0 {
		select {
		case n.feed <- big:
			sent++
		default:
			runtime.Gosched()
		}
	}
	received := 0
	for {
		if _, _, err := c.Read(t.Context()); err != nil {
			break
		}
		received++
	}
	if received >= sent {
		t.Errorf("all %d notifications were received", sent)
	}
}

func (n *node) sessionCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sessions)
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{})
	c := dial(t, n)
	const hold = `{"jsonrpc":"2.0","id":9,"method":"hold"}`
	var clients sync.WaitGroup
	clients.Go(func() {
		if status, _, got := n.do(t, "POST", hold); status != 200 || !strings.Contains(got, "held") {
			t.Errorf("HTTP: %d %s", status, got)
		}
	})
	clients.Go(func() {
		if got := exchange(t, c, hold); !strings.Contains(got, "held") {
			t.Errorf("WebSocket: %s", got)
		}
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("WebSocket ended with %v", err)
		}
	})
	<-n.holding
	<-n.holding
	stopped := make(chan error)
	go func() { stopped <- n.Shutdown(context.Background()) }()
	for { // until the listener is closed
		c, err := net.Dial("tcp", n.address)
		if err != nil {
			break
		}
		c.Close()
	}
	close(n.hold)
	clients.Wait()
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// Calls that do not end are cut off when the time for stopping is over.
func TestShutdownGivesUp(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{})
	c := dial(t, n)
	const hold = `{"jsonrpc":"2.0","id":9,"method":"hold"}`
	c.Write(t.Context(), websocket.MessageText, []byte(hold))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r, err := http.Post("http://"+n.address, "application/json", strings.NewReader(hold))
		if err == nil {
			r.Body.Close()
		}
	}()
	<-n.holding
	<-n.holding
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.Shutdown(ctx) // returns although nobody lets go
	<-ended
}

func TestSlowLoris(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{Header: 10 * time.Millisecond, Body: 20 * time.Millisecond})
	for name, text := range map[string]string{
		"header": "POST / HTTP/1.1\r\nHost: localhost\r\n",
		"body":   "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", n.address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, text)
			if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Logf("closed with %v", err)
			}
		})
	}
}

// More connections than allowed wait for one to leave.
func TestConnectionsAreBounded(t *testing.T) {
	n := start(t, jsonrpc.Limits{}, Options{Connections: 1})
	first := dial(t, n)
	exchange(t, first, echo)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		n.do(t, "POST", echo)
	}()
	exchange(t, first, echo)
	select {
	case <-answered:
		t.Error("a second connection was served")
	default:
	}
	first.CloseNow()
	<-answered
}

func TestPortTaken(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Listen(l.Addr().String())
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != "PORT_TAKEN" || p.Next == "" || !strings.Contains(p.What, l.Addr().String()) {
		t.Errorf("got %v", err)
	}
	if _, err := Listen("no such host:1"); problem.CodeOf(err) != "ADDRESS_INVALID" {
		t.Errorf("got %v", err)
	}
}
