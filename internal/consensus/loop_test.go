package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// member is a loop with what surrounds it.
type member struct {
	*Loop
	id  uint64
	s   *service
	log *slowLog
	net *switchboard

	mu        sync.Mutex
	cond      *sync.Cond
	committed []format.Entry
	lead      uint64
	done      chan error
}

// slowLog is a log in memory whose syncs may be held up.
type slowLog struct {
	memory
	mu   sync.Mutex
	gate chan struct{} // nil: syncs go through
}

func (l *slowLog) stall() { l.mu.Lock(); defer l.mu.Unlock(); l.gate = make(chan struct{}) }
func (l *slowLog) flow()  { l.mu.Lock(); defer l.mu.Unlock(); close(l.gate); l.gate = nil }

func (l *slowLog) Append(e []format.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.Append(e)
}

func (l *slowLog) Entries(lo, hi uint64, n int) ([]format.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.Entries(lo, hi, n)
}

func (l *slowLog) Term(i uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.Term(i)
}

func (l *slowLog) Sync() error {
	l.mu.Lock()
	gate, err := l.gate, l.fail
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return err
}

// switchboard connects members.
type switchboard struct {
	mu      sync.Mutex
	members map[uint64]*member
	off     map[uint64]bool
	lossy   func(*raftpb.Message) bool
}

func (w *switchboard) to(from, to uint64, m *raftpb.Message) *member {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.off[from] || w.off[to] || m != nil && w.lossy != nil && w.lossy(m) {
		return nil
	}
	return w.members[to]
}

func (w *switchboard) set(off bool, ids ...uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.off[id] = off
	}
}

func (m *member) Send(messages []*raftpb.Message) {
	for _, x := range messages {
		if to := m.net.to(m.id, x.GetTo(), x); to != nil {
			to.Deliver(x)
		}
	}
}

func (m *member) Refuse(refusals []Refusal) {
	for _, r := range refusals {
		if to := m.net.to(m.id, r.To, nil); to != nil {
			to.Refused(m.id, r.Term, r.Index)
		}
	}
}

func (m *member) Committed(entries []format.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.committed = append(m.committed, entries...)
	m.cond.Broadcast()
	return nil
}

func (m *member) Led(l Lead) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lead = l.View
	m.cond.Broadcast()
}

// await waits until a condition on the member holds; it is asked with m.mu held.
func (m *member) await(what string, holds func() bool) {
	m.s.t.Helper()
	expired := time.AfterFunc(patience, func() { m.mu.Lock(); defer m.mu.Unlock(); m.cond.Broadcast() })
	defer expired.Stop()
	until := time.Now().Add(patience)
	m.mu.Lock()
	defer m.mu.Unlock()
	for !holds() {
		if time.Now().After(until) {
			m.s.t.Fatalf("node %d: %s: not within %v", m.id, what, patience)
		}
		m.cond.Wait()
	}
}

// awaitStatus waits until the loop's status is as wanted.
func (m *member) awaitStatus(what string, holds func(Status) bool) Status {
	m.s.t.Helper()
	until := time.After(patience)
	for {
		changed := m.Changed()
		if s := m.Status(); holds(s) {
			return s
		}
		select {
		case <-changed:
		case <-until:
			m.s.t.Fatalf("node %d: %s: not within %v: %+v", m.id, what, patience, m.Status())
		}
	}
}

// network runs loops of n voters; node 1 campaigns.
func network(t testing.TB, n uint64, change ...func(*Options)) []*member {
	t.Helper()
	s := newService(t)
	s.now = time.Now()
	begin := s.voters(n)
	w := &switchboard{members: map[uint64]*member{}, off: map[uint64]bool{}}
	var all []*member
	for id := uint64(1); id <= n; id++ {
		line, at, err := s.follow(begin.entries)
		if err != nil {
			t.Fatal(err)
		}
		m := &member{id: id, s: s, net: w, log: &slowLog{memory: *begin.log()}, done: make(chan error, 1)}
		m.cond = sync.NewCond(&m.mu)
		o := Options{ElectionTicks: 40, HeartbeatTicks: 2}
		for _, f := range change {
			f(&o)
		}
		d, err := New(m.log, Start{ID: id, Term: at.Term, Last: at, Line: line}, o)
		if err != nil {
			t.Fatal(err)
		}
		m.Loop = NewLoop(d, m.log, m, m, slog.New(slog.NewTextHandler(io.Discard, nil)))
		w.members[id] = m
		all = append(all, m)
	}
	for _, m := range all {
		go func() { m.done <- m.Run(5 * time.Millisecond) }()
		t.Cleanup(func() {
			m.Stop()
			<-m.done
		})
	}
	if err := all[0].Do(t.Context(), func(d *Driver) { _ = d.Campaign() }); err != nil {
		t.Fatal(err)
	}
	all[0].await("leads", func() bool { return all[0].lead != 0 })
	return all
}

// put seals a block on the leader.
func (m *member) put(text string) (Position, error) {
	m.mu.Lock()
	view := m.lead
	m.mu.Unlock()
	d := m.driver
	return m.Propose(view, func(at Position) ([]byte, error) {
		line, _, err := d.line.End()
		if err != nil {
			return nil, err
		}
		body, _ := m.s.seal(m.id, line.Head, false, at, view, transaction(text))
		return body, nil
	})
}

func (m *member) has(index uint64) func() bool {
	return func() bool { n := len(m.committed); return n > 0 && m.committed[n-1].Index >= index }
}

func TestLoopsReplicate(t *testing.T) {
	all := network(t, 3)
	var last Position
	for i := range 50 {
		at, err := all[0].put(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		last = at
	}
	for _, m := range all {
		m.await("has all blocks", m.has(last.Index))
	}
	for _, m := range all {
		index, err := m.ReadIndex(t.Context())
		if err != nil || index < last.Index {
			t.Fatalf("node %d reads up to %d: %v", m.id, index, err)
		}
	}
}

// TestSlowDisks: a disk that stands still costs a leader nothing but its own
// publishing, until it gives leadership away, and a follower nothing but its
// acknowledgements.
func TestSlowDisks(t *testing.T) {
	all := network(t, 3, func(o *Options) { o.DiskTicks = math.MaxInt })
	first, err := all[0].put("before")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		m.await("has the first block", m.has(first.Index))
	}
	term := all[0].Status().Term
	all[0].log.stall()
	all[2].log.stall()
	var last Position
	for i := range 100 { // more than fits in any queue of batches
		if last, err = all[0].put(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	// Two elections' worth of heartbeats pass while both disks stand still.
	heard := 0
	for range 100 {
		_ = all[1].Do(t.Context(), func(d *Driver) {
			if d.raft.BasicStatus().Lead == 1 {
				heard++
			}
		})
		if _, err := all[1].ReadIndex(t.Context()); err != nil { // a round of heartbeats through the leader
			t.Fatal(err)
		}
	}
	if s := all[0].Status(); s.Term != term || s.Role != RoleLeader || heard != 100 {
		t.Fatalf("the leader with a slow disk is %s in term %d, was in %d", s.Role, s.Term, term)
	}
	if s := all[0].Status(); s.Applied >= last.Index {
		t.Fatalf("entry %d is handed on before it is durable", s.Applied)
	}
	all[2].log.flow()
	all[1].await("has all blocks while the leader's disk stands still", all[1].has(last.Index))
	all[0].log.flow()
	all[0].await("has all blocks", all[0].has(last.Index))
}

// goesOn waits until the others have another leader than the first member and a block
// of its.
func goesOn(t *testing.T, all []*member) Position {
	t.Helper()
	s := all[1].awaitStatus("another leader", func(s Status) bool { return s.Leader > 1 })
	next := all[s.Leader-1]
	next.await("seals", func() bool { return next.lead != 0 })
	at, err := next.put("goes on")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all[1:] {
		m.await("has the block", m.has(at.Index))
	}
	return at
}

// TestStuckDiskGivesLeadershipAway: another node leads and takes blocks while the
// write of the old leader does not return.
func TestStuckDiskGivesLeadershipAway(t *testing.T) {
	all := network(t, 3)
	all[0].log.stall()
	lost, err := all[0].put("while the disk stands still")
	if err != nil {
		t.Fatal(err)
	}
	at := goesOn(t, all)
	all[0].await("seals no more", func() bool { return all[0].lead == 0 })
	all[0].log.flow()
	all[0].await("has both blocks", all[0].has(max(lost.Index, at.Index)))
}

func TestFaultOfTheDiskGivesLeadershipAway(t *testing.T) {
	all := network(t, 3)
	all[0].log.mu.Lock()
	all[0].log.fail = errors.New("the disk is broken")
	all[0].log.mu.Unlock()
	_, _ = all[0].put("lost or not")
	<-all[0].Stopped()
	if _, err := all[0].put("more"); !errors.Is(err, ErrStopped) && !errors.Is(err, ErrNotLeader) {
		t.Fatal(err)
	}
	goesOn(t, all)
}

func TestTransferAndPause(t *testing.T) {
	all := network(t, 3)
	if err := all[1].Transfer(t.Context(), 3); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a follower hands over: %v", err)
	}
	if err := all[0].Transfer(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if s := all[0].Status(); s.Leader != 2 || s.Sealing {
		t.Fatalf("%+v", s)
	}
	all[0].await("seals no more", func() bool { return all[0].lead == 0 })
	all[1].await("seals", func() bool { return all[1].lead != 0 })
	all[1].Pause()
	s := all[0].awaitStatus("another leader", func(s Status) bool { return s.Leader == 1 || s.Leader == 3 })
	next := all[s.Leader-1]
	next.await("seals", func() bool { return next.lead != 0 })
	at, err := next.put("while it stood still")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all[1].ReadIndex(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("a node that stands still answers %v", err)
	}
	all[1].Resume()
	all[1].await("has the block", all[1].has(at.Index))
	all[1].await("seals no more", func() bool { return all[1].lead == 0 })
}

// TestReadsWaitForAMajority: without one there is no answer, and with it again
// the same question is answered.
func TestReadsWaitForAMajority(t *testing.T) {
	all := network(t, 3)
	all[0].net.set(true, 2, 3)
	all[0].awaitStatus("leads no more", func(s Status) bool { return s.Leader == 0 })
	type answer struct {
		index uint64
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		index, err := all[0].ReadIndex(t.Context())
		answers <- answer{index, err}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { _, err := all[0].ReadIndex(ctx); gaveUp <- err }()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	select {
	case a := <-answers:
		t.Fatalf("answered %+v without a majority", a)
	default:
	}
	all[0].net.set(false, 2, 3)
	select {
	case a := <-answers:
		if a.err != nil || a.index == 0 {
			t.Fatalf("%+v", a)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
}
