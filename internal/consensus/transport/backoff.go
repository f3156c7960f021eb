package transport

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a pause that doubles, a random half of it waited, so that many
// nodes do not come back at once.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// sleep waits, or until nudged; false when ctx ended.
func (b *backoff) sleep(ctx context.Context, nudge <-chan struct{}) bool {
	b.next = min(max(b.least, b.next), b.most)
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2+1))
	defer timer.Stop()
	b.next *= 2
	select {
	case <-timer.C:
	case <-nudge:
		b.reset()
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}
