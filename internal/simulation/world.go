package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
)

// Options say how long a run is. The zero value is a standard run.
type Options struct {
	Events int // at least this many events
	Faults int // and this many faults, before everything is healed
	Lines  int // of the trace that a failure shows
	// Prefer names a fault that happens every other time, such as "race".
	Prefer string
}

// Statistics of one run or of many.
type Statistics struct {
	Seeds, Events, Faults                             uint64
	Elections, Crashes, Exits, Recoveries             uint64
	Reconfigurations, Blocks, Transactions, Published uint64
	Reads, Statuses, Lost, Refused, Deposed, Wiped    uint64
}

// Add sums up.
func (s *Statistics) Add(o Statistics) {
	s.Seeds += o.Seeds
	s.Events += o.Events
	s.Faults += o.Faults
	s.Elections += o.Elections
	s.Crashes += o.Crashes
	s.Exits += o.Exits
	s.Recoveries += o.Recoveries
	s.Reconfigurations += o.Reconfigurations
	s.Blocks += o.Blocks
	s.Transactions += o.Transactions
	s.Published += o.Published
	s.Reads += o.Reads
	s.Statuses += o.Statuses
	s.Lost += o.Lost
	s.Refused += o.Refused
	s.Deposed += o.Deposed
	s.Wiped += o.Wiped
}

func (s Statistics) String() string {
	return fmt.Sprintf("%d seeds, %d events, %d faults, %d elections, %d power cuts, %d ended processes, %d reconfigurations, %d recoveries, "+
		"%d blocks, %d transactions, %d linearizable reads, %d messages lost, %d refused, %d primaries deposed, %d disks replaced",
		s.Seeds, s.Events, s.Faults, s.Elections, s.Crashes, s.Exits, s.Reconfigurations, s.Recoveries,
		s.Blocks, s.Transactions, s.Reads, s.Lost, s.Refused, s.Deposed, s.Wiped)
}

// Result is what a run did. Two runs of one seed have the same result.
type Result struct {
	Statistics
	Trace uint64 // hash over everything that happened
}

// Failure is an invariant that does not hold, with the last events before.
type Failure struct {
	Seed   uint64
	Reason string
	Tail   string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d: %s\nthe last events:\n%s%s", f.Seed, f.Reason, f.Tail, f.Reason)
}

// world is everything that is simulated.
type world struct {
	schedule
	seed      uint64
	random    *rand.Rand
	trace     *trace
	stats     Statistics
	service   *service
	network   *network
	machines  []*machine
	processes []*process // by raft id - 1, the last one of each
	clients   []*client
	check     *checker
	faults    *faults
	liar      *liar
	lostSince time.Duration // since when the network is lost, 0 while it is not
}

// Run runs one seed. Its error is a *Failure.
func Run(seed uint64, o Options) (result Result, err error) {
	if o.Events == 0 {
		o.Events = 5000
	}
	if o.Faults == 0 {
		o.Faults = 20
	}
	if o.Lines == 0 {
		o.Lines = 250
	}
	w := &world{seed: seed, random: rand.New(rand.NewPCG(seed, 0x636f636f)), trace: newTrace(o.Lines)}
	defer func() {
		p := recover()
		var f *Failure
		switch e, ok := p.(error); {
		case p == nil:
			return
		case ok && errors.As(e, &f):
		default:
			f = &Failure{Seed: seed, Reason: fmt.Sprintf("panic: %v\n%s", p, debug.Stack()), Tail: w.trace.tail()}
		}
		err = f
	}()
	w.build(o)
	w.live(o)
	w.end()
	w.stats.Seeds = 1
	return Result{w.stats, w.trace.hash.Sum64()}, nil
}

// failf ends the run as a failure.
func (w *world) failf(f string, args ...any) {
	panic(&Failure{Seed: w.seed, Reason: fmt.Sprintf(f, args...), Tail: w.trace.tail()})
}

// note writes a line into the trace.
func (w *world) note(f string, args ...any) { w.trace.note(w.now, f, args...) }

// event is note for what counts as an event.
func (w *world) event(f string, args ...any) {
	w.stats.Events++
	w.note(f, args...)
}

func (w *world) build(o Options) {
	var err error
	if w.service, err = newService(); err != nil {
		w.failf("%v", err)
	}
	if w.check, err = newChecker(w); err != nil {
		w.failf("%v", err)
	}
	n := 3 + w.random.IntN(3)
	w.network = newNetwork(w, n)
	for i := range n {
		w.machines = append(w.machines, newMachine(w, i))
	}
	w.faults, w.liar = newFaults(w, o.Prefer), &liar{world: w}
	for i := range 3 + w.random.IntN(4) {
		w.clients = append(w.clients, newClient(w, i))
	}
	w.found()
	for _, m := range w.machines[1:] {
		w.after(time.Duration(w.random.Int64N(int64(200*time.Millisecond))), m.start)
	}
	for _, c := range w.clients {
		c.begin()
	}
	w.after(operatorEvery, w.operate)
}

// found starts the network on the first machine.
func (w *world) found() {
	m := w.machines[0]
	p, err := newProcess(m)
	if err != nil {
		w.failf("%v", err)
	}
	m.process = p
	if p.log, err = m.open(); err != nil {
		w.failf("%v", err)
	}
	if err := w.service.found(p.log, p.identity, 0, m.clock); err != nil {
		w.failf("%v", err)
	}
	if m.stored, err = linksOf(p.log); err != nil {
		w.failf("%v", err)
	}
	m.synced = 1
	w.check.adopted(p)
	p.launch(1, false)
}

// live lets things happen until there was enough of it.
func (w *world) live(o Options) {
	limit := w.now + 20*time.Minute
	for w.stats.Events < uint64(o.Events) || w.stats.Faults < uint64(o.Faults) {
		if !w.step() || w.now > limit {
			w.failf("the run stands still: %d events and %d faults in %v", w.stats.Events, w.stats.Faults, w.now)
		}
	}
}

func (w *world) register(p *process) {
	for uint64(len(w.processes)) < p.id {
		w.processes = append(w.processes, nil)
	}
	w.processes[p.id-1] = p
}

// processOf is the process of a raft id, dead or alive, nil when none ran yet.
func (w *world) processOf(id uint64) *process {
	if id == 0 || id > uint64(len(w.processes)) {
		return nil
	}
	return w.processes[id-1]
}

// running are the processes that take part in consensus.
func (w *world) running() []*process {
	var list []*process
	for _, m := range w.machines {
		if p := m.process; p != nil && p.driver != nil {
			list = append(list, p)
		}
	}
	return list
}

// primarySeenFrom is who a machine finds when it looks for the primary: one that
// believes to be it, and of several the one of the highest term.
func (w *world) primarySeenFrom(from int) *process {
	var best *process
	for _, p := range w.running() {
		s := p.driver.Status()
		if s.Role == consensus.RoleLeader && s.Sealing && w.network.reaches(from, p.machine.number) && (best == nil || s.Term > best.term) {
			best = p
		}
	}
	return best
}

// refuse carries a refusal to the primary whose block was refused.
func (w *world) refuse(p *process, r consensus.Refusal) {
	w.note("%v refuses entry %d of node %d in term %d: %s", p, r.Index, r.To, r.Term, r.Reason)
	to := w.processOf(r.To)
	if to == nil {
		return
	}
	w.network.send(p.machine.number, to.machine.number, func() {
		to.run(func() {
			w.event("%v hears that %d refuses its entry %d", to, p.id, r.Index)
			to.driver.Refused(p.id, r.Term, r.Index)
			to.pump()
		})
	})
}
