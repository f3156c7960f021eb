package forward

import (
	"log/slog"
	"runtime"
	"sync"

	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Sequencer is the node's sequencer as this room needs it.
type Sequencer interface {
	Submit(*sequencer.Request) (*sequencer.Ticket, error)
	Serving() (view uint64, changed <-chan struct{})
	Room() <-chan struct{}
	StatusOf(sequencer.TxID) sequencer.Status
}

var _ Sequencer = (*sequencer.Sequencer)(nil)

// Decoder is a protocol as an Intake needs it. It is used concurrently.
type Decoder interface {
	// Decode checks a request that another node admitted, and gives what
	// sequencer.Request.Decoded is. An error refuses the request.
	Decode(bytes, caller []byte) (any, error)
	// Find is the name of the published transaction with a native id. It must
	// know of a block when sequencer.Follower was told of it.
	Find(id []byte) (sequencer.TxID, bool)
}

// Fresher is a Decoder that tells requests that cannot have been executed by what
// it decoded and the state, where looking for each would cost more than that.
type Fresher interface {
	// Fresh reports that a request is certainly not among the executed ones.
	Fresh(decoded any) bool
}

// Intake takes requests in at the primary. The Forwarder beside it and the
// streams of all others go through it, so that it notices what comes twice.
type Intake struct {
	sequencer Sequencer
	protocols map[string]Decoder
	leader    func() (id uint64, self bool, changed <-chan struct{})
	limits    Limits
	logger    *slog.Logger

	mu      sync.Mutex
	works   map[string]*work   // by ID
	streams map[uint64]*stream // by origin
	joined  uint64             // requests that were on their way here already
	found   uint64             // requests that were committed already
}

// NewIntake makes an intake. protocols are by name; leader is that of Config.
func NewIntake(s Sequencer, protocols map[string]Decoder, leader func() (id uint64, self bool, changed <-chan struct{}), l Limits, logger *slog.Logger) *Intake {
	return &Intake{sequencer: s, protocols: protocols, leader: leader, limits: l.withDefaults(), logger: logger, works: make(map[string]*work), streams: make(map[uint64]*stream)}
}

// OnItsWay reports that a request with that ID came here, from any node, and has
// not come to its end.
func (i *Intake) OnItsWay(id []byte) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.works[string(id)]
	return w != nil && !w.over()
}

// Noticed is how many requests were on their way here already when they came
// once more, and how many were committed.
func (i *Intake) Noticed() (joined, found uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.joined, i.found
}

// listener follows one request. It is called from the sequencer's goroutines:
// executed any number of times, ended once at most and, in a race, before
// executed.
type listener interface {
	executed(tx sequencer.TxID)
	ended(err error)
}

// work is one request on its way through this node.
type work struct {
	intake    *Intake
	id        string
	placed    chan struct{}     // closed when ticket or again is set or the work is over
	ticket    *sequencer.Ticket // in the sequencer's queue
	again     bool              // there was no place for it
	first     [1]listener
	listeners []listener // in first while there is one
}

// reserve gives the work that a request is, and whether it is new here: then the
// caller places it.
func (i *Intake) reserve(id string, l listener) (w *work, fresh bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if w := i.works[id]; w != nil && !w.over() && !planted.Is(planted.ForwardTwice) {
		w.listeners = append(w.listeners, l)
		i.joined++
		return w, false
	}
	w = &work{intake: i, id: id, placed: make(chan struct{}), first: [1]listener{l}}
	w.listeners = w.first[:]
	i.works[id] = w
	return w, true
}

// over reports that a work is done, so that what comes now is to be looked for
// in the ledger. mu is held.
func (w *work) over() bool {
	select {
	case <-w.placed:
	default:
		return false
	}
	if w.ticket == nil {
		return true
	}
	select {
	case <-w.ticket.Done():
		return true
	default:
		return false
	}
}

// find looks for an earlier execution.
func (w *work) find(r *sequencer.Request) (tx sequencer.TxID, found bool) {
	if planted.Is(planted.ForwardTwice) {
		return tx, false
	}
	p := w.intake.protocols[r.Protocol]
	if f, ok := p.(Fresher); ok && f.Fresh(r.Decoded) {
		return tx, false
	}
	return p.Find(r.ID)
}

// decode makes a request what the sequencer takes.
func (i *Intake) decode(r *sequencer.Request) (err error) {
	p := i.protocols[r.Protocol]
	if p == nil {
		return form("no protocol %q here", r.Protocol)
	}
	if r.Decoded == nil {
		r.Decoded, err = p.Decode(r.Bytes, r.Caller)
	}
	return err
}

// queue puts a request into the sequencer's queue, for one view alone. ErrBusy
// leaves it to be tried again. The request is the sequencer's from now on.
func (w *work) queue(view uint64, r *sequencer.Request) error {
	r.View, r.Notify = view, w.notify
	i := w.intake
	i.mu.Lock()
	defer i.mu.Unlock()
	ticket, err := i.sequencer.Submit(r)
	if err != nil {
		return err
	}
	w.ticket = ticket
	close(w.placed)
	return nil
}

// settle ends a work that does not reach the sequencer.
func (w *work) settle(tx sequencer.TxID, err error) {
	i := w.intake
	i.mu.Lock()
	close(w.placed)
	w.drop()
	listeners := w.listeners
	if err == nil {
		i.found++
	}
	i.mu.Unlock()
	for _, l := range listeners {
		if err != nil {
			l.ended(err)
		} else {
			l.executed(tx)
		}
	}
}

// drop forgets the work; mu is held.
func (w *work) drop() {
	if w.intake.works[w.id] == w {
		delete(w.intake.works, w.id)
	}
}

// notify is told by the sequencer.
func (w *work) notify(t *sequencer.Ticket) {
	done := false
	select {
	case <-t.Done():
		done = true
	default:
	}
	w.intake.mu.Lock()
	if done {
		w.drop()
	}
	listeners := w.listeners
	w.intake.mu.Unlock()
	if tx, ok := t.TxID(); ok && (!done || t.Err() == nil) {
		for _, l := range listeners {
			l.executed(tx)
		}
	}
	if done {
		for _, l := range listeners {
			l.ended(t.Err())
		}
	}
}

// known tells a listener that joined a work what was known before it came.
func (w *work) known(l listener) {
	if w.ticket == nil {
		return // settle told it
	}
	if tx, ok := w.ticket.TxID(); ok {
		l.executed(tx)
	}
}

// submit takes one request of this node's own, without waiting. With an error
// nothing is left of it; when that is ErrBusy, again is closed when there may be
// room.
func (i *Intake) submit(view uint64, id string, r *sequencer.Request, l listener) (again <-chan struct{}, err error) {
	w, fresh := i.reserve(id, l)
	if !fresh {
		select {
		case <-w.placed:
		default: // a stream has it, and waits for room
			return w.placed, sequencer.ErrBusy
		}
		w.known(l)
		return nil, nil
	}
	own := *r
	if err := i.decode(&own); err != nil {
		w.settle(sequencer.TxID{}, err)
		return nil, nil
	}
	if tx, found := w.find(&own); found {
		w.settle(tx, nil)
		return nil, nil
	}
	if err := w.queue(view, &own); err != nil {
		w.withdraw()
		return i.sequencer.Room(), err
	}
	return nil, nil
}

// withdraw ends a work that found no place. Whoever joined it tries again.
func (w *work) withdraw() {
	w.intake.mu.Lock()
	defer w.intake.mu.Unlock()
	w.again = true
	close(w.placed)
	w.drop()
}

// onAll does n things on all processors.
func onAll(n int, one func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/4)
	if workers < 2 {
		for k := range n {
			one(k)
		}
		return
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for k := w; k < n; k += workers {
				one(k)
			}
		})
	}
	all.Wait()
}
