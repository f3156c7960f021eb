package pool

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// Ticket follows a request that was handed over: at the sequencer of this node,
// or on its way through the primary. *sequencer.Ticket is one.
type Ticket interface {
	Executed() <-chan struct{}
	TxID() (sequencer.TxID, bool)
	Done() <-chan struct{}
	Err() error
}

// Entry is one admitted transaction on its way. It waits for its turn, is handed
// over, may come back to wait once more, and ends: committed or refused.
type Entry struct {
	tx      *Transaction
	caller  []byte
	pool    *Pool
	arrived time.Time
	ended   chan struct{}
	err     error // set before ended is closed; nil when it is committed

	// Guarded by the pool's lock.
	ticket Ticket        // nil while it waits for its turn
	handed time.Time     // when it got its ticket
	placed chan struct{} // of one that waits: closed when it does no more
	back   error         // why it waits although its turn had come; nil if it had not
	listed bool          // it stands in the pool's list of those that wait
}

// Hash is the transaction's hash.
func (e *Entry) Hash() common.Hash { return e.tx.hash }

// Transaction is what was admitted.
func (e *Entry) Transaction() *Transaction { return e.tx }

// Waiting says that the transaction is not handed over, because an earlier nonce
// is missing, or nobody took it.
func (e *Entry) Waiting() bool {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	return e.waits()
}

// Wait waits until the transaction is committed, which is nil, or has failed to
// be, or ctx ends.
func (e *Entry) Wait(ctx context.Context) error {
	for {
		next := e.pool.look(e)
		if closed(e.ended) {
			return e.err
		}
		select {
		case <-e.ended:
			return e.err
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look takes note of what became of a transaction and gives what is closed when
// there is more to take note of.
func (p *Pool) look(e *Entry) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.done() {
		p.end(e)
		p.catchUp(e.tx.From, false)
	}
	if e.ticket == nil {
		return e.placed
	}
	return e.ticket.Done()
}

func (e *Entry) waits() bool { return e.ticket == nil && !closed(e.ended) }

// done says that what became of a transaction that was handed over is known.
func (e *Entry) done() bool {
	return closed(e.ended) || e.ticket != nil && closed(e.ticket.Done())
}

// refused says that the primary executed the transaction and found that it
// cannot be one.
func (e *Entry) refused() bool {
	if !closed(e.ticket.Executed()) {
		return false
	}
	_, ok := e.ticket.TxID()
	return !ok
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
