package node

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// register is an entry with one writer, who writes 1, 2, 3 … and goes on with the
// next number when the last was acknowledged.
type register struct {
	begun, acknowledged atomic.Int64
}

// TestEntriesAreRegisters: clients write and read through two nodes while the third,
// the primary, ends without a word. A linearizable read shows no less than what was
// acknowledged before it, and no more than what was begun before it ended
// (Herlihy and Wing, 1990, of one writer); all of it also after the primary's end.
func TestEntriesAreRegisters(t *testing.T) {
	first, a := launch(t, t.TempDir(), Founds), newAuthority(t)
	second, third := launch(t, t.TempDir(), Joins, first), launch(t, t.TempDir(), Joins, first)
	one := a.client(t, "", first.pem)
	var bases []string
	for _, n := range []*Node{second, third} {
		awaitVoter(t, n)
		bases = append(bases, serveEntries(t, n, a))
	}
	const writers, before, after = 8, 40, 40
	registers := make([]register, writers)
	var all, lively sync.WaitGroup
	lively.Add(writers)
	over := make(chan struct{})
	at := func(base string) *client {
		c := *one
		c.base = base
		return &c
	}
	for w := range registers {
		all.Go(func() {
			r, c, halfway := &registers[w], at(bases[w%2]), sync.OnceFunc(lively.Done)
			defer halfway()
			for n := int64(1); n <= before+after; n++ {
				if n == before {
					halfway()
				}
				r.begun.Store(n)
				for try := 0; ; try++ { // the same again is the same entry
					status, body, _, err := c.ask("PUT", fmt.Sprintf("r%d", w), strconv.AppendInt(nil, n, 10))
					if err == nil && status == http.StatusNoContent {
						break
					}
					if err != nil || status != http.StatusServiceUnavailable && status != http.StatusGatewayTimeout || try == 1000 {
						t.Errorf("write %d of %d: %d %s %v", n, w, status, body, err)
						return
					}
				}
				r.acknowledged.Store(n)
			}
		})
	}
	var readers sync.WaitGroup
	for k, base := range bases {
		readers.Go(func() {
			c := at(base)
			for i := k; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				w := i % writers
				least := registers[w].acknowledged.Load()
				status, body, _, err := c.ask("GET", fmt.Sprintf("r%d?linearizable=true", w), nil)
				most := registers[w].begun.Load()
				if err != nil {
					t.Error(err)
					return
				}
				if status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout {
					continue // while there is no primary
				}
				n, _ := strconv.ParseInt(string(body), 10, 64) // 0 for none
				if status == http.StatusOK != (n > 0) || n < least || n > most {
					t.Errorf("read %d %q: it is between %d and %d", status, body, least, most)
				}
			}
		})
	}
	all.Go(func() {
		lively.Wait()
		if err := first.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	close(over)
	readers.Wait()
	for w := range registers {
		for _, base := range bases {
			at(base).expect(t, "GET", fmt.Sprintf("r%d?linearizable=true", w), "", 200, fmt.Sprint(before+after))
		}
	}
}
