package pool

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// Ticket follows a request at the sequencer; *sequencer.Ticket is one.
type Ticket interface {
	Executed() <-chan struct{}
	TxID() (sequencer.TxID, bool)
	Done() <-chan struct{}
	Err() error
}

// Entry is one admitted transaction on its way.
type Entry struct {
	tx     *Transaction
	caller []byte

	// Of a transaction that came before its turn; nil otherwise.
	arrived time.Time
	placed  chan struct{} // closed when ticket or given is set

	ticket Ticket    // set at once or before placed is closed
	handed time.Time // when it got its ticket
	given  error     // why it was given up before it had a ticket
}

// Hash is the transaction's hash.
func (e *Entry) Hash() common.Hash { return e.tx.hash }

// Transaction is what was admitted.
func (e *Entry) Transaction() *Transaction { return e.tx }

// Waiting says that the transaction has not been handed to the sequencer,
// because an earlier nonce is missing.
func (e *Entry) Waiting() bool { return e.placed != nil && !closed(e.placed) }

// Wait waits until the transaction is committed, which is nil, or has failed to
// be, or ctx ends.
func (e *Entry) Wait(ctx context.Context) error {
	if e.placed != nil {
		select {
		case <-e.placed:
		case <-ctx.Done():
			return ctx.Err()
		}
		if e.given != nil {
			return e.given
		}
	}
	select {
	case <-e.ticket.Done():
		return e.ticket.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done says that what became of a transaction that was handed over is known.
func (e *Entry) done() bool { return e.ticket != nil && closed(e.ticket.Done()) }

// refused says that the sequencer executed the transaction and found that it
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
