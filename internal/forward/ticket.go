package forward

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// Ticket follows one request to its end. It says what sequencer.Ticket says,
// however often the request was sent.
type Ticket struct {
	request *sequencer.Request
	id      string // the request's
	expires time.Time
	named   chan struct{}
	done    chan struct{}

	// Guarded by the forwarder.
	prev, next *Ticket // in order of submission
	kept       bool    // in that list: not settled
	number     uint64
	route      *route // on which it was last sent
	sent       uint64 // highest view in which an attempt may have had an effect, 0 for none
	before     uint64 // sent, without the last attempt
	tx         sequencer.TxID
	err        error

	latest atomic.Pointer[sequencer.TxID] // tx, for everyone
}

// Executed is closed when the request has a TxID or was refused.
func (t *Ticket) Executed() <-chan struct{} { return t.named }

// Done is closed when the outcome is known.
func (t *Ticket) Done() <-chan struct{} { return t.done }

// Err is nil until Done is closed and when the transaction is committed and
// published here. Otherwise it says why it was refused, or that nothing came of
// this node's attempts (ErrExpired), or that the outcome is unknown.
func (t *Ticket) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// Wait waits for the outcome and returns Err, or the context's error.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
