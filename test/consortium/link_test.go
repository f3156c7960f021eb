package consortium

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// link is one direction between two nodes. While it is cut, bytes and ends of
// connections wait.
type link struct {
	pace atomic.Pointer[rate.Limiter]

	mu   sync.Mutex
	open chan struct{} // closed while the link works
}

func newLink() *link {
	l := &link{open: make(chan struct{})}
	close(l.open)
	return l
}

func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
		if cut {
			l.open = make(chan struct{})
		}
	default:
		if !cut {
			close(l.open)
		}
	}
}

// wait waits until the link works.
func (l *link) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		open := l.open
		l.mu.Unlock()
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copy carries bytes until either side ends, then ends both.
func (l *link) copy(ctx context.Context, to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if l.wait(ctx) != nil {
			return
		}
		if pace := l.pace.Load(); pace != nil && pace.WaitN(ctx, n) != nil {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
