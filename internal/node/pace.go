package node

import (
	"context"
	"sync/atomic"
	"time"
)

// pace keeps work over the ledger's records out of the way of those who commit
// more of them. While blocks are committed, a piece of work is followed by a pause
// that is longer by patience times.
type pace struct {
	committed atomic.Pointer[time.Time] // when the last block was, whatever becomes of the clock
	last      atomic.Uint64             // its last seqno
	patience  atomic.Int64

	checked time.Time // for the one who calls reach
	left    uint64    // what was left to do then
}

const (
	mostPatience = 20
	longestPause = 500 * time.Millisecond
	stillness    = 200 * time.Millisecond // without a commit, after which there is nobody to yield to
)

// commit notes that a block was committed whose last record has a seqno.
func (p *pace) commit(last uint64) {
	p.last.Store(last)
	now := time.Now()
	p.committed.Store(&now)
}

// reach says that the work is done up to a seqno. When what is left becomes more
// rather than less, the pauses become shorter: the work comes to an end under any
// load.
func (p *pace) reach(seqno uint64) {
	now, last := time.Now(), p.last.Load()
	if now.Sub(p.checked) < time.Second {
		return
	}
	left := last - min(last, seqno)
	if patience := p.patience.Load(); left <= p.left || p.checked.IsZero() {
		p.patience.Store(min(patience+1, mostPatience))
	} else {
		p.patience.Store(patience / 2)
	}
	p.checked, p.left = now, left
}

// yield pauses after a piece of work that took so long. The error is ctx's.
func (p *pace) yield(ctx context.Context, took time.Duration) error {
	pause := min(time.Duration(p.patience.Load())*took, longestPause)
	last := p.committed.Load()
	if pause == 0 || last == nil || time.Since(*last) > stillness {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
