package simulation

import (
	"bytes"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// settleWithin is how long a healed network may take until every machine is a
// voter with the whole ledger.
const settleWithin = 2 * time.Minute

// end heals everything. The network must then make progress, answer all clients
// and bring every machine's ledger to the same bytes.
func (w *world) end() {
	w.note("everything is healed")
	w.faults.over = true
	w.network.heal()
	w.liar.who = nil
	for _, m := range w.machines {
		if m.storage.lies {
			m.powerCut("its disk lied")
		}
		m.calm()
		if p := m.process; p != nil {
			p.paused = 0
		}
		w.after(0, m.start)
	}
	goal := make([]uint64, len(w.clients))
	for i, c := range w.clients {
		goal[i] = c.done + 3
	}
	w.until("writes are not taken", func() bool {
		for i, c := range w.clients {
			if c.done < goal[i] {
				return false
			}
		}
		return true
	})
	for _, c := range w.clients {
		c.quiet = true
	}
	w.until("the machines do not all become voters with the same ledger", w.settled)
	w.compare()
}

// until lets things happen until something is reached, and machines whose process
// ended start again meanwhile.
func (w *world) until(what string, reached func() bool) {
	limit := w.now + settleWithin
	for next := w.now; !reached(); {
		if w.now > limit || !w.step() {
			w.failf("liveness: a healed network does not recover: %s", what)
		}
		if w.now > next {
			next = w.now + 500*time.Millisecond
			for _, m := range w.machines {
				m.start()
			}
		}
	}
}

func (w *world) settled() bool {
	nodes, voters := w.check.line.Identity.Nodes, 0
	config := w.check.line.Identity.Config
	for _, c := range w.clients {
		if c.request != nil {
			return false
		}
	}
	for _, m := range w.machines {
		p := m.process
		if p == nil || p.driver == nil || p.published != w.check.committed() || p.writing || len(p.pending) > 0 {
			return false
		}
		if info := nodes.Get(p.id); info == nil || info.Status != format.NodeVoter {
			return false
		}
		voters++
	}
	if len(nodes.IDs(format.NodeVoter)) != voters || config.Joint() || len(config.Voters) != voters {
		return false
	}
	return w.check.same(w.machines)
}

// compare closes all ledgers and compares their files. The open chunk is compared
// up to its end, behind which only zeros may be.
func (w *world) compare() {
	var first map[string][]byte
	for _, m := range w.machines {
		if err := m.process.log.Close(); err != nil {
			w.failf("%v: %v", m, err)
		}
		files := map[string][]byte{}
		names, err := m.storage.ReadDir(ledgerDir)
		if err != nil {
			w.failf("%v: %v", m, err)
		}
		for _, name := range names {
			data, err := disk.ReadFile(m.storage, ledgerDir+"/"+name, 1<<30)
			if err != nil {
				w.failf("%v: %v", m, err)
			}
			files[name] = bytes.TrimRight(data, "\x00")
		}
		if first == nil {
			first = files
			continue
		}
		if len(files) != len(first) {
			w.failf("%v has %d files, another machine %d", m, len(files), len(first))
		}
		for _, name := range names {
			if !bytes.Equal(files[name], first[name]) {
				w.failf("%v has another file %s than another machine", m, name)
			}
		}
	}
	for _, p := range w.running() {
		if p.room.digest() != w.check.heights[len(w.check.heights)-1].digest {
			w.failf("%v ends with another state than the ledger gives", p)
		}
	}
}
