package sequencer

import (
	"context"
	"sync"

	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of a request on its way.
var (
	ErrBusy = problem.New("BUSY", "the node has more requests waiting than it takes",
		"try again in a moment, or send fewer at a time")
	ErrNotPrimary = problem.New("NOT_PRIMARY", "this node is not the primary of that view",
		"send the transaction again, to any node")
	ErrNotCommitted = problem.New("NOT_COMMITTED", "the transaction was not committed and never will be",
		"send it again: nothing of it remains")
	ErrOutcomeUnknown = problem.New("OUTCOME_UNKNOWN", "the node cannot tell whether the transaction was committed",
		"ask for the status of its TxID or hash later, before sending it again")
	errOpening = problem.New("OPENING_LOST", "the node lost its first view before its opening record was committed",
		"start the node again")
	ErrExecution = problem.New("EXECUTION_FAILED", "the protocol failed on this transaction; nothing of it was recorded",
		"report it with the transaction; others are not affected")
)

// Ticket follows one submitted request.
type Ticket struct {
	request  *Request
	executed chan struct{}
	done     chan struct{}
	settle   sync.Once
	under    *underway
	tx       TxID // set before executed is closed, zero when refused
	err      error
}

func newTicket(r *Request, u *underway) *Ticket {
	u.begin()
	return &Ticket{request: r, under: u, executed: make(chan struct{}), done: make(chan struct{})}
}

// Executed is closed when the request has a TxID or was refused.
func (t *Ticket) Executed() <-chan struct{} { return t.executed }

// Done is closed when the outcome is known.
func (t *Ticket) Done() <-chan struct{} { return t.done }

// TxID is the transaction's name, once Executed is closed, and whether it has one.
func (t *Ticket) TxID() (TxID, bool) {
	select {
	case <-t.executed:
		return t.tx, t.tx.Seqno != 0
	default:
		return TxID{}, false
	}
}

// Err is nil until Done is closed and when the transaction is committed.
// Otherwise it says why it was refused, or that it was not committed and may be
// sent again, or that the outcome is unknown.
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

func (t *Ticket) named(tx TxID) {
	t.tx = tx
	close(t.executed)
	t.notify()
}

func (t *Ticket) notify() {
	if t.request.Notify != nil {
		t.request.Notify(t)
	}
}

// end settles the ticket; a request that never got a TxID counts as executed.
func (t *Ticket) end(err error) {
	t.settle.Do(func() {
		t.err = err
		select {
		case <-t.executed:
		default:
			close(t.executed)
		}
		close(t.done)
		t.under.end()
		t.notify()
	})
}

// underway counts requests that have no outcome yet.
type underway struct {
	mu    sync.Mutex
	count int
	none  chan struct{} // closed when the count is back at zero
}

func (u *underway) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count++; u.count == 1 {
		u.none = make(chan struct{})
	}
}

func (u *underway) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count--; u.count == 0 {
		close(u.none)
	}
}

// wait returns when nothing is under way, or the context ends.
func (u *underway) wait(ctx context.Context) error {
	u.mu.Lock()
	none := u.none
	u.mu.Unlock()
	if none == nil {
		return nil
	}
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
