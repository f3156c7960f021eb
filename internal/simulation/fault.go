package simulation

import (
	"errors"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
)

// faults makes things go wrong, one after the other and several at once.
type faults struct {
	world  *world
	over   bool
	lying  *machine // whose disk lies, one at a time
	kinds  []fault
	weight int
	prefer string
}

type fault struct {
	name   string
	weight int
	happen func() bool // false when it makes no sense now
}

func newFaults(w *world, prefer string) *faults {
	f := &faults{world: w, prefer: prefer}
	f.kinds = []fault{
		{"power cut", 8, f.powerCut}, {"cut in a write", 6, f.cutInWrite}, {"end", 6, f.end}, {"drain", 4, f.drain},
		{"split", 6, f.split}, {"one way", 6, f.oneWay}, {"isolated primary", 6, f.isolatePrimary}, {"noise", 5, f.noise},
		{"slow links", 3, f.slowLinks}, {"slow disk", 5, f.slowDisk}, {"failed sync", 3, f.failedSync}, {"lying disk", 3, f.lyingDisk},
		{"pause", 5, f.pause}, {"wrong clock", 4, f.wrongClock}, {"wrong rate", 3, f.wrongRate}, {"transfer", 4, f.transfer},
		{"retire", 5, f.retire}, {"everything", 1, f.everything}, {"lying primary", 4, f.lyingPrimary}, {"two", 3, f.two},
		{"race", 6, f.race}, {"failed seal", 2, f.failedSeal},
	}
	for _, k := range f.kinds {
		f.weight += k.weight
	}
	w.after(800*time.Millisecond, f.next)
	return f
}

// next lets one fault happen and plans the one after it.
func (f *faults) next() {
	if f.over {
		return
	}
	w := f.world
	at, preferred := w.random.IntN(f.weight), w.random.IntN(2) == 0 && f.prefer != ""
	for _, k := range f.kinds {
		if at -= k.weight; preferred && k.name == f.prefer || !preferred && at < 0 {
			if k.happen() {
				w.stats.Faults++
			}
			break
		}
	}
	w.after(20*time.Millisecond+w.upTo(250*time.Millisecond), f.next)
}

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d) + 1))
}

func (w *world) anyMachine() *machine { return w.machines[w.random.IntN(len(w.machines))] }

// primary is who leads in the highest term, nil for none.
func (w *world) primary() *process {
	var best *process
	for _, p := range w.running() {
		if s := p.driver.Status(); s.Role == consensus.RoleLeader && (best == nil || s.Term > best.term) {
			best = p
		}
	}
	return best
}

// victim is some machine, often the primary's.
func (w *world) victim() *machine {
	if p := w.primary(); p != nil && w.random.IntN(3) == 0 {
		return p.machine
	}
	return w.anyMachine()
}

// restart starts a process on the machine after a while.
func (f *faults) restart(m *machine) {
	f.world.after(20*time.Millisecond+f.world.upTo(900*time.Millisecond), m.start)
}

// spare reports whether the end of the machine's process leaves the network a
// majority, and once in a while says so although it does not.
func (f *faults) spare(m *machine) bool {
	if m.process == nil {
		return false
	}
	w := f.world
	config := w.check.line.Identity.Config
	for _, voters := range [][]uint64{config.Voters, config.Outgoing} {
		left := 0
		for _, id := range voters {
			if p := w.processOf(id); p != nil && !p.dead && p.machine != m {
				left++
			}
		}
		if len(voters) > 0 && left <= len(voters)/2 {
			return w.random.IntN(10) == 0
		}
	}
	return true
}

func (f *faults) powerCut() bool {
	m := f.world.victim()
	if !f.spare(m) {
		return false
	}
	m.powerCut("a fault")
	f.restart(m)
	return true
}

// two machines lose power at once.
func (f *faults) two() bool {
	if !f.powerCut() {
		return false
	}
	return f.powerCut()
}

func (f *faults) everything() bool {
	for _, m := range f.world.machines {
		if m.process != nil {
			m.powerCut("all lose power")
		}
		f.restart(m)
	}
	return true
}

// cutInWrite lets the power go between two operations of the disk.
func (f *faults) cutInWrite() bool {
	m := f.world.victim()
	if !f.spare(m) || m.process.log == nil {
		return false
	}
	f.world.note("%v will lose power in a write", m)
	m.storage.Cut(1 + f.world.random.IntN(16))
	f.world.after(time.Second+f.world.upTo(time.Second), m.start)
	return true
}

func (f *faults) end() bool {
	m := f.world.victim()
	if !f.spare(m) {
		return false
	}
	m.exit("a fault")
	f.restart(m)
	return true
}

// drain is the polite end: leadership first, then the process.
func (f *faults) drain() bool {
	w := f.world
	p := w.primary()
	if p == nil || !f.spare(p.machine) {
		return false
	}
	m := p.machine
	w.note("%v is drained", p)
	_ = p.driver.Transfer(0) // refused when there is nobody to take over
	p.pump()
	w.after(w.upTo(300*time.Millisecond), func() {
		if m.process == p {
			m.exit("drained")
			f.restart(m)
		}
	})
	return true
}

// cut cuts the way from one machine to another, for a while.
func (f *faults) cut(from, to int, lasts time.Duration) {
	n := f.world.network
	n.cut[from][to] = true
	f.world.after(lasts, func() { n.cut[from][to] = false })
}

func (f *faults) split() bool {
	w := f.world
	lasts, side := 200*time.Millisecond+w.upTo(2*time.Second), make([]bool, len(w.machines))
	for i := range side {
		side[i] = w.random.IntN(2) == 0
	}
	w.note("the network splits for %v: %v", lasts, side)
	for a := range side {
		for b := range side {
			if side[a] != side[b] {
				f.cut(a, b, lasts)
			}
		}
	}
	return true
}

func (f *faults) oneWay() bool {
	w := f.world
	from, to := w.anyMachine().number, w.anyMachine().number
	if from == to {
		return false
	}
	w.note("m%d does not reach m%d", from, to)
	f.cut(from, to, 200*time.Millisecond+w.upTo(3*time.Second))
	return true
}

// isolatePrimary cuts the primary off: both ways, or only from hearing, or only
// from being heard.
func (f *faults) isolatePrimary() bool {
	w := f.world
	p := w.primary()
	if p == nil {
		return false
	}
	how, lasts := w.random.IntN(3), 200*time.Millisecond+w.upTo(2*time.Second)
	w.note("%v is isolated (%d) for %v", p, how, lasts)
	for other := range w.machines {
		if other == p.machine.number {
			continue
		}
		if how != 1 {
			f.cut(p.machine.number, other, lasts)
		}
		if how != 2 {
			f.cut(other, p.machine.number, lasts)
		}
	}
	return true
}

func (f *faults) noise() bool {
	w, n := f.world, f.world.network
	n.loss, n.repeat, n.late = 0.3*w.random.Float64(), 0.3*w.random.Float64(), 0.4*w.random.Float64()
	n.lateBy = w.upTo(400 * time.Millisecond)
	w.note("noise: %.2f lost, %.2f repeated, %.2f late by %v", n.loss, n.repeat, n.late, n.lateBy)
	w.after(300*time.Millisecond+w.upTo(2*time.Second), func() { n.loss, n.repeat, n.late = 0, 0, 0 })
	return true
}

func (f *faults) slowLinks() bool {
	w := f.world
	m := w.anyMachine().number
	w.network.slowest[m] = w.upTo(60 * time.Millisecond)
	w.after(w.upTo(3*time.Second), func() { w.network.slowest[m] = 0 })
	return true
}

func (f *faults) slowDisk() bool {
	w := f.world
	m := w.victim()
	m.storage.sync = w.upTo(250 * time.Millisecond)
	w.note("%v has a slow disk: %v", m, m.storage.sync)
	w.after(w.upTo(3*time.Second), func() { m.storage.sync = 200 * time.Microsecond })
	return true
}

func (f *faults) failedSync() bool {
	m := f.world.victim()
	if !f.spare(m) {
		return false
	}
	f.world.note("the next sync of %v fails", m)
	m.storage.FailNextSync(1 + f.world.random.Uint64N(1<<40))
	f.world.after(time.Second+f.world.upTo(time.Second), m.start)
	return true
}

// lyingDisk lets a disk forget syncs until its machine loses power. It happens to
// one machine of at least three voters at a time, so that what is committed is
// on another one.
func (f *faults) lyingDisk() bool {
	w := f.world
	m := w.victim()
	if !f.spare(m) || f.lying != nil || len(w.check.line.Identity.Config.Voters) < 3 || w.lost() {
		return false
	}
	w.note("%v has a disk that lies", m)
	f.lying, m.storage.lies = m, true
	w.after(50*time.Millisecond+w.upTo(400*time.Millisecond), func() {
		f.lying = nil
		if m.storage.lies {
			m.powerCut("its disk lied")
			f.restart(m)
		}
	})
	return true
}

func (f *faults) pause() bool {
	w := f.world
	p := w.victim().process
	if p == nil {
		return false
	}
	lasts := 50*time.Millisecond + w.upTo(1500*time.Millisecond)
	w.note("%v pauses for %v", p, lasts)
	p.paused = w.now + lasts
	return true
}

func (f *faults) wrongClock() bool {
	w := f.world
	m := w.victim()
	jump := w.upTo(8*time.Second) - 4*time.Second
	switch w.random.IntN(12) {
	case 0, 1, 2:
		jump *= 10
	case 3:
		jump *= 1000
	}
	m.clock.offset += jump
	w.note("the clock of %v jumps by %v", m, jump)
	w.after(w.upTo(3*time.Second), func() { m.clock.offset = 0 })
	return true
}

func (f *faults) wrongRate() bool {
	w := f.world
	m := w.victim()
	m.clock.rate = 0.5 + 1.5*w.random.Float64()
	w.note("the clock of %v runs at %.2f", m, m.clock.rate)
	w.after(w.upTo(4*time.Second), func() { m.clock.rate = 1 })
	return true
}

func (f *faults) transfer() bool {
	p := f.world.primary()
	if p == nil {
		return false
	}
	err := p.driver.Transfer(0)
	f.world.note("%v hands over: %v", p, err)
	p.pump()
	return err == nil
}

func (f *faults) retire() bool {
	w := f.world
	running := w.running()
	if len(running) < 2 {
		return false
	}
	p := running[w.random.IntN(len(running))]
	if !f.spare(p.machine) {
		return false
	}
	w.note("%v is to be retired", p)
	p.converse(func(primary *process) { p.retire(primary) })
	return true
}

func (f *faults) lyingPrimary() bool {
	w := f.world
	p := w.primary()
	if p == nil {
		return false
	}
	w.liar.who, w.liar.until, w.liar.kind = p, w.now+50*time.Millisecond+w.upTo(300*time.Millisecond), w.random.IntN(lies)
	w.note("%v lies (%d)", p, w.liar.kind)
	return true
}

// race takes the primary away and lets two others ask for votes at about the same
// time, once they have forgotten it.
func (f *faults) race() bool {
	w := f.world
	p := w.primary()
	if p == nil {
		return false
	}
	w.note("%v is cut off, two others race", p)
	forgotten := 2 * electionTicks * tick
	for other := range w.machines {
		if other != p.machine.number {
			f.cut(p.machine.number, other, forgotten)
			f.cut(other, p.machine.number, forgotten)
		}
	}
	running := w.running()
	w.random.Shuffle(len(running), func(i, j int) { running[i], running[j] = running[j], running[i] })
	wait := electionTicks*tick + w.upTo(50*time.Millisecond)
	for i, q := range running {
		if q != p && i < 3 {
			q.later(wait+w.upTo(300*time.Microsecond), func() {
				_ = q.driver.Campaign() // refused by who is no voter
				q.pump()
			})
		}
	}
	return true
}

// failedSeal lets the next seal of the primary fail when the signature is made
// already.
func (f *faults) failedSeal() bool {
	p := f.world.primary()
	if p == nil {
		return false
	}
	p.sealFails = true
	return true
}

// diskFault reports whether an error is the disk's, so that a process that meets
// it ends.
func diskFault(err error) bool { return errors.Is(err, syscall.EIO) }
