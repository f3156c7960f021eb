//go:build !race

package api

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// TestAllocations: what a plain write costs, without what takes it in.
func TestAllocations(t *testing.T) {
	h := open(t)
	h.handler.Submit = func(*sequencer.Request) (Ticket, error) { return committed{}, nil }
	c, err := tls.Dial("tcp", h.address, h.config)
	must(t, err)
	defer c.Close()
	text := []byte("PUT /kv/0000000000000001 HTTP/1.1\r\nHost: 127.0.0.1:8600\r\nContent-Length: 128\r\n\r\n" + strings.Repeat("v", 128))
	buffer := make([]byte, 4096)
	ask := func() {
		if _, err := c.Write(text); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buffer); err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 204 ")) {
			t.Fatal(err)
		}
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n > 6 { // the request, its encoding, its ID, the sequencer's request, and two of TLS
		t.Errorf("%v allocations", n)
	}
}
