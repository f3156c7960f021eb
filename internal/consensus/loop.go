package consensus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// Observer is told what consensus decides. Committed is called from one
// goroutine in order of the log; Led from the goroutine that drives Raft, so it
// must only take note.
type Observer interface {
	Committed(entries []format.Entry) error
	Led(Lead)
}

// Transport sends messages to other nodes. It never blocks; what it cannot
// queue it drops, which Raft expects.
type Transport interface {
	Send([]*raftpb.Message)
}

// ErrStopped says that consensus has stopped, by a fault or by request.
var ErrStopped = problem.New("CONSENSUS_STOPPED", "this node does not take part in consensus any more",
	"see the first error in its log; restart the node when the cause is removed")

// Loop runs a driver: one goroutine drives Raft, one writes the log, one hands
// committed entries on.
type Loop struct {
	driver    *Driver
	log       Log
	observer  Observer
	transport Transport
	logger    *slog.Logger

	calls    chan func()
	inbox    chan *raftpb.Message
	writes   chan []*Append
	written  chan []*Append
	commits  *queue
	stopping chan struct{}
	stop     sync.Once
	workers  sync.WaitGroup

	mu    sync.Mutex
	fault error
}

// NewLoop makes a loop; Run starts it.
func NewLoop(d *Driver, log Log, o Observer, t Transport, logger *slog.Logger) *Loop {
	return &Loop{driver: d, log: log, observer: o, transport: t, logger: logger,
		calls: make(chan func()), inbox: make(chan *raftpb.Message, 1024),
		writes: make(chan []*Append, 64), written: make(chan []*Append, 64),
		commits: newQueue(), stopping: make(chan struct{})}
}

// Run drives consensus, a tick each interval, until Stop or a fault. A fault of
// the log ends consensus, so writes stop and reads go on; it is returned.
func (l *Loop) Run(tick time.Duration) error {
	l.workers.Add(2)
	go l.write()
	go l.publish()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := l.effects(); err != nil {
			l.fail(err)
		}
		select {
		case <-l.stopping:
			close(l.writes)
			l.commits.close()
			l.workers.Wait()
			return l.Fault()
		case <-ticker.C:
			l.driver.Tick()
		case call := <-l.calls:
			call()
		case m := <-l.inbox:
			if err := l.driver.Step(m); err != nil {
				l.logger.Warn("a message of another node was refused", "err", err)
			}
		case done := <-l.written:
			for _, a := range done {
				if err := l.driver.Appended(a); err != nil {
					l.fail(err)
				}
			}
		}
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

// Do runs call on the goroutine that owns the driver and waits for it.
func (l *Loop) Do(ctx context.Context, call func(*Driver)) error {
	done := make(chan struct{})
	select {
	case l.calls <- func() { call(l.driver); close(done) }:
	case <-l.stopping:
		return l.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done // the driver never blocks
	return nil
}

func (l *Loop) ended() error {
	if err := l.Fault(); err != nil {
		return ErrStopped.From(err)
	}
	return ErrStopped
}

// Propose is Driver.Propose on the goroutine that owns the driver.
func (l *Loop) Propose(view uint64, seal func(Position) ([]byte, error)) (p Position, err error) {
	if failed := l.Do(context.Background(), func(d *Driver) { p, err = d.Propose(view, seal) }); failed != nil {
		return p, failed
	}
	return p, err
}

// Deliver takes a message of another node; when the node is overloaded it is dropped.
func (l *Loop) Deliver(m *raftpb.Message) {
	select {
	case l.inbox <- m:
	default:
	}
}

func (l *Loop) effects() error {
	e, ok, err := l.driver.Ready()
	if err != nil || !ok {
		return err
	}
	if len(e.Appends) > 0 {
		select {
		case l.writes <- e.Appends:
		case <-l.stopping:
			return nil
		}
	}
	if len(e.Messages) > 0 && l.transport != nil {
		l.transport.Send(e.Messages)
	}
	if len(e.Committed) > 0 {
		l.commits.put(e.Committed)
	}
	if e.Lead != nil {
		l.observer.Led(*e.Lead)
	}
	return nil
}

// write makes appends durable. What queued up while the last sync ran shares
// the next one.
func (l *Loop) write() {
	defer l.workers.Done()
	for batch := range l.writes {
		for more := true; more; {
			select {
			case next, ok := <-l.writes:
				if more = ok; ok {
					batch = append(batch, next...)
				}
			default:
				more = false
			}
		}
		if err := l.persist(batch); err != nil {
			l.fail(err)
			return
		}
		select {
		case l.written <- batch:
		case <-l.stopping:
			return
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
