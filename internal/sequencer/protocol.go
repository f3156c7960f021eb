package sequencer

import (
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// Slot is what is fixed about a block when it opens, before anything executes
// in it.
type Slot struct {
	Height     uint64
	View       uint64
	FirstSeqno uint64
	Time       uint64      // nanoseconds since 1970 UTC, not before the previous block's
	Previous   format.Hash // block hash of the previous block
	Root       format.Hash // tree root after the previous block
	Random     format.Hash // unpredictable before the previous block was sealed
}

// Protocol is a protocol room as the sequencer needs it. One method is called at
// a time.
type Protocol interface {
	// Effect names the protocol in the records it takes part in.
	Effect() format.Effect
	// Room is the name with which the protocol's own tables begin: it writes no
	// others.
	Room() string
	// Open begins the protocol's part of a block on top of the parts returned
	// before, whose blocks may not be committed yet.
	Open(Slot) Part
	// Rollback forgets every part of a height above the given one.
	Rollback(height uint64)
}

// Part is a protocol's part of one open block.
type Part interface {
	// Execute runs one request. It writes state through tx only, and changes
	// the part only when it succeeds, since tx is discarded when it returns an
	// error or panics. An error refuses the request: nothing is recorded.
	Execute(tx *kv.Tx, r *Request) (*Result, error)
	// Full reports that the protocol wants no more in this block.
	Full() bool
	// Close ends the part and gives its share of the sealed block section,
	// nil for none, and an artefact for the followers of this process.
	Close() (section []byte, artefact any)
}

// Request is one admitted request.
type Request struct {
	// ID names the request: two with the same ID are the same one, and its record
	// has it as native id. A request that is executed by the node that got it, and
	// there alone, may do without.
	ID []byte
	// View, when it is not 0, is the only view in which the request may be
	// executed. Whoever looked for an earlier execution among what was published
	// before the view began can so be sure that there is none.
	View     uint64
	Protocol string // the Effect's protocol
	Bytes    []byte // as the client sent it; becomes part of the sealed record
	Caller   []byte // as the server established it
	Decoded  any    // what the protocol made of Bytes at admission
	Trace    string // trace context (W3C traceparent), "" for none
	// Patient says that nobody waits for the commit: whoever sent it was answered
	// when it was handed in. Under load its block may gather more, see Limits.
	Patient bool
	// Notify, when it is set, is called when the request has a TxID and when its
	// outcome is known, after the ticket's channel was closed. It is called from
	// the goroutine that found out, and so it must be quick and submit nothing.
	Notify func(*Ticket)
}

// Result is what executing a request gave.
type Result struct {
	Outcome  []byte // the protocol's encoding, sealed
	Events   []byte // the protocol's encoding, sealed
	NativeID []byte
	Claims   []proof.Claim
	Gas      uint64 // the protocol's measure of work, for the block's bound
}

// Committed is a block at the moment it is published.
type Committed struct {
	*envelope.Block
	// Artefacts holds, by protocol, what Part.Close gave. It is nil for a block
	// that this process did not execute.
	Artefacts map[string]any
	// Raft is the configuration of consensus behind the block.
	Raft lineage.Config
}

// Follower is told of every committed block in order of height, after its state
// is published and before those who wait for it are answered. It must be quick:
// the next block waits for it.
type Follower interface {
	Committed(*Committed)
}
