package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzPlain: what is taken for plain means the same to net/http.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
		"GET /kv/a.b~c HTTP/1.1\r\nhOST:[::1]:8\r\nAccept: */*\r\n\r\n",
		"DELETE /kv/1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nUser-Agent: go\r\n\r\n",
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"PUT /kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"PUT /kv/a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
		"PUT /kv/a HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\n",
		"GET /kv/a?linearizable=true HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: localhost:8545\r\nContent-Type: application/json\r\nContent-Length: 0\r\nSec-Fetch-Mode: cors\r\n\r\n",
		"POST // HTTP/1.1\r\nHost: x\r\nContent-Type:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		i := bytes.Index(data, headEnd)
		if i < 0 {
			return
		}
		head := data[:i+len(headEnd)]
		p, ok := parse(head)
		if !ok {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		if string(p.Method) != r.Method || string(p.Path) != r.URL.EscapedPath() || r.URL.RawQuery != "" || string(p.Host) != r.Host ||
			int64(max(p.Length, 0)) != r.ContentLength || string(p.ContentType) != r.Header.Get("Content-Type") ||
			len(r.TransferEncoding) > 0 || r.Close || r.Proto != "HTTP/1.1" || p.head != len(head) {
			t.Fatalf("%q: %+v, not %+v", head, p, r)
		}
	})
}

// echo takes what is posted, but not to /other. What is posted to /wait it answers
// when told to, or when the client has left.
type echo struct {
	release chan struct{}
	left    chan struct{}
}

func (echo) Takes(r *Request) bool {
	return string(r.Method) == "POST" && r.Length >= 0 && string(r.Path) != "/other"
}

func (e echo) Answer(ctx context.Context, r *Request) error {
	switch path := string(r.Path); path {
	case "/fault":
		panic("a fault")
	case "/refuse":
		return r.Respond(http.StatusServiceUnavailable, []byte("Retry-After: 1\r\n"), []byte("not now"))
	case "/wait":
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(body) == 0 {
			r.Wait()
		}
		select {
		case <-e.release:
		case <-ctx.Done():
			e.left <- struct{}{}
		}
		return r.Respond(http.StatusOK, nil, body)
	case "/fail":
		return errors.New("fails")
	}
	body := make([]byte, r.Length)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return r.Respond(http.StatusOK, []byte("X-Front: yes\r\n"), body)
}

type house struct {
	*Server
	address string
	echo    echo
	served  chan error
}

func open(t testing.TB, limit time.Duration) *house { return openWith(t, limit, limit, limit) }

func openWith(t testing.TB, header, body, idle time.Duration) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{address: l.Addr().String(), echo: echo{make(chan struct{}), make(chan struct{}, 1)}, served: make(chan error, 1)}
	h.Server = New(&http.Server{ReadHeaderTimeout: header, ReadTimeout: body, WriteTimeout: body, IdleTimeout: idle,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "others %s %s %d", r.Method, r.URL.Path, len(body))
		})}, Options{Connections: 3, Open: func(context.Context, net.Conn) Session { return h.echo }})
	go func() { h.served <- h.Serve(l) }()
	t.Cleanup(func() {
		h.Close()
		if err := <-h.served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return h
}

// client is a connection that sends text.
type client struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func (h *house) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &client{c, t, bufio.NewReader(c)}
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) expect(status int, front bool, text string) *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status || string(body) != text || r.Header.Get("X-Front") == "yes" != front || r.Header.Get("Date") == "" {
		c.t.Fatalf("%d %v %.100q %v, not %d %.100q", r.StatusCode, r.Header, body, err, status, text)
	}
	return r
}

// ended expects that nothing more comes.
func (c *client) ended() {
	c.t.Helper()
	if b, err := c.in.ReadByte(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		c.t.Fatalf("the connection goes on: %q %v", b, err)
	}
}

// One connection has plain requests and others, in pieces and several at once: all
// are answered, in order, and behind the first other one all are the server's.
func TestOneConnection(t *testing.T) {
	h := open(t, time.Minute)
	c := h.dial(t)
	for _, piece := range strings.SplitAfter(post("/a", "in pieces"), "e") {
		c.send(piece)
	}
	c.expect(200, true, "in pieces")
	long := strings.Repeat("2", 3*bufferBytes)
	c.send(post("/a", "1") + post("/a", long) + post("/a", ""))
	c.expect(200, true, "1")
	c.expect(200, true, long)
	c.expect(200, true, "")
	c.send(post("/other", "4") + post("/a", long))
	c.expect(200, false, "others POST /other 1")
	c.expect(200, false, fmt.Sprintf("others POST /a %d", len(long)))
}

// Whatever is not plain goes to the server, the first request of a connection too.
func TestOthers(t *testing.T) {
	h := open(t, time.Minute)
	for text, want := range map[string]string{
		"GET /a HTTP/1.1\r\nHost: x\r\n\r\n":                                                                             "others GET /a 0",
		"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1":                                                  "others POST /a 1",
		"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n":                           "others POST /a 1",
		"POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n":                            "others POST /a 0",
		"POST /a HTTP/1.1\r\nHost: x\r\nAccept: " + strings.Repeat("x", 2*bufferBytes) + "\r\nContent-Length: 0\r\n\r\n": "others POST /a 0",
	} {
		c := h.dial(t)
		c.send(text)
		c.expect(200, false, want)
		c.Close()
	}
}

// An answer before the body was read, and no answer, end the connection.
func TestUnread(t *testing.T) {
	h := open(t, time.Minute)
	c := h.dial(t)
	c.send(post("/refuse", "body") + post("/refuse", strings.Repeat("b", skipBytes)) + post("/a", "1"))
	for range 2 {
		if r := c.expect(503, false, "not now"); r.Close || r.Header.Get("Retry-After") != "1" {
			t.Error(r.Header)
		}
	}
	c.expect(200, true, "1")
	for long := post("/refuse", strings.Repeat("b", 2<<20)); len(long) > 0; { // who still sends can, and then sees the answer
		n := min(len(long), 256<<10)
		c.send(long[:n])
		long = long[n:]
		time.Sleep(10 * time.Millisecond)
	}
	if r := c.expect(503, false, "not now"); !r.Close {
		t.Error("the client may think that the connection goes on")
	}
	c.ended()
	c = h.dial(t)
	c.send(post("/fail", "body"))
	c.ended()
}

// A fault ends its connection and nothing else, and gives its place back.
func TestFault(t *testing.T) {
	h := open(t, time.Minute)
	for range 6 { // twice as many as may be open
		c := h.dial(t)
		c.send(post("/a", "1") + post("/fault", "body"))
		c.expect(200, true, "1")
		c.ended()
	}
}

// A body has its whole time, whatever the connection waited before: for its first
// request, or between two.
func TestPatience(t *testing.T) {
	t.Parallel()
	h := openWith(t, 1500*time.Millisecond, time.Minute, 6*time.Second)
	c := h.dial(t)
	for range 2 {
		text := post("/a", "in pieces")
		c.send(text[:len(text)-4])
		time.Sleep(2500 * time.Millisecond)
		c.send(text[len(text)-4:])
		c.expect(200, true, "in pieces")
		time.Sleep(4 * time.Second)
	}
}

// Who leaves while an answer is made ends what it stems from; who stays does not,
// and the connection goes on.
func TestLeaving(t *testing.T) {
	h := open(t, time.Minute)
	c := h.dial(t)
	c.send(post("/wait", "1"))
	time.Sleep(2 * listenAfter) // it is listened for
	h.echo.release <- struct{}{}
	c.expect(200, false, "1")
	c.send(post("/wait", "2") + post("/a", "3")) // read ahead while it is listened for
	time.Sleep(2 * listenAfter)
	h.echo.release <- struct{}{}
	c.expect(200, false, "2")
	c.expect(200, true, "3")
	for _, body := range []string{"4", ""} {
		c = h.dial(t)
		c.send(post("/wait", body))
		c.Close()
		select {
		case <-h.echo.left:
		case <-time.After(time.Minute):
			t.Fatal("nobody noticed")
		}
	}
}

// Who is silent is left: before the first request, within one, and between two.
func TestSilence(t *testing.T) {
	t.Parallel()
	h := open(t, time.Second)
	for _, text := range []string{"", "POST /a HT", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n12", post("/a", "1")} {
		c := h.dial(t)
		c.send(text)
		if strings.HasSuffix(text, "\n1") {
			c.expect(200, true, "1")
		}
		c.ended()
		c.Close()
	}
}

// Shutdown ends who is idle at once and who is busy behind the answer.
func TestShutdown(t *testing.T) {
	h := open(t, time.Minute)
	quiet, busy := h.dial(t), h.dial(t)
	quiet.send(post("/a", "1"))
	quiet.expect(200, true, "1")
	busy.send(post("/wait", "2"))
	for h.busy() == 0 {
		time.Sleep(time.Millisecond)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	quiet.ended()
	done := make(chan error)
	go func() { done <- h.Shutdown(t.Context()) }()
	h.echo.release <- struct{}{}
	if r := busy.expect(200, false, "2"); !r.Close {
		t.Error("the client may think that the connection goes on")
	}
	busy.ended()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (h *house) busy() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.open {
		if c.state.Load() == busy {
			n++
		}
	}
	return n
}

// No more connections are open than may be.
func TestConnections(t *testing.T) {
	h := open(t, time.Minute)
	var open [3]*client
	for i := range open {
		open[i] = h.dial(t)
		open[i].send(post("/a", "1"))
		open[i].expect(200, true, "1")
	}
	open[0].send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") // this one is the server's now, and still counts
	open[0].expect(200, false, "others GET / 0")
	next := h.dial(t)
	next.send(post("/a", "2"))
	_ = next.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := next.in.ReadByte(); err == nil {
		t.Fatal("a connection too many")
	}
	open[0].Close()
	_ = next.SetReadDeadline(time.Now().Add(time.Minute))
	next.expect(200, true, "2")
}
