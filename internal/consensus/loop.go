package consensus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// Observer is told what consensus decides. Committed is called from one
// goroutine in order of the log; Led from whichever drives Raft, so it must only
// take note.
type Observer interface {
	Committed(entries []format.Entry) error
	Led(Lead)
}

// Transport sends to other nodes. It never blocks; what it cannot queue it
// drops, which Raft expects.
type Transport interface {
	Send([]*raftpb.Message)
	Refuse([]Refusal)
}

// ErrStopped says that consensus has stopped, by a fault or by request.
var ErrStopped = problem.New("CONSENSUS_STOPPED", "this node does not take part in consensus any more",
	"see the first error in its log; restart the node when the cause is removed")

// maxWaiting is how many bytes may wait for the disk, or for whoever applies
// what is committed. A follower then takes no more entries, a leader no more
// proposals; heartbeats and votes go on.
const maxWaiting = 64 << 20

// Loop runs a driver: one goroutine hears clock and messages, one writes the log,
// one hands committed entries on. Whoever has something for Raft drives it there and
// then, one at a time: a proposal passes from its proposer to the writer and from
// there to whoever it is handed on by, without a goroutine in between.
type Loop struct {
	driver    *Driver
	log       Log
	observer  Observer
	transport Transport
	logger    *slog.Logger

	driving  sync.Mutex  // held by whoever drives Raft
	notes    chan func() // calls that nobody waits for
	inbox    *inbox
	writes   *queue[*Append]
	commits  *queue[format.Entry]
	stopping chan struct{}
	stop     sync.Once
	workers  sync.WaitGroup
	readers  readers // guarded by driving
	refused  uint64  // likewise: refusals that were logged
	status   atomic.Pointer[Status]
	dropped  atomic.Uint64

	// Synced, when it is set before Run, is told how long it took to make what
	// was waiting durable. It is called from the goroutine that writes.
	Synced func(took time.Duration)

	mu      sync.Mutex
	fault   error
	gate    chan struct{} // closed when the loop may go on; nil while it does
	changed chan struct{} // closed when leader, term or role change
}

// NewLoop makes a loop; Run starts it. A network of one needs no transport.
func NewLoop(d *Driver, log Log, o Observer, t Transport, logger *slog.Logger) *Loop {
	l := &Loop{driver: d, log: log, observer: o, transport: t, logger: logger,
		notes: make(chan func(), 64), inbox: newInbox(),
		writes:  newQueue(func(a **Append) int { return (*a).bytes() }),
		commits: newQueue(func(e *format.Entry) int { return len(e.Body) + 64 }), stopping: make(chan struct{}),
		changed: make(chan struct{})}
	l.observe()
	return l
}

// Run drives consensus, a tick each interval, until Stop or a fault. A fault of
// the log ends consensus, so writes stop and reads go on; it is returned. A
// leader that ends asks another node to take over.
func (l *Loop) Run(tick time.Duration) error {
	l.workers.Add(2)
	go l.write()
	go l.publish()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	always := context.Background()
	_ = l.Do(always, func(*Driver) {}) // what it was asked before
	for {
		select {
		case <-l.stopping:
			l.end()
			l.workers.Wait()
			return l.Fault()
		case <-ticker.C:
			_ = l.Do(always, func(d *Driver) {
				d.Tick()
				l.readers.tick(d)
				l.observe()
			})
		case note := <-l.notes:
			_ = l.Do(always, func(*Driver) { note() })
		case <-l.inbox.wake:
			_ = l.Do(always, func(*Driver) {
				for _, m := range l.inbox.take() {
					l.step(m)
				}
			})
		}
	}
}

// end gives up leadership and lets the workers end.
func (l *Loop) end() {
	l.driving.Lock()
	defer l.driving.Unlock()
	l.resign()
	l.writes.close()
	l.commits.close()
}

// step gives Raft a message. Refusals are logged now and then: what another node
// sends must not fill the log.
func (l *Loop) step(m *raftpb.Message) {
	err := l.driver.Step(m)
	if err == nil {
		return
	}
	if l.refused++; l.refused&(l.refused-1) == 0 {
		l.logger.Warn("a message of another node was refused", "err", err, "count", l.refused)
	}
}

// Stop ends Run. Committed entries that were decided are still handed on.
func (l *Loop) Stop() { l.stop.Do(func() { close(l.stopping) }) }

// Fault is why consensus ended, nil while it runs or when it was stopped.
func (l *Loop) Fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Stopped is closed when consensus has ended.
func (l *Loop) Stopped() <-chan struct{} { return l.stopping }

func (l *Loop) fail(err error) {
	l.mu.Lock()
	if l.fault == nil {
		l.fault = err
		l.logger.Error("consensus ends", "err", err)
	}
	l.mu.Unlock()
	l.Stop()
}

// Do calls call when nobody else drives Raft, and carries out what follows from it.
// call must not use the loop.
func (l *Loop) Do(ctx context.Context, call func(*Driver)) error {
	for {
		if err := l.pass(ctx); err != nil {
			return err
		}
		l.driving.Lock() // nobody holds it for long: the driver never blocks
		if !l.paused() {
			break
		}
		l.driving.Unlock()
	}
	defer l.driving.Unlock()
	select {
	case <-l.stopping:
		return l.ended()
	default:
	}
	call(l.driver)
	if err := l.effects(); err != nil {
		l.fail(err)
	}
	return nil
}

func (l *Loop) ended() error {
	if err := l.Fault(); err != nil {
		return ErrStopped.From(err)
	}
	return ErrStopped
}

// Propose is Driver.Propose. It waits while the disk is far behind.
func (l *Loop) Propose(view uint64, seal func(Position) ([]byte, error)) (p Position, err error) {
	l.writes.room(maxWaiting)
	if failed := l.Do(context.Background(), func(d *Driver) { p, err = d.Propose(view, seal) }); failed != nil {
		return p, failed
	}
	return p, err
}

// Deliver takes a message of another node. It never waits: when the node is
// overloaded the message is dropped, those with entries first.
func (l *Loop) Deliver(m *raftpb.Message) {
	if m.GetType() == raftpb.MsgApp && len(m.GetEntries()) > 0 && (l.writes.full(maxWaiting) || l.commits.full(maxWaiting)) {
		l.dropped.Add(1)
		return
	}
	if !l.inbox.put(m) {
		l.dropped.Add(1)
	}
}

// Refused is Driver.Refused, some time later. It never waits.
func (l *Loop) Refused(from, term, index uint64) {
	select {
	case l.notes <- func() { l.driver.Refused(from, term, index) }:
	default: // there will be another one
	}
}

// Unreachable tells that messages to a node were lost, so that its log is probed
// before more is sent. It never waits.
func (l *Loop) Unreachable(id uint64) {
	select {
	case l.notes <- func() { l.driver.Unreachable(id) }:
	default: // heartbeats find out
	}
}

// Backfilled is Driver.Backfilled.
func (l *Loop) Backfilled(first uint64) {
	_ = l.Do(context.Background(), func(d *Driver) { d.Backfilled(first) })
}

// effects carries out what the driver asks for, until it asks for nothing.
func (l *Loop) effects() error {
	for {
		e, more, err := l.driver.Ready()
		if err == nil {
			l.carry(&e)
		} else if e.Lead != nil {
			l.observer.Led(*e.Lead)
		}
		if err != nil || !more {
			return err
		}
	}
}

func (l *Loop) carry(e *Effects) {
	if len(e.Messages) > 0 && l.transport != nil {
		l.transport.Send(e.Messages)
	}
	if len(e.Refusals) > 0 && l.transport != nil {
		l.transport.Refuse(e.Refusals)
	}
	if len(e.Appends) > 0 {
		l.writes.put(e.Appends)
	}
	if len(e.Committed) > 0 {
		l.commits.put(e.Committed)
	}
	l.readers.answer(e.Reads, l.driver)
	if e.Lead != nil {
		l.observer.Led(*e.Lead)
	}
	l.follow()
}

func (a *Append) bytes() int {
	size := 64
	for i := range a.Entries {
		size += len(a.Entries[i].Body) + 64
	}
	return size
}

// write makes appends durable. What queued up while the last sync ran shares
// the next one.
func (l *Loop) write() {
	defer l.workers.Done()
	for {
		batch, ok := l.writes.take()
		if !ok {
			return
		}
		begun := time.Now()
		if err := l.persist(batch); err != nil {
			l.fail(err)
			return
		}
		if l.Synced != nil {
			l.Synced(time.Since(begun))
		}
		if l.Do(context.Background(), func(d *Driver) { l.wrote(d, batch) }) != nil {
			return
		}
	}
}

func (l *Loop) wrote(d *Driver, batch []*Append) {
	for _, a := range batch {
		if err := d.Appended(a); err != nil {
			l.fail(err)
		}
	}
}

func (l *Loop) persist(batch []*Append) error {
	wrote := false
	for _, a := range batch {
		if a.Term != 0 {
			if err := l.log.SetVote(a.Term, a.Vote); err != nil {
				return err
			}
		}
		if len(a.Entries) > 0 {
			if err := l.log.Append(a.Entries); err != nil {
				return err
			}
			wrote = true
		}
	}
	if !wrote {
		return nil
	}
	return l.log.Sync()
}

func (l *Loop) publish() {
	defer l.workers.Done()
	for {
		entries, ok := l.commits.take()
		if !ok {
			return
		}
		if err := l.observer.Committed(entries); err != nil {
			l.fail(errors.Join(errors.New("a committed entry cannot be applied"), err))
			return
		}
	}
}
