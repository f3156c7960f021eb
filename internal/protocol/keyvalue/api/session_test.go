package api

import (
	"bufio"
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
	s := NewServer(&http.Server{Handler: root, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute},
		&tls.Config{Certificates: pair, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
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
	send(put("b", "1") + put("b", strings.Repeat("2", long)) + "DELETE /kv/b HTTP/1.1\r\nHost: x\r\n\r\n")
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
	if got, want := strings.Join(took, ", "), fmt.Sprintf("1 a 9, 1 b 1, 1 b %d, 2 b 0, 1 c d 1, 1 e 1", long); got != want {
		t.Errorf("took %s, not %s", got, want)
	}
}

// long is more than a front reads ahead.
const long = 12 << 10

// TestLongHead: a head that is no longer plain for its length goes to the server.
func TestLongHead(t *testing.T) {
	h := open(t)
	c, err := tls.Dial("tcp", h.address, h.config)
	must(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, err = c.Write([]byte("GET /kv/a HTTP/1.1\r\nHost: x\r\nAccept: " + strings.Repeat("x", long) + "\r\n\r\n"))
	must(t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if r.Body.Close(); r.StatusCode != 404 {
		t.Error(r.Status)
	}
}
