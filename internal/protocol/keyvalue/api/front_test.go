package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
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
		key, ours := keyOf(r.URL)
		op := map[string]keyvalue.Op{"PUT": keyvalue.Put, "DELETE": keyvalue.Delete, "GET": 0}[r.Method]
		if !ours || !bytes.Equal(key, p.key) || r.URL.RawQuery != "" || op != p.op || r.ContentLength != int64(p.length) || len(r.TransferEncoding) > 0 || r.Close || r.Proto != "HTTP/1.1" {
			t.Fatalf("%q: %+v, not %+v", head, p, r)
		}
	})
}

// committed is a ticket of a write that is committed at once, or refused.
type committed struct{ err error }

func (c committed) Wait(context.Context) error   { return c.err }
func (c committed) TxID() (sequencer.TxID, bool) { return sequencer.TxID{View: 2, Seqno: 17}, true }

// house is a server behind a front, with a client's connection to it.
type house struct {
	handler *handler
	mu      sync.Mutex
	took    []*keyvalue.Request
	fails   error
	config  *tls.Config
	address string
}

func open(t testing.TB) *house {
	t.Helper()
	store, err := kv.New(keyvalue.Tables()...)
	must(t, err)
	room, err := keyvalue.NewRoom(store, nil)
	must(t, err)
	h := &house{}
	root := New(Config{Room: room, Store: store, Submit: func(r *sequencer.Request) (Ticket, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.fails == nil {
			q, err := keyvalue.Decode(r.Bytes)
			must(t, err)
			h.took = append(h.took, q)
		}
		return committed{}, h.fails
	}})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	pair := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	h.config = &tls.Config{Certificates: pair, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.handler, h.address = root.(*handler), l.Addr().String()
	s := &http.Server{Handler: root, ConnContext: ConnContext}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(NewFront(l, &tls.Config{Certificates: pair, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}, root))
	}()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneConnection asks plainly and otherwise on one connection, in pieces and
// several at once: all is answered, in order.
func TestOneConnection(t *testing.T) {
	h := open(t)
	c, err := tls.Dial("tcp", h.address, h.config)
	must(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	expect := func(status int, says string) {
		t.Helper()
		r, err := http.ReadResponse(in, nil)
		must(t, err)
		body, err := io.ReadAll(r.Body)
		must(t, err)
		if r.StatusCode != status || !strings.Contains(string(body)+r.Header.Get(HeaderTransaction), says) || r.Header.Get("Date") == "" {
			t.Fatalf("%d %v %q, not %d %q", r.StatusCode, r.Header, body, status, says)
		}
	}
	send := func(text string) {
		t.Helper()
		_, err := c.Write([]byte(text))
		must(t, err)
	}
	put := func(key, value string) string {
		return fmt.Sprintf("PUT /kv/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", key, len(value), value)
	}
	for _, piece := range strings.SplitAfter(put("a", "in pieces"), "e") {
		send(piece)
	}
	expect(204, "2.17")
	send(put("b", "1") + put("b", strings.Repeat("2", 3*bufferBytes)) + "DELETE /kv/b HTTP/1.1\r\nHost: x\r\n\r\n")
	expect(204, "2.17")
	expect(204, "2.17")
	expect(204, "2.17")
	send("GET /kv/a HTTP/1.1\r\nHost: x\r\n\r\n")
	expect(404, "KV_ABSENT")
	h.mu.Lock()
	h.fails = sequencer.ErrBusy
	h.mu.Unlock()
	send(put("c", "3"))
	expect(503, "BUSY")
	h.mu.Lock()
	h.fails = nil
	h.mu.Unlock()
	send(put("c%20d", "4") + put("e", "5")) // from here the server has the connection
	expect(204, "2.17")
	expect(204, "2.17")
	send(put(strings.Repeat("k", keyvalue.MaxKey+1), ""))
	expect(400, "KV_KEY")
	var took []string
	for _, q := range h.took {
		took = append(took, fmt.Sprintf("%d %s %d", q.Op, q.Key, len(q.Value)))
	}
	if got, want := strings.Join(took, ", "), fmt.Sprintf("1 a 9, 1 b 1, 1 b %d, 2 b 0, 1 c d 1, 1 e 1", 3*bufferBytes); got != want {
		t.Errorf("took %s, not %s", got, want)
	}
}

// TestLongHead: a head that is no longer plain for its length goes to the server.
func TestLongHead(t *testing.T) {
	h := open(t)
	c, err := tls.Dial("tcp", h.address, h.config)
	must(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, err = c.Write([]byte("GET /kv/a HTTP/1.1\r\nHost: x\r\nAccept: " + strings.Repeat("x", 2*bufferBytes) + "\r\n\r\n"))
	must(t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if r.Body.Close(); r.StatusCode != 404 {
		t.Error(r.Status)
	}
}

// silent is a connection that takes what is written.
type silent struct{ net.Conn }

func (silent) SetDeadline(time.Time) error { return nil }

// TestAllocations: what a plain write costs here, without what takes it in.
func TestAllocations(t *testing.T) {
	h := open(t)
	h.handler.Submit = func(*sequencer.Request) (Ticket, error) { return committed{}, nil }
	text := "PUT /kv/0000000000000001 HTTP/1.1\r\nHost: 127.0.0.1:8600\r\nContent-Length: 128\r\n\r\n" + strings.Repeat("v", 128)
	source := strings.NewReader(text)
	s := &session{front: &front{handler: h.handler, ctx: t.Context()}, conn: silent{}, in: bufio.NewReaderSize(source, bufferBytes), out: make([]byte, 0, 512)}
	allocations := testing.AllocsPerRun(100, func() {
		source.Reset(text)
		s.in.Reset(source)
		head, err := s.head()
		p, ok := parse(head)
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		if s.out, err = s.answer(p, len(head)); err != nil || !bytes.HasPrefix(s.out, []byte("HTTP/1.1 204 ")) {
			t.Fatalf("%q %v", s.out, err)
		}
	})
	if allocations != 4 { // the request, its encoding, its ID, the sequencer's request
		t.Errorf("%v allocations", allocations)
	}
}
