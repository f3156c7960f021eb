package simulation

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Timing of the simulated nodes.
const (
	tick           = 20 * time.Millisecond
	electionTicks  = 10
	heartbeatTicks = 1
)

// process is one process of a node, from its start to its end. Its keys and its
// raft id are its own.
type process struct {
	world    *world
	machine  *machine
	identity *founding.Process
	id       uint64 // raft id, 0 until it is admitted
	dead     bool
	paused   time.Duration // until when it stands still

	log       *ledger.Log
	room      *room
	line      *lineage.Lineage // until the driver takes it
	views     []uint64         // views[i] is the view of seqno i+1, up to the start
	driver    *consensus.Driver
	sequencer *sequencer.Sequencer
	desk      *desk

	shadow    []link // the log as Raft has it
	pending   []*consensus.Append
	writing   bool
	commits   []format.Entry
	publishes bool
	published uint64 // index
	turning   bool
	sealFails bool // the next seal fails
	reads     []*reading
	asked     uint64 // questions to ReadIndex so far

	request  *membership.Request // to join
	session  format.Hash
	admitted uint64            // index of the ledger when it was admitted, 0 before
	changing *sequencer.Ticket // of a membership record of this node as primary

	requests map[uint64]sequencer.TxID // that the ledger held at the start
	said     map[sequencer.TxID]sequencer.Status
	term     uint64 // highest seen by the checker
	commit   uint64
	applied  uint64
	recovers bool
}

func newProcess(m *machine) (*process, error) {
	i, err := founding.NewProcess()
	if err != nil {
		return nil, err
	}
	m.keys = append(m.keys, i.Writer())
	return &process{world: m.world, machine: m, identity: i, said: map[sequencer.TxID]sequencer.Status{}}, nil
}

func (p *process) String() string { return p.machine.String() }

// die ends the process without a word.
func (p *process) die() {
	p.dead = true
	if p.desk != nil {
		p.desk.die()
	}
}

// later plans something for when the process runs and is not paused.
func (p *process) later(wait time.Duration, do func()) {
	p.world.after(wait, func() { p.run(do) })
}

func (p *process) run(do func()) {
	switch w := p.world; {
	case p.dead:
	case p.paused > w.now:
		w.after(p.paused-w.now, func() { p.run(do) })
	default:
		do()
	}
}

// faulty ends the process because of an error: of the disk, or one that only a
// bug explains.
func (p *process) faulty(err error) {
	switch {
	case p.dead:
	case errors.Is(err, crash.ErrCut):
		p.machine.powerCut("in the middle of a write")
	case diskFault(err):
		p.machine.exit(err.Error())
	case errors.Is(err, consensus.ErrBlocksRefused):
		p.world.stats.Deposed++
		p.machine.exit(err.Error())
	default:
		p.world.failf("%v fails: %v", p, err)
	}
}

// launch starts consensus on an adopted log.
func (p *process) launch(id uint64, recovers bool) {
	w, m := p.world, p.machine
	if err := p.replay(); err != nil {
		w.check.honest(m, "its ledger does not verify: %v", err)
		m.exit("its ledger does not verify")
		_, err := m.wipe()
		if err != nil {
			m.powerCut(err.Error())
		}
		return
	}
	old := uint64(0)
	if n := len(m.past); n > 0 {
		old = m.past[n-1]
	}
	p.id = id
	if old != 0 {
		p.id = consensus.Restarted(old, id)
	}
	head := p.log.Head()
	term, _ := p.log.Vote()
	term = max(term, head.LastTerm)
	if recovers {
		term++ // so that it leads two above what its own directory knows
	}
	if err := p.log.ResetVote(term); err != nil {
		p.faulty(err)
		return
	}
	w.check.began(p, recovers)
	m.past = append(m.past, p.id)
	w.register(p)
	p.shadow = append([]link(nil), m.stored...)
	p.published, p.commit, p.applied, p.term, p.recovers = head.LastIndex, head.LastIndex, head.LastIndex, term, recovers
	config := sequencer.Config{Store: p.room.store, Ring: w.service.ring, Signer: p.identity.Signer, Writer: p.identity.Writer(),
		Head: p.line.Head.Clone(), ViewAt: p.viewAt, Protocols: []sequencer.Protocol{p.room}, Followers: []sequencer.Follower{p},
		Clock: m.clock.Now, Logger: slog.New(slog.DiscardHandler), Limits: sequencer.DefaultLimits,
		ChunkUsed: func() uint64 { return uint64(p.log.ChunkUsed()) }, Index: head.LastIndex, Raft: p.line.Identity.Config, Workers: 1}
	config.Limits.ChunkBytes = chunkBytes
	config.Limits.Queue = 64
	if recovers {
		var err error
		if config.Opening, err = w.service.recovery(p.line, head.Prefix, p.identity, p.id, m.number); err != nil {
			w.failf("a recovery record cannot be made: %v", err)
		}
	}
	p.sequencer = sequencer.New(config)
	start := consensus.Start{ID: p.id, Term: term, First: 1, Line: p.line, Recovers: recovers,
		Last: consensus.Position{Index: head.LastIndex, Term: head.LastTerm, Prefix: head.Prefix}}
	var err error
	p.driver, err = consensus.New(p.log, start, consensus.Options{ElectionTicks: electionTicks, HeartbeatTicks: heartbeatTicks,
		Logger: slog.New(slog.DiscardHandler), Clock: m.clock.Now, Random: w.random})
	if err != nil {
		w.failf("%v: %v", p, err)
	}
	p.line = nil
	p.desk = newDesk(p)
	p.sequencer.Attach(proposer{p}, p.desk)
	if !recovers {
		p.sequencer.ServeFrom(p.admitted)
	}
	w.note("%v runs from %d in term %d", p, head.LastIndex, term)
	if len(p.world.processes) == 2 || recovers { // the first of a network need not wait
		if err := p.driver.Campaign(); err != nil {
			p.faulty(err)
			return
		}
	}
	p.tick()
	if !p.dead {
		p.later(promoteEvery, p.aspire)
	}
}

func (p *process) viewAt(seqno uint64) uint64 {
	if seqno == 0 || seqno > uint64(len(p.views)) {
		return 0
	}
	return p.views[seqno-1]
}

// replay verifies the ledger from genesis and brings the state to its end.
func (p *process) replay() (err error) {
	if p.room, err = newRoom(); err != nil {
		return err
	}
	p.line, p.views, p.requests = lineage.New(p.world.service.authorities...), nil, map[uint64]sequencer.TxID{}
	// What the checker verified need not be verified each time: it takes most of
	// the time that a simulation has.
	trusting := p.world.random.IntN(8) > 0
	chain := p.world.check.chain
	return eachEntry(p.log, 1, func(e *format.Entry, before format.Hash) error {
		if e.Kind != format.EntryBlock {
			return p.line.Pass(e, before)
		}
		verify := p.line.Extend
		if trusting && e.Index > 1 && e.Index <= uint64(len(chain)) && chain[e.Index-2].prefix == before {
			verify = p.line.Take
		}
		if err := verify(e, before); err != nil {
			return err
		}
		b, err := envelope.Open(p.world.service.ring, e)
		if err != nil {
			return err
		}
		for i := range b.Records {
			p.views = append(p.views, b.Header.View)
			if id := b.Records[i].Private.NativeID; len(id) > 0 {
				p.requests[binary.BigEndian.Uint64(id)] = sequencer.TxID{View: b.Header.View, Seqno: b.Records[i].Prelude.Seqno}
			}
		}
		return sequencer.Apply(p.room.store, b)
	})
}

func (p *process) tick() {
	p.driver.Tick()
	p.pump()
	if !p.dead {
		p.later(p.machine.clock.lasts(tick), p.tick)
	}
}

// pump carries out what the driver wants.
func (p *process) pump() {
	for !p.dead {
		e, more, err := p.driver.Ready()
		if err != nil {
			p.faulty(err)
			return
		}
		if !more {
			break
		}
		p.effects(&e)
	}
	if !p.dead {
		p.world.check.stepped(p)
	}
}

func (p *process) effects(e *consensus.Effects) {
	w := p.world
	for _, a := range e.Appends {
		if len(a.Entries) > 0 {
			w.check.appends(p, a.Entries)
		}
	}
	if len(e.Appends) > 0 {
		p.pending = append(p.pending, e.Appends...)
		p.write()
	}
	if p.dead {
		return
	}
	w.check.stepped(p)
	for _, m := range e.Messages {
		p.send(m)
	}
	for _, r := range e.Refusals {
		w.refuse(p, r)
	}
	if len(e.Committed) > 0 {
		w.check.handedOn(p, e.Committed)
		p.commits = append(p.commits, e.Committed...)
		p.publish()
	}
	for _, r := range e.Reads {
		p.confirmed(r)
	}
	if e.Lead != nil {
		w.note("%v seals in view %d", p, e.Lead.View)
		p.sequencer.Led(*e.Lead)
		p.turn()
	}
}

func (p *process) send(m *raftpb.Message) {
	w := p.world
	w.check.sends(p, m)
	to := w.processOf(m.GetTo())
	if to == nil {
		return
	}
	m = w.liar.lie(p, m)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		w.failf("a message cannot be encoded: %v", err)
	}
	w.network.send(p.machine.number, to.machine.number, func() {
		to.run(func() { to.deliver(p, data) })
	})
}

func (p *process) deliver(from *process, data []byte) {
	w := p.world
	m := &raftpb.Message{}
	if err := proto.Unmarshal(data, m); err != nil {
		w.failf("a message cannot be decoded: %v", err)
	}
	if p.dismissed(from.id) {
		w.note("%v does not hear %d, which is retired", p, from.id)
		w.network.send(p.machine.number, from.machine.number, func() { from.run(from.leave) })
		return
	}
	w.event("%v <- %d %v term %d index %d commit %d entries %d reject %v", p, m.GetFrom(), m.GetType(), m.GetTerm(), m.GetIndex(), m.GetCommit(), len(m.GetEntries()), m.GetReject())
	if err := p.driver.Step(m); err != nil {
		w.note("%v refuses it: %v", p, err)
		w.stats.Refused++
	}
	p.pump()
}

// write makes what is pending durable: written now, synced a while later. What
// comes meanwhile shares the next sync.
func (p *process) write() {
	if p.writing || len(p.pending) == 0 {
		return
	}
	batch := p.pending
	p.pending = nil
	p.writing = true
	w, m := p.world, p.machine
	wrote := false
	for _, a := range batch {
		if a.Term != 0 {
			if err := p.log.SetVote(a.Term, a.Vote); err != nil {
				p.faulty(err)
				return
			}
		}
		if len(a.Entries) > 0 {
			m.overwrites(a.Entries[0].Index)
			if err := p.log.Append(a.Entries); err != nil {
				p.faulty(err)
				return
			}
			m.wrote(a.Entries)
			m.synced = max(m.synced, min(p.log.Head().Synced, uint64(len(m.stored))))
			wrote = true
		}
	}
	took := m.storage.sync/2 + time.Duration(w.random.Int64N(int64(m.storage.sync)+1))
	p.later(took, func() {
		w.event("%v synced", p)
		if wrote {
			if err := p.log.Sync(); err != nil {
				p.faulty(err)
				return
			}
			m.synced = p.log.Head().Synced
		}
		for _, a := range batch {
			if err := p.driver.Appended(a); err != nil {
				p.faulty(err)
				return
			}
		}
		p.writing = false
		p.pump()
		if !p.dead {
			p.write()
		}
	})
}

// publish hands committed entries to the sequencer, a moment later.
func (p *process) publish() {
	if p.publishes {
		return
	}
	p.publishes = true
	p.later(time.Duration(p.world.random.Int64N(int64(300*time.Microsecond))), func() {
		p.publishes = false
		entries := p.commits
		p.commits = nil
		last := entries[len(entries)-1].Index
		p.world.event("%v publishes up to %d", p, last)
		if err := p.sequencer.Committed(entries); err != nil {
			p.world.failf("%v: a committed entry cannot be applied: %v", p, err)
		}
		p.published = last
		p.world.check.visible = max(p.world.check.visible, last)
		if p.sequencer.Index() != last {
			p.world.failf("%v published up to %d, the sequencer says %d", p, last, p.sequencer.Index())
		}
		p.serveReads()
		p.turn()
	})
}

// turn lets the sequencer work, soon.
func (p *process) turn() {
	if p.turning {
		return
	}
	p.turning = true
	p.later(time.Duration(p.world.random.Int64N(int64(100*time.Microsecond))), func() {
		p.turning = false
		wait := p.sequencer.Step()
		p.pump()
		if wait > 0 && !p.dead {
			p.later(wait, p.turn)
		}
	})
}

// Committed implements sequencer.Follower.
func (p *process) Committed(c *sequencer.Committed) { p.world.check.published(p, c) }

var errSeal = errors.New("the signer failed when it had signed")

// proposer hands blocks to the driver and shows each one to the checker.
type proposer struct{ p *process }

func (o proposer) Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error) {
	return o.p.driver.Propose(view, func(at consensus.Position) ([]byte, error) {
		body, err := seal(at)
		if err == nil {
			o.p.world.check.sealed(o.p, body)
		}
		if o.p.sealFails {
			o.p.sealFails = false
			o.p.world.note("a seal of %v fails in view %d", o.p, view)
			return nil, errSeal
		}
		return body, err
	})
}
