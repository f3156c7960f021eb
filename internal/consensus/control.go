package consensus

import (
	"context"
	"errors"
)

// resign asks another node to take over from a leader that ends.
func (l *Loop) resign() {
	if messages := l.driver.Resign(); l.transport != nil && len(messages) > 0 {
		l.transport.Send(messages)
	}
}

// Pause makes the loop stand still, as if the process did: no ticks, no messages,
// no proposals. It is for development.
func (l *Loop) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil {
		l.gate = make(chan struct{})
	}
}

// Resume ends Pause.
func (l *Loop) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
}

// pass waits while the loop is paused.
func (l *Loop) pass(ctx context.Context) error {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-l.stopping:
		return l.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Loop) paused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate != nil
}

// Status is what this node knows of consensus, as of the last tick or the last
// change of leader, term or role. It never waits.
func (l *Loop) Status() Status { return *l.status.Load() }

// Changed is closed when leader, term, role or the right to seal change from now on.
func (l *Loop) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// observe renews Status.
func (l *Loop) observe() {
	was, is := l.status.Load(), l.driver.Status()
	is.Dropped = l.dropped.Load()
	l.status.Store(&is)
	if was != nil && was.Leader == is.Leader && was.Term == is.Term && was.Role == is.Role && was.Sealing == is.Sealing {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

// follow renews Status when leader or term changed.
func (l *Loop) follow() {
	was, basic := l.status.Load(), l.driver.raft.BasicStatus()
	if was.Leader != basic.Lead || was.Term != basic.GetTerm() || was.Sealing != l.driver.sealing {
		l.observe()
	}
}

// Transfer hands leadership to another voter, 0 for the one whose log is the most
// complete, and returns when this node knows that another one leads. It fails
// with ErrTransfer when leadership came back, and with ErrNotLeader when there
// was none to hand over.
func (l *Loop) Transfer(ctx context.Context, to uint64) error {
	var err error
	var term uint64
	if failed := l.Do(ctx, func(d *Driver) { term = d.leading; err = d.Transfer(to) }); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	for {
		changed := l.Changed()
		switch s := l.Status(); {
		case s.Term <= term || s.Leader == 0:
		case s.Leader == s.ID:
			return ErrTransfer
		default:
			return nil
		}
		select {
		case <-changed:
		case <-l.stopping:
			return l.ended()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReadIndex waits until a majority has confirmed who leads and gives the index up
// to which a linearizable read has to see. While there is no leader it asks again
// until the context ends.
func (l *Loop) ReadIndex(ctx context.Context) (uint64, error) {
	r := reader{ctx: ctx, index: make(chan uint64, 1)}
	if err := l.Do(ctx, func(d *Driver) { l.readers.join(r, d) }); err != nil {
		return 0, err
	}
	select {
	case index := <-r.index:
		return index, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.stopping:
		return 0, l.ended()
	}
}

type reader struct {
	ctx   context.Context
	index chan uint64
}

// readers share questions: all who come while one is under way wait for the next.
type readers struct {
	context uint64   // of the question under way
	under   []reader // who wait for it; none when no question is
	next    []reader
	ticks   int
}

func (r *readers) join(one reader, d *Driver) {
	r.next = append(r.next, one)
	if len(r.under) == 0 {
		r.ask(d)
	}
}

func (r *readers) ask(d *Driver) {
	r.under, r.next = waiting(r.next), nil
	if len(r.under) > 0 {
		r.context++
		r.ticks = 0
		d.ReadIndex(r.context)
	}
}

// tick asks again what was not answered for half an election timeout. An answer
// to the first asking is as good: both came after the readers did.
func (r *readers) tick(d *Driver) {
	if len(r.under) == 0 {
		return
	}
	r.ticks++
	if r.ticks < max(d.o.ElectionTicks/2, 1) {
		return
	}
	r.ticks = 0
	if r.under = waiting(r.under); len(r.under) == 0 {
		r.ask(d)
		return
	}
	d.ReadIndex(r.context)
}

func (r *readers) answer(reads []Read, d *Driver) {
	for _, read := range reads {
		if read.Context != r.context || len(r.under) == 0 {
			continue
		}
		for _, one := range r.under {
			one.index <- read.Index
		}
		r.under = nil
		r.ask(d)
	}
}

// waiting are the readers that did not give up.
func waiting(all []reader) []reader {
	var left []reader
	for _, one := range all {
		if one.ctx.Err() == nil {
			left = append(left, one)
		}
	}
	return left
}
