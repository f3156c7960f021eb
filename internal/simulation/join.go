package simulation

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// How often a process asks again to join, and to become a voter.
const (
	joinEvery    = 60 * time.Millisecond
	promoteEvery = 100 * time.Millisecond
)

// errLater says that a record is under way: whoever asked asks again.
var errLater = errors.New("a membership record is under way")

// view is a process as its membership.Keeper sees the network.
type view struct{ p *process }

func (v view) Leader() uint64           { return v.p.driver.Status().Leader }
func (v view) Members() lineage.Members { return v.p.members() }
func (v view) Head() (height, index uint64) {
	return v.p.sequencer.Head().Height, v.p.published
}
func (v view) Match(id uint64) (uint64, bool) {
	peer := v.p.driver.Status().Peers[id]
	return peer.Match, peer.Active
}

// Level is that of the ledger's end as the checker follows it: no run raises it.
func (v view) Level() uint64 { return v.p.world.check.line.Identity.Level }

func (v view) View() uint64 {
	serving, _ := v.p.sequencer.Serving()
	return serving
}

// Record submits a record. It does not wait, which a simulation cannot: the
// keeper hears errLater.
func (v view) Record(view uint64, d *envelope.Draft) error {
	p := v.p
	if p.changing != nil {
		return errLater
	}
	t, err := p.sequencer.Submit(&sequencer.Request{Decoded: d, View: view})
	if err != nil {
		return err
	}
	p.changing = t
	p.turn()
	return errLater
}

func (v view) Transfer(context.Context) error {
	if err := v.p.driver.Transfer(0); err != nil {
		return err
	}
	v.p.pump()
	return nil
}

// members are the nodes of the ledger as far as it is published here.
func (p *process) members() lineage.Members { return p.world.check.membersAt(p.published) }

// keeper is the product's keeper of the network's membership on this node. It is
// asked only while no record of it is under way, so one change at a time.
func (p *process) keeper() (*membership.Keeper, bool) {
	if p.changing != nil {
		select {
		case <-p.changing.Done():
			p.changing = nil
		default:
			return nil, false
		}
	}
	s := p.world.service
	return &membership.Keeper{ID: p.id, Bundle: s.bundle,
		Export:  func(*ecdh.PublicKey, []byte) ([]byte, error) { return nil, nil },
		Rule:    membership.EvidenceRule{Genesis: p.world.check.line.Identity.Genesis, Authorities: s.authorities},
		Network: view{p}, Clock: p.machine.clock.Now, Lag: 16}, true
}

// converse holds a conversation with the primary as this machine sees the
// network: ask is called on it, after a while.
func (p *process) converse(ask func(primary *process)) {
	w := p.world
	primary := w.primarySeenFrom(p.machine.number)
	if primary == nil {
		return
	}
	w.network.send(p.machine.number, primary.machine.number, func() {
		primary.run(func() {
			if !p.dead {
				ask(primary)
			}
		})
	})
}

// seek asks to join until the process is admitted and runs.
func (p *process) seek() {
	if p.dead || p.driver != nil {
		return
	}
	if info := p.world.check.memberOf(p.identity.Writer()); info != nil && p.admitted > 0 {
		p.catchUp(info.Node.RaftID)
	} else {
		p.converse(p.askToJoin)
	}
	if !p.dead && p.driver == nil {
		p.later(p.machine.clock.lasts(joinEvery), p.seek)
	}
}

// askToJoin runs on the primary.
func (p *process) askToJoin(primary *process) {
	w, s, i := p.world, p.world.service, p.identity
	keeper, free := primary.keeper()
	if !free {
		return
	}
	if p.request == nil {
		rand.Read(p.session[:])
		binding := attest.JoinBinding{Service: s.bundle.Service.ID, Mode: s.bundle.Service.Mode, NodeKey: i.SPKI(), NodeHPKEKey: i.HPKE.PublicKey().Bytes(), Session: p.session}
		evidence, err := s.evidence(binding.ReportData())
		if err != nil {
			w.failf("evidence cannot be made: %v", err)
		}
		p.request = &membership.Request{Reads: format.Highest, Key: i.SPKI(), HPKEKey: i.HPKE.PublicKey().Bytes(), Evidence: evidence, Address: address(p.machine.number)}
	}
	answer, err := keeper.Admit(p.request, i.Writer(), p.session)
	switch {
	case err == nil:
		w.event("%v admits %v as %d", primary, p.machine, answer.RaftID)
		w.network.send(primary.machine.number, p.machine.number, func() {
			p.run(func() { p.admitted = max(p.admitted, answer.Index) })
		})
	case errors.Is(err, errLater), errors.Is(err, sequencer.ErrNotPrimary):
	default:
		w.failf("%v refuses %v: %v", primary, p, err)
	}
}

// catchUp brings the ledger to one that the network's continues, with the help of
// any node that has all that was committed when this one was admitted.
func (p *process) catchUp(id uint64) {
	w, m := p.world, p.machine
	var from *process
	for _, other := range w.machines {
		if q := other.process; q != nil && q.driver != nil && q.published >= p.admitted && w.network.reaches(m.number, other.number) {
			from = q
			break
		}
	}
	if from == nil {
		return
	}
	theirs := from.machine.stored[:from.published]
	common := 0
	for common < min(len(theirs), len(m.stored)) && theirs[common] == m.stored[common] {
		common++
	}
	if held, err := heldAsCommitted(p.log); err != nil || held > uint64(common) {
		w.check.honest(m, "its ledger holds entry %d as committed, the network's agrees with it up to %d (%v)", held, common, err)
	}
	if common < len(m.stored) {
		w.note("%v drops its entries from %d on", p, common+1)
		m.overwrites(uint64(common) + 1)
		if err := p.log.Cut(uint64(common)); err != nil {
			p.faulty(err)
			return
		}
		m.stored, m.synced = m.stored[:common], uint64(common)
	}
	if common == 0 || len(theirs)-common > 200 && w.random.IntN(2) == 0 { // a fresh joiner gets files, others may
		if err := p.copyFrom(from, uint64(common)); err != nil {
			p.faulty(err)
			return
		}
	}
	p.launch(id, false)
}

// copyFrom takes what is committed from another node's ledger. It is verified
// like every ledger that a process starts from.
func (p *process) copyFrom(from *process, have uint64) error {
	entries, err := from.log.Entries(have+1, from.published+1, 1<<30)
	if err != nil {
		return err
	}
	if err := p.log.Append(entries); err != nil {
		return err
	}
	p.machine.wrote(entries)
	if err := p.log.Sync(); err != nil {
		return err
	}
	p.machine.synced = p.log.Head().Synced
	return nil
}

// heldAsCommitted is the index of the last block that the log's own headers call
// committed.
func heldAsCommitted(log *ledger.Log) (uint64, error) {
	head := log.Head()
	for index := head.LastIndex; index > 0; index-- {
		e, err := log.Entry(index)
		if err != nil {
			return 0, err
		}
		if e.Kind != format.EntryBlock {
			continue
		}
		h, err := format.PeekHeader(e.Body)
		if err != nil {
			return 0, err
		}
		at, ok := log.IndexOf(h.Committed)
		if !ok {
			return 0, errors.New("a block that is called committed is not there")
		}
		return at, nil
	}
	return 0, nil
}

// aspire asks to become a voter until it is one.
func (p *process) aspire() {
	if p.dead {
		return
	}
	if info := p.members().Get(p.id); info != nil && info.Status == format.NodeLearner {
		promotion := &membership.Promotion{Index: p.published, Replaces: p.world.check.idsOf(p.machine.keys)}
		p.converse(func(primary *process) {
			keeper, free := primary.keeper()
			if !free {
				return
			}
			err := keeper.Promote(p.id, promotion)
			if err != nil && !errors.Is(err, errLater) && !errors.Is(err, sequencer.ErrNotPrimary) && !errors.Is(err, membership.ErrBehind) && !errors.Is(err, membership.ErrNoMajorityLeft) && !errors.Is(err, membership.ErrUnknownNode) {
				p.world.failf("%v does not promote %v: %v", primary, p, err)
			}
		})
	}
	switch s := p.driver.Status(); {
	case s.Role == consensus.RoleRetired:
		p.leave()
	case s.Leader == 0: // nobody writes to it: it may have been retired unheard
		p.converse(func(primary *process) {
			if primary.dismissed(p.id) {
				p.world.network.send(primary.machine.number, p.machine.number, func() { p.run(p.leave) })
			}
		})
	}
	p.later(p.machine.clock.lasts(promoteEvery), p.aspire)
}

// dismissed reports whether this node takes another for retired and gone, as the
// transport does: then it talks to it no more, but says so.
func (p *process) dismissed(id uint64) bool {
	info := p.members().Get(id)
	return info != nil && info.Status == format.NodeRetired && !p.driver.Status().Config.Has(id)
}

// leave ends a process that is retired; its machine may start another.
func (p *process) leave() {
	p.world.note("%v is retired", p)
	m := p.machine
	m.exit("it is retired")
	p.world.after(p.world.upTo(time.Second), m.start)
}

// retire asks the primary to retire a node.
func (p *process) retire(primary *process) {
	keeper, free := primary.keeper()
	if !free {
		return
	}
	err := keeper.Retire(context.Background(), p.id)
	p.world.note("%v is asked to retire %v: %v", primary, p, err)
}

// replaced are the raft ids of a machine's earlier processes.
func (c *checker) idsOf(keys []format.Hash) []uint64 {
	var ids []uint64
	for _, n := range c.line.Identity.Nodes.All() {
		if n.Status != format.NodeRetired && slices.Contains(keys, format.Sum(n.Node.Key)) {
			ids = append(ids, n.Node.RaftID)
		}
	}
	return ids
}

// memberOf is the node whose key this is, nil when the committed ledger has none.
func (c *checker) memberOf(key format.Hash) *format.NodeInfo {
	return c.line.Identity.Nodes.Writer(key)
}

// membersAt are the nodes behind an entry.
func (c *checker) membersAt(index uint64) lineage.Members {
	if index == 0 {
		return lineage.Members{}
	}
	return c.members[index-1]
}
