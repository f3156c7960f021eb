package consensus

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// cluster is a network of drivers in one goroutine: every message, tick and sync
// is an event, and after every event the invariants are checked.
type cluster struct {
	t        testing.TB
	s        *service
	peers    map[uint64]*peer   // alive
	dead     map[uint64]*memory // what ended processes left
	wire     []letter
	cut      map[[2]uint64]bool // messages from, to are lost
	held     map[uint64]bool    // disks that do not sync
	kept     func(*raftpb.Message) bool
	keeping  []letter // messages that the network keeps for later
	sealed   int
	asked    map[uint64]uint64 // by node and question: what was committed when it was asked
	question uint64
	bystander
}

// letter is a message, or a refusal, under way.
type letter struct {
	from, to uint64
	m        *raftpb.Message
	refusal  *Refusal
}

// bystander knows what an observer of all nodes knows.
type bystander struct {
	leaders   map[uint64]uint64              // by term
	entries   map[[2]uint64]format.Hash      // prefix hash by index and term
	committed map[uint64]Position            // by index
	highest   uint64                         // committed anywhere
	commit    map[uint64]uint64              // by node
	config    map[uint64]lineage.Config      // by node
	logs      map[uint64]map[uint64]Position // durable log by node and index
}

func newCluster(t testing.TB, s *service) *cluster {
	return &cluster{t: t, s: s, peers: map[uint64]*peer{}, dead: map[uint64]*memory{}, cut: map[[2]uint64]bool{}, held: map[uint64]bool{},
		asked: map[uint64]uint64{}, bystander: bystander{leaders: map[uint64]uint64{}, entries: map[[2]uint64]format.Hash{},
			committed: map[uint64]Position{}, commit: map[uint64]uint64{}, config: map[uint64]lineage.Config{},
			logs: map[uint64]map[uint64]Position{}}}
}

// add starts a node on a log, all of which is committed.
func (c *cluster) add(id uint64, log *memory, change func(*Start, *Options)) *peer {
	p := c.s.start(id, log, change)
	c.peers[id] = p
	delete(c.dead, id)
	c.logs[id] = map[uint64]Position{}
	c.note(id, log.entries, Position{})
	for index, at := range c.logs[id] {
		if was, ok := c.committed[index]; ok && was != at {
			c.t.Fatalf("node %d begins with %+v, %+v is committed", id, at, was)
		}
		c.committed[index] = at
		c.highest = max(c.highest, index)
	}
	c.commit[id], c.config[id] = p.base.Index, p.config
	return p
}

// note keeps the positions of entries that became durable on a node.
func (c *cluster) note(id uint64, entries []format.Entry, before Position) {
	if len(entries) == 0 {
		return
	}
	log := c.logs[id]
	if first := entries[0].Index; first > 1 && before == (Position{}) {
		before = log[first-1]
	}
	maps.DeleteFunc(log, func(index uint64, _ Position) bool { return index >= entries[0].Index })
	for i := range entries {
		e := &entries[i]
		before = Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(before.Prefix, e)}
		log[e.Index] = before
	}
}

func (c *cluster) ids() []uint64 { return slices.Sorted(maps.Keys(c.peers)) }

// after takes a node's effects and checks everything.
func (c *cluster) after(id uint64) {
	c.t.Helper()
	p := c.peers[id]
	for _, m := range p.collect() {
		c.wire = append(c.wire, letter{from: id, to: m.GetTo(), m: m})
	}
	for _, r := range p.refusals {
		c.wire = append(c.wire, letter{from: id, to: r.To, refusal: &r})
	}
	p.refusals = nil
	for _, r := range p.reads {
		if asked, ok := c.asked[id<<32|r.Context]; ok && r.Index < asked {
			c.t.Fatalf("node %d: a linearizable read sees up to %d, %d was committed when it was asked", id, r.Index, asked)
		}
	}
	c.check(id)
	if p.ended != nil {
		c.crash(id)
	}
}

func (c *cluster) crash(id uint64) {
	c.dead[id] = c.peers[id].log
	delete(c.peers, id)
}

// deliver gives the oldest message to its receiver; it reports whether there was one.
func (c *cluster) deliver() bool {
	c.t.Helper()
	if len(c.wire) == 0 {
		return false
	}
	l := c.wire[0]
	c.wire = c.wire[1:]
	c.hand(l)
	return true
}

func (c *cluster) hand(l letter) {
	c.t.Helper()
	p := c.peers[l.to]
	if p == nil || c.cut[[2]uint64{l.from, l.to}] {
		return
	}
	if l.m != nil && c.kept != nil && c.kept(l.m) {
		c.keeping = append(c.keeping, l)
		return
	}
	if l.refusal != nil {
		p.Refused(l.from, l.refusal.Term, l.refusal.Index)
	} else if err := p.Step(l.m); err != nil && !errors.Is(err, ErrMessage) {
		c.t.Fatalf("node %d: %v", l.to, err)
	}
	c.after(l.to)
}

// sync carries out the oldest write of a node.
func (c *cluster) sync(id uint64) bool {
	c.t.Helper()
	p := c.peers[id]
	if p == nil || c.held[id] || len(p.pending) == 0 {
		return false
	}
	entries := p.pending[0].Entries
	p.sync()
	c.note(id, entries, Position{})
	c.after(id)
	return true
}

// settle delivers and syncs until nothing is left to do.
func (c *cluster) settle() {
	c.t.Helper()
	for range 1_000_000 {
		quiet := !c.deliver()
		for _, id := range c.ids() {
			if c.sync(id) {
				quiet = false
			}
		}
		if quiet {
			return
		}
	}
	c.t.Fatal("the network does not come to rest")
}

func (c *cluster) tick(id uint64) {
	c.t.Helper()
	if p := c.peers[id]; p != nil {
		p.Tick()
		c.after(id)
	}
}

// run lets time pass for everybody.
func (c *cluster) run(ticks int) {
	c.t.Helper()
	for range ticks {
		for _, id := range c.ids() {
			c.tick(id)
		}
		c.settle()
	}
}

// leader is the node that leads the highest term, nil when no node leads.
func (c *cluster) leader() *peer {
	var best *peer
	for _, id := range c.ids() {
		if p := c.peers[id]; p.leading != 0 && (best == nil || p.leading > best.leading) {
			best = p
		}
	}
	return best
}

// propose seals one block on a node; it reports whether the node took it.
func (c *cluster) propose(id uint64, drafts ...*envelope.Draft) bool {
	c.t.Helper()
	p := c.peers[id]
	if len(drafts) == 0 {
		c.sealed++
		drafts = []*envelope.Draft{transaction(fmt.Sprintf("transaction %d", c.sealed))}
	}
	_, err := p.propose(p.leading, drafts...)
	if err != nil && !errors.Is(err, ErrNotLeader) {
		c.t.Fatalf("node %d: %v", id, err)
	}
	c.after(id)
	return err == nil
}

// read asks for a linearizable read.
func (c *cluster) read(id uint64) {
	c.question++
	c.asked[id<<32|c.question] = c.highest
	c.peers[id].ReadIndex(c.question)
	c.after(id)
}

// check asserts the invariants that node id may have broken.
func (c *cluster) check(id uint64) {
	c.t.Helper()
	p := c.peers[id]
	status := p.Status()
	if status.Role == RoleLeader {
		if other, ok := c.leaders[status.Term]; ok && other != id {
			c.t.Fatalf("nodes %d and %d both lead term %d", other, id, status.Term)
		} else if !ok {
			c.leaders[status.Term] = id
			c.complete(p)
		}
	}
	c.match(p)
	if status.Commit < c.commit[id] {
		c.t.Fatalf("node %d: the commit index runs back from %d to %d", id, c.commit[id], status.Commit)
	}
	counting := []lineage.Config{c.config[id]} // of the leader, at the time of each commit
	for index := c.commit[id] + 1; index <= status.Commit; index++ {
		at := c.agree(p, index)
		if status.Role == RoleLeader && !slices.ContainsFunc(counting, func(config lineage.Config) bool { return c.quorum(config, at) }) {
			c.t.Fatalf("leader %d commits entry %d without a majority of %+v", id, index, counting)
		}
		counting = append(counting, c.changed(p, at, counting)...)
	}
	c.commit[id], c.config[id] = status.Commit, p.config
	if status.Applied > p.durable || status.Applied > status.Commit {
		c.t.Fatalf("node %d hands entry %d on; durable are %d, committed %d", id, status.Applied, p.durable, status.Commit)
	}
	for _, e := range p.committed {
		if at := c.logs[id][e.Index]; at.Term != e.Term {
			c.t.Fatalf("node %d handed entry %d on before it was durable", id, e.Index)
		}
	}
	p.committed = nil
}

// match: the same index and term means the same log up to there.
func (c *cluster) match(p *peer) {
	c.t.Helper()
	for _, at := range p.tail {
		key := [2]uint64{at.Index, at.Term}
		if was, ok := c.entries[key]; ok && was != at.Prefix {
			c.t.Fatalf("node %d: entry %d of term %d is not everywhere the same", p.id, at.Index, at.Term)
		}
		c.entries[key] = at.Prefix
	}
}

// changed is the configuration behind a committed entry that changes it and is
// applied: further entries may be committed under it, this one was not.
func (c *cluster) changed(p *peer, at Position, before []lineage.Config) []lineage.Config {
	if c.logs[p.id][at.Index] != at || p.log.entry(at.Index).Kind != format.EntryRaftConfig {
		return nil
	}
	var change format.RaftConfig
	if err := format.Decode(p.log.entry(at.Index).Body, &change); err != nil {
		c.t.Fatal(err)
	}
	next, err := before[len(before)-1].Apply(&change)
	if err != nil {
		c.t.Fatal(err)
	}
	return []lineage.Config{next}
}

// agree: what is committed at an index never changes.
func (c *cluster) agree(p *peer, index uint64) Position {
	c.t.Helper()
	at := p.base
	if index > p.base.Index {
		at = p.tail[index-p.base.Index-1]
	} else if stored, ok := c.logs[p.id][index]; ok {
		at = stored
	}
	if was, ok := c.committed[index]; ok && was != at {
		c.t.Fatalf("node %d commits %+v, %+v is committed", p.id, at, was)
	}
	c.committed[index] = at
	c.highest = max(c.highest, index)
	return at
}

// quorum reports whether a majority of each voting set of a configuration has an
// entry on disk, those that ended included.
func (c *cluster) quorum(config lineage.Config, at Position) bool {
	for _, voters := range [][]uint64{config.Voters, config.Outgoing} {
		have := 0
		for _, id := range voters {
			if c.logs[id][at.Index] == at {
				have++
			}
		}
		if len(voters) > 0 && have <= len(voters)/2 {
			return false
		}
	}
	return true
}

// complete: a new leader has all that is committed.
func (c *cluster) complete(p *peer) {
	c.t.Helper()
	for index, at := range c.committed {
		if index > p.base.Index && (index > p.last().Index || p.tail[index-p.base.Index-1] != at) {
			c.t.Fatalf("node %d leads without committed entry %d", p.id, index)
		}
	}
}

// restart goes on with what an ended process left, as another node: what is not
// committed is cut off.
func (c *cluster) restart(old, fresh uint64) {
	log := c.dead[old]
	n := 0
	for n < len(log.entries) {
		if at, ok := c.committed[uint64(n+1)]; !ok || at != c.logs[old][uint64(n+1)] {
			break
		}
		n++
	}
	id := Restarted(old, fresh)
	c.add(id, &memory{entries: log.entries[:n:n], first: 1}, nil)
}

// join starts a node on a copy of what another one has committed.
func (c *cluster) join(id, from uint64, change func(*Start, *Options)) {
	p := c.peers[from]
	c.add(id, &memory{entries: slices.Clone(p.log.entries[:p.base.Index]), first: 1}, change)
}

func (c *cluster) clockOf(id uint64, wrong time.Duration) { c.peers[id].clock = wrong }

func seeded(seed uint64) func(*Start, *Options) {
	return func(s *Start, o *Options) { o.Random = rand.New(rand.NewPCG(seed, s.ID)) }
}
