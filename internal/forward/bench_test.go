package forward

import (
	"net"
	"testing"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// tcp makes the world's streams connections over loopback.
func (w *world) tcp(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	w.dial = func(w *world, from *node, to uint64) (net.Conn, error) {
		a, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		c, err := l.Accept()
		if err != nil {
			a.Close()
			return nil, err
		}
		w.group.Go(func() { w.nodes[to-1].intake.Serve(w.ctx, from.ID, c) })
		return a, nil
	}
}

// BenchmarkForward submits at a backup: over loopback TCP to the primary, executed
// and sealed there, committed without a disk, published here. One at a time is the
// round trip; many at once shows what batching gives. Beside it the same at the
// primary.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name  string
		node  int
		ahead int
	}{{"backup/one", 1, 1}, {"backup/many", 1, 1000}, {"primary/one", 0, 1}, {"primary/many", 0, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, 2, Limits{}, nil)
			w.tcp(b)
			w.led(b)
			f := w.nodes[c.node].forwarder
			flying := make([]*Ticket, 0, c.ahead)
			settle := func(n int) {
				for _, k := range flying[:n] {
					if err := wait(b, k); err != nil {
						b.Fatal(err)
					}
				}
				flying = append(flying[:0], flying[n:]...)
			}
			r := request(0)
			r.Bytes = nil
			n := uint64(0)
			submit := func() {
				n++
				k, err := f.Submit(&sequencer.Request{Protocol: r.Protocol, ID: request(n).ID})
				if err != nil {
					b.Fatal(err)
				}
				flying = append(flying, k)
			}
			submit()
			settle(1)
			for b.Loop() {
				if len(flying) == c.ahead {
					settle(max(1, c.ahead/2))
				}
				submit()
			}
			settle(len(flying))
		})
	}
}
