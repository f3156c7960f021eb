package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// gethSender is eth_sendRawTransaction as a service of go-ethereum's rpc package.
type gethSender struct{}

func (gethSender) SendRawTransaction(_ context.Context, raw hexutil.Bytes) (common.Hash, error) {
	return common.BytesToHash(raw), nil
}

// What an HTTP handler costs for eth_sendRawTransaction of 174 bytes, one and a
// hundred in a request, beside go-ethereum's rpc package (ADR 4). Sockets, the
// signature and the pool are left out.
func BenchmarkHandler(b *testing.B) {
	d := jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	type hash struct{ common.Hash }
	jsonrpc.HandlePrepared(d, "eth_sendRawTransaction",
		func(_ context.Context, _ *caller.Caller, p *struct{ Raw hexutil.Bytes }) (*hash, error) {
			return &hash{common.BytesToHash(p.Raw)}, nil
		},
		func(_ context.Context, _ *caller.Caller, h *hash) (any, error) { return h.Hash, nil }, jsonrpc.Prompt)
	geth := rpc.NewServer()
	defer geth.Stop()
	geth.SetBatchLimits(1000, 25<<20)
	if err := geth.RegisterName("eth", gethSender{}); err != nil {
		b.Fatal(err)
	}
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":12345,"method":"eth_sendRawTransaction","params":["0x%x"]}`, bytes.Repeat([]byte{0xab}, 174))
	for _, n := range []int{1, 100} {
		body := []byte(call)
		if n > 1 {
			body = []byte("[" + call)
			for range n - 1 {
				body = append(append(body, ','), call...)
			}
			body = append(body, ']')
		}
		for name, handler := range map[string]http.Handler{"coco": New(d, Options{}), "geth": geth} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest("POST", "http://localhost/", bytes.NewReader(body))
					r.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if w.Code != 200 || w.Body.Len() < 90*n {
						b.Fatalf("%d %s", w.Code, w.Body)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/call")
			})
		}
	}
}

// kept serves a method that answers at once, and gives what asks it once over one
// kept connection.
func kept(t testing.TB) (ask func()) {
	d := jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	jsonrpc.Handle(d, "echo", func(_ context.Context, _ *caller.Caller, p *struct{ Text string }) (any, error) { return p.Text, nil }, jsonrpc.Prompt)
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(d, Options{})
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.Shutdown(context.Background())
		<-served
	})
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(echo), echo)
	buffer := make([]byte, 4096)
	return func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
}

// One plain request at a time over one kept connection.
func BenchmarkHTTP(b *testing.B) {
	ask := kept(b)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// What a plain request over a kept connection allocates, sockets included: 6 when
// this was written. Through net/http it is 22 more.
func TestHTTPAllocations(t *testing.T) {
	const most = 8
	ask := kept(t)
	if n := testing.AllocsPerRun(200, ask); n > most {
		t.Errorf("%v allocations for a request, of at most %d", n, most)
	}
}
