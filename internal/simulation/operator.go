package simulation

import (
	"time"
)

// The operator looks after the network now and then: it restarts processes that
// ended, and recovers a network that is lost.
const (
	operatorEvery = 300 * time.Millisecond
	lostAfter     = 900 * time.Millisecond
)

func (w *world) operate() {
	w.after(operatorEvery, w.operate)
	if !w.lost() {
		w.lostSince = 0
		return
	}
	if w.lostSince == 0 {
		w.lostSince = w.now
	}
	if w.now-w.lostSince >= lostAfter {
		w.lostSince = 0
		w.recover()
	}
}

// lost reports whether no majority of the voters runs any more. Processes that
// ended never come back, so it never will.
func (w *world) lost() bool {
	config := w.check.line.Identity.Config
	for _, voters := range [][]uint64{config.Voters, config.Outgoing} {
		alive := 0
		for _, id := range voters {
			if p := w.processOf(id); p != nil && !p.dead {
				alive++
			}
		}
		if len(voters) > 0 && alive <= len(voters)/2 {
			return true
		}
	}
	return false
}

// recover ends what is left and continues the network from the most complete
// ledger of all machines (design 7).
func (w *world) recover() {
	w.event("the network is lost; it is recovered")
	var best *process
	for _, m := range w.machines {
		if m.storage.lies {
			m.powerCut("its disk lied")
		}
		m.exit("the network is recovered")
	}
	for _, m := range w.machines {
		p, err := newProcess(m)
		if err != nil {
			w.failf("%v", err)
		}
		m.process = p
		if p.log, err = m.open(); err != nil {
			p.faulty(err)
			continue
		}
		if head := p.log.Head(); head.LastIndex > 0 && (best == nil || further(head.LastTerm, head.LastIndex, best)) {
			best = p
		}
	}
	if best == nil {
		w.note("no ledger can be opened, the operator tries again")
		return
	}
	w.check.adopted(best)
	w.note("the network is recovered on %v from entry %d of term %d", best, best.log.Head().LastIndex, best.log.Head().LastTerm)
	for _, m := range w.machines {
		if m.process != nil && m.process != best {
			m.process.seek()
		}
	}
	best.launch(w.check.line.Identity.Nodes.Highest()+1, true)
}

// further reports whether a log's end is further than a process's: what Raft asks
// of a candidate (Raft, section 5.4.1).
func further(term, index uint64, than *process) bool {
	head := than.log.Head()
	return term > head.LastTerm || term == head.LastTerm && index > head.LastIndex
}
