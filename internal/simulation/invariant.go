package simulation

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// place is a place in some log.
type place struct{ index, term uint64 }

// vote is who votes, and when.
type vote struct{ id, term uint64 }

// slot is where one node may seal one block.
type slot struct {
	view, height uint64
	writer       format.Hash
}

// checker is the bystander who sees every node. It checks after each event what
// that event can have broken. The invariants are those of CCF's consensus
// specification, restated for Raft that changes its configuration when the change
// is committed; docs/explanation/testing.md lists them.
type checker struct {
	world *world

	entries map[place]format.Entry // every entry that was ever in a log
	prefix  map[place]format.Hash
	leaders map[uint64]uint64 // by term
	votes   map[vote]uint64
	blocks  map[slot]format.Hash
	ids     map[uint64]format.Hash // raft id: the key of its process

	visible uint64 // index of the last entry that was published anywhere

	// What is committed, and the ledger followed along.
	chain   []link
	line    *lineage.Lineage
	room    *room
	configs []lineage.Config  // behind each entry of chain
	members []lineage.Members // behind each entry of chain
	heights []height
	views   []uint64 // views[i] is the view of seqno i+1
	history history
}

// height is what every node must have at a height.
type height struct {
	hash, digest format.Hash
	index        uint64
}

func newChecker(w *world) (*checker, error) {
	c := &checker{world: w, entries: map[place]format.Entry{}, prefix: map[place]format.Hash{}, leaders: map[uint64]uint64{},
		votes: map[vote]uint64{}, blocks: map[slot]format.Hash{}, ids: map[uint64]format.Hash{}, line: lineage.New(w.service.authorities...)}
	c.history = newHistory(c)
	var err error
	c.room, err = newRoom()
	return c, err
}

// failf ends the run: an invariant does not hold.
func (c *checker) failf(f string, args ...any) { c.world.failf(f, args...) }

// honest fails unless the machine's disk lied.
func (c *checker) honest(m *machine, f string, args ...any) {
	text := fmt.Sprintf(f, args...)
	if !m.storage.lied {
		c.failf("%v, whose disk never lied: %s", m, text)
	}
	c.world.note("%v, whose disk lied: %s", m, text)
}

// committed is the index of the last entry known to be committed anywhere.
func (c *checker) committed() uint64 { return uint64(len(c.chain)) }

// appends checks entries that Raft puts into a node's log.
func (c *checker) appends(p *process, entries []format.Entry) {
	first := entries[0].Index
	if first > uint64(len(p.shadow))+1 {
		c.failf("log matching: %v appends entry %d to a log of %d", p, first, len(p.shadow))
	}
	if first <= min(p.commit, c.committed()) {
		c.failf("committed entries are overwritten: %v appends at %d, it knows %d to be committed", p, first, p.commit)
	}
	p.shadow = extend(p.shadow[:first-1], entries)
	for i := range entries {
		e := &entries[i]
		at, l := place{e.Index, e.Term}, p.shadow[e.Index-1]
		if known, ok := c.prefix[at]; !ok {
			c.prefix[at], c.entries[at] = l.prefix, *e
		} else if known != l.prefix {
			c.failf("log matching: %v has another entry %d of term %d than another log, or another past of it", p, e.Index, e.Term)
		}
		if e.Index > 1 && p.shadow[e.Index-2].term > e.Term {
			c.failf("terms run back in the log of %v at %d", p, e.Index)
		}
		if l.config {
			c.onePending(p, e.Index)
		}
	}
}

// onePending checks that a configuration change is alone in what is not committed.
func (c *checker) onePending(p *process, index uint64) {
	committed := p.driver.Status().Commit
	for i := index - 1; i > committed; i-- {
		if p.shadow[i-1].config {
			c.failf("one change at a time: %v has configuration changes at %d and %d, committed is %d", p, i, index, committed)
		}
	}
}

// stepped checks what a node says of itself after an event.
func (c *checker) stepped(p *process) {
	s := p.driver.Status()
	if s.Term < p.term {
		c.failf("monotonic term: %v goes from term %d back to %d", p, p.term, s.Term)
	}
	led := c.leaders[p.term] == p.id // it may have stepped down since
	p.term = s.Term
	if s.Role == consensus.RoleLeader {
		c.leads(p, s)
	}
	if s.Commit < p.commit {
		c.failf("commit never decreases: %v goes from %d back to %d", p, p.commit, s.Commit)
	}
	if s.Commit > uint64(len(p.shadow)) {
		c.failf("%v commits %d, its log ends at %d", p, s.Commit, len(p.shadow))
	}
	before := p.commit
	p.commit = s.Commit
	for i := before + 1; i <= s.Commit; i++ {
		if i > c.committed() {
			c.commits(p, i, led || s.Role == consensus.RoleLeader)
		} else if c.chain[i-1] != p.shadow[i-1] {
			c.failf("committed logs are prefixes of each other: %v commits another entry %d than other nodes", p, i)
		}
	}
	p.applied = s.Applied
}

// leads checks a leader: the only one of its term, elected by durable votes, and
// with everything that is committed in its log.
func (c *checker) leads(p *process, s consensus.Status) {
	term := s.Term
	if who, ok := c.leaders[term]; ok {
		if who != p.id {
			c.failf("one leader per term: %v and node %d lead term %d", p, who, term)
		}
		return
	}
	c.world.stats.Elections++
	c.world.note("%v leads term %d", p, term)
	c.leaders[term] = p.id
	if onDisk, voted := p.log.Vote(); onDisk == term && voted == p.id {
		c.durableVote(p, term, p.id) // otherwise the others' votes must be enough
	}
	if !c.elected(s.Config.Voters, p, term) || len(s.Config.Outgoing) > 0 && !c.elected(s.Config.Outgoing, p, term) {
		c.failf("leaders have a majority of votes: %v leads term %d without one in configuration %+v", p, term, s.Config)
	}
	if n := c.committed(); n > uint64(len(p.shadow)) || n > 0 && p.shadow[n-1] != c.chain[n-1] {
		c.failf("leader completeness: %v leads term %d without committed entry %d", p, term, n)
	}
}

// elected reports whether a majority of these nodes voted for a leader.
func (c *checker) elected(ids []uint64, p *process, term uint64) bool {
	n := 0
	for _, id := range ids {
		if c.votes[vote{id, term}] == p.id {
			n++
		}
	}
	return n > len(ids)/2
}

// sends checks votes on their way out.
func (c *checker) sends(p *process, m *raftpb.Message) {
	if m.GetType() != raftpb.MsgVoteResp || m.GetReject() || m.GetTo() == p.id {
		return
	}
	v := vote{p.id, m.GetTerm()}
	if who, ok := c.votes[v]; ok && who != m.GetTo() {
		c.failf("one vote per term: %v votes for %d and for %d in term %d", p, who, m.GetTo(), m.GetTerm())
	}
	c.votes[v] = m.GetTo()
	c.durableVote(p, m.GetTerm(), m.GetTo())
}

// durableVote checks that a vote that others hear of is durable, or one of a
// later term.
func (c *checker) durableVote(p *process, term, who uint64) {
	onDisk, voted := p.log.Vote()
	if onDisk < term || onDisk == term && voted != who {
		c.failf("durable vote: %v votes for %d in term %d, its disk has %d in term %d", p, who, term, voted, onDisk)
	}
	v := vote{p.id, term}
	if other, ok := c.votes[v]; ok && other != who {
		c.failf("one vote per term: %v votes for %d and for %d in term %d", p, other, who, term)
	}
	c.votes[v] = who
}

// commits follows an entry that a node, as the first of all, calls committed: it
// must lead, and the entry must be durable on a majority of every configuration
// that counts. Of the configurations that took effect during the event, which one
// counted when cannot be told.
func (c *checker) commits(p *process, index uint64, leads bool) {
	if !leads {
		c.failf("%v commits entry %d, which no leader committed", p, index)
	}
	l := p.shadow[index-1]
	recovers := p.recovers && c.line.Identity.Nodes.Get(p.id) == nil // its record is not committed yet
	durable := recovers && c.onQuorum(lineage.Alone(p.id), index, l)
	for at := p.applied; at < index && !durable; at++ {
		durable = c.onQuorum(c.config(at), index, l)
	}
	if !durable {
		c.failf("committed entries are durable on a majority: entry %d of %v is not (configuration %+v)", index, p, c.config(p.applied))
	}
	e := c.entries[place{index, l.term}]
	c.follow(&e, l)
}

// config is the configuration behind an entry.
func (c *checker) config(index uint64) lineage.Config {
	if index == 0 || index > c.committed() {
		return lineage.Config{}
	}
	return c.configs[index-1]
}

func (c *checker) onQuorum(config lineage.Config, index uint64, l link) bool {
	if len(config.Voters) == 0 {
		return false
	}
	return c.majority(config.Voters, index, l) && (len(config.Outgoing) == 0 || c.majority(config.Outgoing, index, l))
}

func (c *checker) majority(ids []uint64, index uint64, l link) bool {
	n := 0
	for _, id := range ids {
		if p := c.world.processOf(id); p != nil {
			if m := p.machine; m.synced >= index && m.stored[index-1] == l {
				n++
			}
		}
	}
	return n > len(ids)/2
}

// follow takes a committed entry into the ledger that everyone must have.
func (c *checker) follow(e *format.Entry, l link) {
	var before format.Hash
	if n := len(c.chain); n > 0 {
		before = c.chain[n-1].prefix
	}
	if got := format.NextPrefix(before, e); got != l.prefix {
		c.failf("entry %d is committed behind another entry than is committed before it", e.Index)
	}
	c.chain = append(c.chain, l)
	if e.Kind == format.EntryBlock {
		c.block(e, before)
	} else if err := c.line.Pass(e, before); err != nil {
		c.failf("a committed entry is wrong: %v", err)
	}
	if e.Kind == format.EntryRaftConfig {
		c.world.stats.Reconfigurations++
	}
	c.configs = append(c.configs, c.line.Identity.Config)
	c.members = append(c.members, c.line.Identity.Nodes)
}

// block takes a committed block: it continues the ledger, and every request in it
// is new.
func (c *checker) block(e *format.Entry, before format.Hash) {
	if err := c.line.Extend(e, before); err != nil {
		c.failf("a committed block is wrong: %v", err)
	}
	b, err := envelope.Open(c.world.service.ring, e)
	if err != nil {
		c.failf("a committed block does not open: %v", err)
	}
	if err := sequencer.Apply(c.room.store, b); err != nil {
		c.failf("a committed block does not apply: %v", err)
	}
	c.heights = append(c.heights, height{b.Hash, c.room.digest(), e.Index})
	c.world.stats.Blocks++
	for i := range b.Records {
		r := &b.Records[i]
		c.views = append(c.views, b.Header.View)
		c.history.committed(r, sequencer.TxID{View: b.Header.View, Seqno: r.Prelude.Seqno})
		if r.Prelude.Kind == format.KindRecovery {
			c.world.stats.Recoveries++
		}
	}
}

// handedOn checks committed entries that a node's driver hands on: committed,
// durable here, and the same as everywhere.
func (c *checker) handedOn(p *process, entries []format.Entry) {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Index > c.committed():
			c.failf("%v hands entry %d on, committed is %d", p, e.Index, c.committed())
		case p.shadow[e.Index-1] != c.chain[e.Index-1]:
			c.failf("%v hands another entry %d on than is committed", p, e.Index)
		case p.machine.synced < e.Index:
			c.failf("%v hands entry %d on, durable here is %d", p, e.Index, p.machine.synced)
		}
	}
}

// published checks a block that becomes visible on a node.
func (c *checker) published(p *process, b *sequencer.Committed) {
	h := b.Header.Height
	switch {
	case b.Index > c.committed() || b.Index > p.machine.synced:
		c.failf("published before committed and durable: %v shows block %d of entry %d; committed is %d, durable here %d",
			p, h, b.Index, c.committed(), p.machine.synced)
	case h >= uint64(len(c.heights)):
		c.failf("%v shows block %d, which is not committed", p, h)
	case c.heights[h].hash != b.Hash || c.heights[h].index != b.Index:
		c.failf("%v shows another block %d than is committed", p, h)
	case p.room.digest() != c.heights[h].digest:
		c.failf("%v has another state behind block %d than other nodes", p, h)
	case !b.Raft.Equal(c.config(b.Index)):
		c.failf("%v has configuration %+v behind block %d, the ledger says %+v", p, b.Raft, h, c.config(b.Index))
	}
	c.world.stats.Published++
}

// sealed checks a block that a node signs: one for a view and height.
func (c *checker) sealed(p *process, body []byte) {
	raw, h, err := format.DecodeBlock(body)
	if err != nil {
		c.failf("%v seals what is no block: %v", p, err)
	}
	at, hash := slot{h.View, h.Height, h.Writer}, format.Sum(raw.Header)
	if other, ok := c.blocks[at]; ok && other != hash {
		c.failf("one block for a view and height: %v seals a second one for view %d, height %d", p, h.View, h.Height)
	}
	c.blocks[at] = hash
	if who := c.leaders[h.View]; who != p.id {
		c.failf("%v seals in view %d, which node %d leads", p, h.View, who)
	}
}

// reopened checks the ledger that is found on a disk: nothing that was durable is
// gone, and it is some log's beginning.
func (c *checker) reopened(m *machine, links []link) {
	if n := m.synced; n > uint64(len(links)) || n > 0 && links[n-1] != m.stored[n-1] {
		c.honest(m, "durable entry %d is gone from its disk, the ledger ends at %d", n, len(links))
		return
	}
	for i, l := range links {
		at := place{uint64(i) + 1, l.term}
		if known, ok := c.prefix[at]; ok && known != l.prefix {
			c.failf("%v has another entry %d of term %d on its disk than was ever in a log", m, at.index, at.term)
		}
	}
}

// began checks that a raft id is one process's only, which so never votes again
// after its end. A recovery that ended before its record was committed is tried
// again under the same id: that one was the only voter, of a later term each time.
func (c *checker) began(p *process, recovers bool) {
	if _, ok := c.ids[p.id]; ok && !(recovers && c.line.Identity.Nodes.Get(p.id) == nil) {
		c.failf("a process that ended never votes again: %v runs under raft id %d, which another process had", p, p.id)
	}
	c.ids[p.id] = p.identity.Writer()
}

// adopted checks the ledger from which a lost network is recovered: nothing that
// was committed is missing. What is behind becomes committed.
func (c *checker) adopted(p *process) {
	m := p.machine
	if n := c.committed(); n > uint64(len(m.stored)) || n > 0 && m.stored[n-1] != c.chain[n-1] {
		c.failf("a recovery loses committed entry %d: the ledger of %v ends at %d", n, m, len(m.stored))
	}
	if err := eachEntry(p.log, c.committed()+1, func(e *format.Entry, _ format.Hash) error {
		l := m.stored[e.Index-1]
		c.entries[place{e.Index, e.Term}], c.prefix[place{e.Index, e.Term}] = *e, l.prefix
		c.follow(e, l)
		return nil
	}); err != nil {
		c.failf("%v: %v", p, err)
	}
	c.visible = max(c.visible, c.committed())
}

// same reports whether all machines in the list have the committed log and
// nothing else.
func (c *checker) same(machines []*machine) bool {
	for _, m := range machines {
		if !slices.Equal(m.stored, c.chain) || m.synced != uint64(len(m.stored)) {
			return false
		}
	}
	return true
}
