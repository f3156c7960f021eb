package bench

import (
	"context"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// reader asks one node for a balance again and again, over one connection that it
// makes anew when it breaks, and notes when it was answered.
type reader struct {
	seat *seat
	mu   sync.Mutex
	read moments
}

// readEvery is the pace of a reader: the shortest gap that it can see.
const readEvery = 5 * time.Millisecond

// run reads until ctx ends.
func (r *reader) run(ctx context.Context, w *writers) {
	address := w.target.accounts[0].address
	var c *control
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for ctx.Err() == nil {
		url := r.seat.get()
		if c == nil || c.url != url {
			if c != nil {
				c.close()
			}
			c = &control{ctx: ctx, url: url}
		}
		var balance hexutil.Big
		if call(c, &balance, "eth_getBalance", address, "latest") == nil {
			r.mu.Lock()
			r.read = append(r.read, w.now())
			r.mu.Unlock()
		}
		if !sleepUntil(ctx, time.Now().Add(readEvery)) {
			return
		}
	}
}

// moments are those of the reads so far.
func (r *reader) moments() moments {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}
