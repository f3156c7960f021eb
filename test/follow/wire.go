package follow

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Wire is a network between clients and one node at a time. It can be cut.
type Wire struct {
	Address string // what clients know, HOST:PORT

	mu    sync.Mutex
	node  string // HOST:PORT; "": the network is away
	conns map[net.Conn]bool
}

// NewWire makes one that leads nowhere yet.
func NewWire(t testing.TB) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Address: l.Addr().String(), conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.Reach("")
		running.Wait()
	})
	return w
}

// carry carries bytes both ways until either side ends.
func (w *Wire) carry(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	address := w.node
	w.mu.Unlock()
	if address == "" {
		return
	}
	node, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer node.Close()
	w.mu.Lock()
	if w.node != address {
		w.mu.Unlock()
		return
	}
	w.conns[client], w.conns[node] = true, true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.conns, client)
		delete(w.conns, node)
		w.mu.Unlock()
	}()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, node}, {node, client}} {
		ways.Go(func() {
			io.Copy(way[0], way[1])
			client.Close()
			node.Close()
		})
	}
	ways.Wait()
}

// Reach lets the wire end at a node, by HOST:PORT or URL, or nowhere (""), and cuts
// what was there.
func (w *Wire) Reach(node string) {
	w.mu.Lock()
	w.node = strings.TrimPrefix(node, "http://")
	w.mu.Unlock()
	w.Cut()
}

// Cut ends every connection at once.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Close()
	}
}
