package sequencer

import (
	"context"
	"sync"
	"sync/atomic"

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
	request *Request
	under   *underway

	mu    sync.Mutex
	stage stage
	tx    TxID  // zero when refused
	err   error // once it is settled
	// Closed when the stage is reached; made when somebody wants to wait for it.
	executed, done chan struct{}
}

// stage is how far a request came.
type stage int

const (
	submitted stage = iota
	executed        // it has a TxID or was refused
	settled         // its outcome is known
)

func newTicket(r *Request, u *underway) *Ticket {
	u.begin()
	return &Ticket{request: r, under: u}
}

// Executed is closed when the request has a TxID or was refused.
func (t *Ticket) Executed() <-chan struct{} { return t.reach(executed, &t.executed) }

// Done is closed when the outcome is known.
func (t *Ticket) Done() <-chan struct{} { return t.reach(settled, &t.done) }

func (t *Ticket) reach(stage stage, c *chan struct{}) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stage >= stage {
		return always
	}
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// TxID is the transaction's name, once Executed is closed, and whether it has one.
func (t *Ticket) TxID() (TxID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tx, t.tx.Seqno != 0
}

// Err is nil until Done is closed and when the transaction is committed.
// Otherwise it says why it was refused, or that it was not committed and may be
// sent again, or that the outcome is unknown.
func (t *Ticket) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Wait waits for the outcome and returns Err, or the context's error.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.Done():
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// named gives a request its TxID.
func (t *Ticket) named(tx TxID) {
	t.mu.Lock()
	t.tx = tx
	t.enter(executed)
	t.mu.Unlock()
	t.notify()
}

// enter notes that a stage is reached; mu is held.
func (t *Ticket) enter(reached stage) {
	if t.executed != nil && t.stage < executed {
		close(t.executed)
	}
	if t.done != nil && reached == settled {
		close(t.done)
	}
	t.stage = reached
}

func (t *Ticket) notify() {
	if t.request.Notify != nil {
		t.request.Notify(t)
	}
}

// end settles the ticket, once; a request that never got a TxID counts as executed.
func (t *Ticket) end(err error) {
	t.mu.Lock()
	if t.stage == settled {
		t.mu.Unlock()
		return
	}
	t.err = err
	t.enter(settled)
	t.mu.Unlock()
	t.under.end()
	t.notify()
}

// underway counts requests that have no outcome yet.
type underway struct {
	count atomic.Int64
	mu    sync.Mutex
	none  chan struct{} // closed when the count is back at zero; nil when nobody waits
}

func (u *underway) begin() { u.count.Add(1) }

func (u *underway) end() {
	if u.count.Add(-1) > 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.none != nil {
		close(u.none)
		u.none = nil
	}
}

// wait returns when nothing is under way, or the context ends.
func (u *underway) wait(ctx context.Context) error {
	u.mu.Lock()
	if u.count.Load() == 0 {
		u.mu.Unlock()
		return nil
	}
	if u.none == nil {
		u.none = make(chan struct{})
	}
	none := u.none
	u.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
