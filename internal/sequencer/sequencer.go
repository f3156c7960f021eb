package sequencer

import (
	"context"
	"crypto"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// Proposer puts a sealed block into the log; consensus.Loop implements it.
type Proposer interface {
	Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error)
}

// Config is what a sequencer is made of. All fields but Workers and Opening are
// required.
type Config struct {
	Store  *kv.Store
	Ring   *keys.Ring
	Signer crypto.Signer // the node's key, P-256
	Writer format.Hash   // SHA-256 of its SPKI
	Head   lineage.Head  // the last committed block
	// ViewAt is the view of a seqno up to Head, 0 when it cannot be told.
	ViewAt    func(seqno uint64) uint64
	Protocols []Protocol
	Followers []Follower
	Clock     func() time.Time
	Logger    *slog.Logger
	Limits    Limits
	ChunkUsed func() uint64 // bytes of frames in the log's last chunk
	// Index is the index of the log's last entry that Head stands behind, Raft its
	// configuration there.
	Index uint64
	Raft  lineage.Config
	// Workers seal a large block's records; 0 is one for each processor. With 1
	// nothing depends on how goroutines are scheduled, which a simulation needs.
	Workers int
	// Opening is the first record of the first view, alone in its block; nothing
	// else is sealed before it is committed. A recovering node sets it.
	Opening *envelope.Draft
	// Watch is told of each block that was executed and published here, for metrics
	// and traces; it must be quick. It may be left out.
	Watch func(*Journey)
}

// Limits bound a sequencer's memory and shape its blocks.
type Limits struct {
	Queue      int           // requests waiting to be executed
	InFlight   int           // blocks sealed and not committed
	Records    int           // records in a block
	BlockBytes int           // bytes of requests, outcomes and writes in a block, about
	ChunkBytes uint64        // a chunk ends with the block that reaches it
	Pace       time.Duration // blocks under load are not sealed more often than this
	Patience   time.Duration // nor than this, after a block of Crowd records, while all in the open one are patient
	Crowd      int
}

// DefaultLimits are the limits of a node that is not configured otherwise.
var DefaultLimits = Limits{Queue: 16384, InFlight: 4, Records: 4096, BlockBytes: 4 << 20, ChunkBytes: 16 << 20, Pace: time.Millisecond, Patience: 4 * time.Millisecond, Crowd: 8}

// Sequencer executes, seals and publishes. See the package comment.
type Sequencer struct {
	Config
	log     Proposer
	answers []Follower
	queue   chan *Ticket
	wake    chan struct{}
	ready   chan struct{} // closed when this node may serve
	serve   func()        // closes ready, once

	// work is held while requests are executed and blocks sealed, and while the
	// block of another node takes the place of such work. It guards what follows
	// and the protocols. It is taken before mu.
	work      sync.Mutex
	tail      lineage.Head // the last sealed block
	open      *block
	chunkUsed uint64
	sealed    time.Time // when the last block was sealed
	company   int       // records of the last block
	begun     bool      // the opening record was put into a view
	view      uint64    // being sealed in, 0 for none; changed under mu too

	under     underway
	inFlight  atomic.Int32
	committed atomic.Uint64 // height

	mu       sync.Mutex
	flying   []*flight     // proposed, fate unknown, in order
	leading  uint64        // view that consensus lets this node lead, 0 for none
	opened   uint64        // highest view whose first entry is committed
	served   uint64        // view in which requests are executed, 0 for none
	turned   chan struct{} // closed when served changes
	room     chan struct{} // closed when a queue that was full has room; nil while it was not
	history  views
	last     uint64 // last seqno in the log, as far as this node sealed or saw
	done     uint64 // last committed seqno
	doneView uint64 // view of the last committed entry
	head     lineage.Head
	raft     lineage.Config
	index    uint64 // of the last published entry
	waiting  []waiter
	from     uint64 // index from which this node may serve although it never led, 0 for none
	stopped  error
	failed   chan struct{} // closed when stopped is set
}

// New makes a sequencer; Attach it to consensus, then Run it.
func New(c Config) *Sequencer {
	s := &Sequencer{Config: c, queue: make(chan *Ticket, c.Limits.Queue), wake: make(chan struct{}, 1),
		ready: make(chan struct{}), failed: make(chan struct{}), turned: make(chan struct{}), index: c.Index, raft: c.Raft, tail: c.Head.Clone(), head: c.Head.Clone(),
		history: views{{c.Head.View, c.Head.Seqno}}, last: c.Head.Seqno, done: c.Head.Seqno, doneView: c.Head.View}
	s.serve = sync.OnceFunc(func() {
		close(s.ready)
		s.announce()
	})
	s.committed.Store(c.Head.Height)
	return s
}

// Attach names the log that blocks are proposed to, and those who answer clients:
// they are told of a block after the followers, when everything else here knows
// that it is committed. It is called before Run.
func (s *Sequencer) Attach(log Proposer, answers ...Follower) { s.log, s.answers = log, answers }

// Submit queues a request. It never waits: when the queue is full it answers
// ErrBusy, see Room. A request for a view that this node does not serve is
// ErrNotPrimary; one without a view waits until this node leads.
func (s *Sequencer) Submit(r *Request) (*Ticket, error) {
	s.mu.Lock() // so that nothing enters a queue that was emptied for good
	defer s.mu.Unlock()
	if s.stopped != nil {
		return nil, s.stopped
	}
	if r.View != 0 && r.View != s.served {
		return nil, ErrNotPrimary
	}
	if len(s.queue) == cap(s.queue) {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		return nil, ErrBusy
	}
	t := newTicket(r, &s.under)
	s.queue <- t // only here is anything put into it
	s.signal()
	return t, nil
}

// Room is closed when a queue that was full takes requests again; a queue that
// was not full gives a closed channel.
func (s *Sequencer) Room() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room == nil {
		return always
	}
	return s.room
}

// always is a closed channel.
var always = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Drain waits until every request that was submitted has an outcome, or the
// context ends.
func (s *Sequencer) Drain(ctx context.Context) error { return s.under.wait(ctx) }

// SubmitRecord queues a record of the node's own, such as the evidence of a
// snapshot. Its writes are applied as they stand.
func (s *Sequencer) SubmitRecord(d *envelope.Draft) (*Ticket, error) {
	return s.Submit(&Request{Decoded: d})
}

// Ready is closed when this node may serve: it leads its first view and the
// opening record, if there is one, is committed, or it has caught up, see
// ServeFrom.
func (s *Sequencer) Ready() <-chan struct{} { return s.ready }

// Failed is closed when the sequencer takes nothing more; Fault says why.
func (s *Sequencer) Failed() <-chan struct{} { return s.failed }

// Head is the last committed block.
func (s *Sequencer) Head() lineage.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.Clone()
}

// StatusOf is what this node can say of a TxID.
func (s *Sequencer) StatusOf(t TxID) Status {
	if t.Seqno < s.Config.Head.Seqno {
		switch s.ViewAt(t.Seqno) {
		case t.View:
			return StatusCommitted
		case 0:
			return StatusUnknown
		}
		return StatusInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return statusOf(t, s.history, s.last, s.done, s.doneView)
}

// Fail ends the sequencer for new requests: consensus has stopped for the given
// reason. What is in flight has an unknown outcome.
func (s *Sequencer) Fail(reason error) {
	s.mu.Lock()
	s.stop(reason)
	flying := s.flying
	s.flying = nil
	s.leading = 0
	s.mu.Unlock()
	for _, f := range flying {
		f.end(ErrOutcomeUnknown.From(reason))
	}
	s.signal()
}

// Fault is why the sequencer has ended, nil while it runs.
func (s *Sequencer) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

func (s *Sequencer) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// refuse answers everything that waits in the queue, for good.
func (s *Sequencer) refuse(err error) {
	s.mu.Lock()
	s.stop(err)
	s.mu.Unlock()
	for {
		select {
		case t := <-s.queue:
			t.end(err)
		default:
			return
		}
	}
}

// stop notes why nothing more is taken; mu is held.
func (s *Sequencer) stop(reason error) {
	if s.stopped == nil {
		s.stopped = reason
		close(s.failed)
	}
}
