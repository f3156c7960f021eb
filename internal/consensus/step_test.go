package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// three is a network of three whose node 1 leads.
func three(t *testing.T) (*cluster, *history) {
	t.Helper()
	c := newCluster(t, newService(t))
	begin := c.s.voters(3)
	for id := uint64(1); id <= 3; id++ {
		c.add(id, begin.log(), nil)
	}
	if err := c.peers[1].Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(1)
	c.settle()
	return c, begin
}

// led is that network when node 1 has sealed a block that is still under way to
// node 2.
func led(t *testing.T) (*cluster, *raftpb.Message) {
	c, _ := three(t)
	c.propose(1)
	for _, l := range c.wire {
		if l.to == 2 && len(l.m.GetEntries()) > 0 {
			c.wire = nil
			return c, l.m
		}
	}
	t.Fatal("no block is under way")
	return nil, nil
}

// TestWrongBlocksAreRefused changes a block in each way that a wrong or hostile
// primary could; none may reach Raft's log, and the right one does afterwards.
func TestWrongBlocksAreRefused(t *testing.T) {
	c, right := led(t)
	p := c.peers[2]
	was := p.last()
	reseal := func(change func(*format.Header, *format.Block)) []byte {
		raw, h, err := format.DecodeBlock(right.Entries[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		change(h, raw)
		raw.Header = h.Encode()
		return raw.Encode()
	}
	bodies := map[string][]byte{
		"another root":   reseal(func(h *format.Header, _ *format.Block) { h.Root[3] ^= 1 }),
		"another link":   reseal(func(h *format.Header, _ *format.Block) { h.Previous[3] ^= 1 }),
		"another prefix": reseal(func(h *format.Header, _ *format.Block) { h.Prefix[3] ^= 1 }),
		"another signature": reseal(func(_ *format.Header, b *format.Block) {
			b.Signature = bytes.Clone(b.Signature)
			b.Signature[len(b.Signature)-1] ^= 1
		}),
		"another writer":  reseal(func(h *format.Header, _ *format.Block) { h.Writer = c.s.author(2).writer() }),
		"another record":  reseal(func(_ *format.Header, b *format.Block) { b.Records[0] = slices.Concat(b.Records[0][:9], []byte{1}) }),
		"another view":    reseal(func(h *format.Header, _ *format.Block) { h.View++ }),
		"a later height":  reseal(func(h *format.Header, _ *format.Block) { h.Height++ }),
		"an earlier time": reseal(func(h *format.Header, _ *format.Block) { h.Time -= 1e9 }),
		"no block at all": []byte("a block"),
	}
	for what, body := range bodies {
		m := proto.Clone(right).(*raftpb.Message)
		m.Entries[0].Data = body
		err := p.Step(m)
		p.collect()
		if !errors.Is(err, ErrMessage) || p.last() != was {
			t.Fatalf("%s: %v; the log ends at %+v", what, err, p.last())
		}
		if n := len(p.refusals); n == 0 || p.refusals[n-1].To != 1 || p.refusals[n-1].Term != 3 || p.refusals[n-1].Index != was.Index+1 {
			t.Fatalf("%s: the primary is not told: %+v", what, p.refusals)
		}
	}
	p.refusals = nil
	if err := p.Step(right); err != nil {
		t.Fatal(err)
	}
	c.after(2)
	if p.last().Index != was.Index+1 || len(c.wire) != 0 {
		t.Fatalf("the right block is not taken: the log ends at %+v, %d messages", p.last(), len(c.wire))
	}
	c.settle()
}

// TestWhatRaftNeverSees lists messages that no correct node sends; some of them
// would make Raft panic.
func TestWhatRaftNeverSees(t *testing.T) {
	c, right := led(t)
	follower, leader := c.peers[2], c.peers[1]
	change := func(f func(*raftpb.Message)) *raftpb.Message {
		m := proto.Clone(right).(*raftpb.Message)
		f(m)
		return m
	}
	of := func(kind raftpb.MessageType, from, to, term uint64) *raftpb.Message {
		return &raftpb.Message{Type: kind.Enum(), From: new(from), To: new(to), Term: new(term)}
	}
	with := func(m *raftpb.Message, f func(*raftpb.Message)) *raftpb.Message { f(m); return m }
	for i, m := range []*raftpb.Message{
		change(func(m *raftpb.Message) { m.To = new(uint64(3)) }),
		change(func(m *raftpb.Message) { m.From = new(uint64(2)) }),
		change(func(m *raftpb.Message) { m.From = new(uint64(0)) }),
		change(func(m *raftpb.Message) { m.Term = nil }),
		change(func(m *raftpb.Message) { m.Entries[0].Index = new(uint64(99)) }),
		change(func(m *raftpb.Message) { m.Entries[0].Term = new(uint64(9)) }),
		change(func(m *raftpb.Message) { m.Entries[0].Term = new(uint64(1)) }),
		change(func(m *raftpb.Message) { m.Entries[0].Type = raftpb.EntryConfChange.Enum() }),
		change(func(m *raftpb.Message) { m.Entries[0].Type = raftpb.EntryConfChangeV2.Enum() }),
		change(func(m *raftpb.Message) { m.Snapshot = &raftpb.Snapshot{} }),
		change(func(m *raftpb.Message) { m.Responses = []*raftpb.Message{{}} }),
		with(of(raftpb.MsgHeartbeat, 1, 2, 3), func(m *raftpb.Message) { m.Commit = new(uint64(99)) }),
		of(raftpb.MsgSnap, 1, 2, 3), of(raftpb.MsgProp, 1, 2, 3), of(raftpb.MsgHup, 1, 2, 3), of(raftpb.MsgBeat, 1, 2, 3),
		of(raftpb.MsgCheckQuorum, 1, 2, 3), of(raftpb.MsgUnreachable, 1, 2, 3), of(raftpb.MsgSnapStatus, 1, 2, 3),
		of(raftpb.MsgTransferLeader, 1, 2, 3), of(raftpb.MsgStorageAppend, 1, 2, 3), of(raftpb.MsgForgetLeader, 1, 2, 3),
		of(raftpb.MsgStorageAppendResp, 1, 2, 3), of(raftpb.MsgReadIndex, 1, 2, 0), of(raftpb.MsgReadIndexResp, 1, 2, 3),
	} {
		was, status := follower.last(), follower.raft.BasicStatus()
		if err := follower.Step(m); !errors.Is(err, ErrMessage) || follower.last() != was || follower.raft.BasicStatus().GetTerm() != status.GetTerm() {
			t.Fatalf("message %d, %v: %v", i, m, err)
		}
	}
	for i, m := range []*raftpb.Message{
		with(of(raftpb.MsgAppResp, 2, 1, 3), func(m *raftpb.Message) { m.Index = new(uint64(99)) }),
		with(of(raftpb.MsgHeartbeatResp, 2, 1, 3), func(m *raftpb.Message) { m.Context = []byte("short") }),
		with(of(raftpb.MsgHeartbeatResp, 2, 1, 3), func(m *raftpb.Message) { m.Context = []byte("\xff\xff\xff\xff\xff\xff\xff\xff") }),
		with(of(raftpb.MsgReadIndex, 2, 1, 0), func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{{}} }),
	} {
		if err := leader.Step(m); !errors.Is(err, ErrMessage) {
			t.Fatalf("message %d to the leader, %v: %v", i, m, err)
		}
	}
	c.after(2)
	c.after(1)
	c.run(3)
	if got := c.leader(); got != leader {
		t.Fatalf("%v leads", got)
	}
}

// TestUnverifiedNeverAppended gives a follower messages whose place it has not:
// Raft answers them, and gets no entry.
func TestUnverifiedNeverAppended(t *testing.T) {
	c, right := led(t)
	p := c.peers[2]
	was := p.last()
	for _, f := range []func(*raftpb.Message){
		func(m *raftpb.Message) { m.LogTerm = new(uint64(1)); m.Entries[0].Data = []byte("x") },
		func(m *raftpb.Message) { // a place behind the log's end
			m.Index = new(was.Index + 5)
			m.Entries[0].Index, m.Entries[0].Data = new(was.Index+6), []byte("x")
		},
		func(m *raftpb.Message) { // it contradicts what is committed
			m.Index, m.LogTerm = new(uint64(6)), new(uint64(2))
			m.Entries[0].Index, m.Entries[0].Data = new(uint64(7)), []byte("x")
		},
		func(m *raftpb.Message) { // an earlier term
			m.Term, m.LogTerm = new(uint64(2)), new(uint64(2))
			m.Entries[0].Term, m.Entries[0].Data = new(uint64(2)), []byte("x")
		},
	} {
		m := proto.Clone(right).(*raftpb.Message)
		f(m)
		if err := p.Step(m); err != nil {
			t.Fatal(err)
		}
		if p.last() != was {
			t.Fatalf("%v is appended", m)
		}
	}
	c.after(2)
	answers := 0
	for c.sync(2) {
	}
	for _, l := range c.wire {
		if l.m.GetType() == raftpb.MsgAppResp {
			answers++
		}
	}
	if answers != 4 {
		t.Fatalf("%d answers", answers)
	}
}

func TestRetiredNodesAreNotHeard(t *testing.T) {
	c, _ := led(t)
	c.settle()
	members := c.peers[1].line.Committed().Identity.Nodes
	c.run(1)
	if !c.propose(1, c.s.membership(members, format.NodeRetired, 3)) {
		t.Fatal("not sealed")
	}
	c.run(3)
	if role := c.peers[3].Status().Role; role != RoleRetired {
		t.Fatalf("node 3 is %s", role)
	}
	err := c.peers[2].Step(&raftpb.Message{Type: raftpb.MsgPreVote.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(uint64(9)), Index: new(uint64(99)), LogTerm: new(uint64(8))})
	if !errors.Is(err, ErrMessage) {
		t.Fatal(err)
	}
}

// TestChaos lets three to five nodes live through loss, delay, partitions, slow
// disks, restarts and reconfiguration, decided by a seed.
func TestChaos(t *testing.T) {
	s := newService(t)
	seeds := uint64(30)
	if testing.Short() {
		seeds = 6
	}
	moved, changed := 0, 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			old := s.t
			s.t = t
			defer func() { s.t = old }()
			a, b := chaos(t, s, seed)
			moved, changed = moved+a, changed+b
		})
	}
	if moved < int(seeds) || changed < int(seeds) {
		t.Fatalf("in %d seeds leadership began %d times and the configuration changed %d times", seeds, moved, changed)
	}
}

func chaos(t *testing.T, s *service, seed uint64) (views, changes int) {
	rng := rand.New(rand.NewPCG(seed, 99))
	c := newCluster(t, s)
	begin := s.voters(3)
	for id := uint64(1); id <= 3; id++ {
		c.add(id, begin.log(), seeded(seed))
	}
	next := uint64(4)
	for range 6000 {
		ids := c.ids()
		id := ids[rng.IntN(len(ids))]
		switch n := rng.IntN(1000); {
		case n < 300:
			c.tick(id)
		case n < 550:
			c.sync(id)
		case n < 950:
			if len(c.wire) == 0 {
				continue
			}
			i := 0
			if rng.IntN(10) == 0 {
				i = rng.IntN(len(c.wire))
			}
			l := c.wire[i]
			if c.wire = slices.Delete(c.wire, i, i+1); rng.IntN(30) > 0 {
				c.hand(l)
			}
		case n < 975:
			if p := c.leader(); p != nil {
				c.propose(p.id)
			}
		case n < 978:
			c.cut[[2]uint64{id, ids[rng.IntN(len(ids))]}] = true
		case n < 984:
			clear(c.cut)
		case n < 986:
			c.read(id)
		case n < 988:
			c.held[id] = !c.held[id]
		case n < 990:
			if p := c.leader(); p != nil && p.id == id {
				_ = p.Transfer(0)
				c.after(id)
			}
		case n < 991 && len(c.peers) > 3:
			c.crash(id)
		default:
			next = reshape(c, rng, next, seed)
		}
	}
	clear(c.cut)
	clear(c.held)
	c.run(100)
	if leader := c.leader(); leader == nil && c.alive() {
		t.Fatal("nobody leads although all faults are healed")
	} else if leader != nil {
		for _, id := range leader.config.Voters {
			if p := c.peers[id]; p != nil && p.base.Index != leader.base.Index {
				t.Fatalf("voter %d has applied %d, the leader %d", id, p.base.Index, leader.base.Index)
			}
		}
	}
	for _, p := range c.peers {
		changes = max(changes, configs(p.log))
	}
	return len(c.leaders), changes
}

// reshape lets whoever leads change the table: somebody joins, is promoted or
// retires.
func reshape(c *cluster, rng *rand.Rand, next, seed uint64) uint64 {
	p := c.leader()
	if p == nil || !p.sealing {
		return next
	}
	end, _, err := p.line.End()
	if err != nil {
		c.t.Fatal(err)
	}
	members := end.Identity.Nodes
	learners, voters := members.IDs(format.NodeLearner), members.IDs(format.NodeVoter)
	switch n := rng.IntN(3); {
	case n == 0 && len(learners) < 2:
		id := members.Highest() + 1
		if c.propose(p.id, c.s.membership(members, format.NodeLearner, id)) && c.peers[id] == nil {
			c.join(id, p.id, seeded(seed))
		}
	case n == 1 && len(learners) > 0:
		c.propose(p.id, c.s.membership(members, format.NodeVoter, learners[0]))
	case n == 2 && len(voters) > 3:
		if id := voters[rng.IntN(len(voters))]; id != p.id {
			c.propose(p.id, c.s.membership(members, format.NodeRetired, id))
		}
	}
	return next
}

// alive reports whether the newest configuration has a majority that runs.
func (c *cluster) alive() bool {
	var newest *peer
	for _, id := range c.ids() {
		if p := c.peers[id]; newest == nil || p.base.Index > newest.base.Index {
			newest = p
		}
	}
	for _, voters := range [][]uint64{newest.config.Voters, newest.config.Outgoing} {
		n := 0
		for _, id := range voters {
			if c.peers[id] != nil {
				n++
			}
		}
		if len(voters) > 0 && n <= len(voters)/2 {
			return false
		}
	}
	return true
}

func configs(m *memory) (n int) {
	for i := range m.entries {
		if m.entries[i].Kind == format.EntryRaftConfig {
			n++
		}
	}
	return n - 2 // of the beginning
}

func TestMissingEntriesHarmNobody(t *testing.T) {
	c, begin := three(t)
	c.crash(3)
	for range 20 {
		c.propose(1)
		c.settle()
	}
	// Node 1's older chunks are absent; a node comes that would need them.
	p := c.peers[1]
	line, at, err := c.s.follow(p.log.entries)
	if err != nil {
		t.Fatal(err)
	}
	cut := at.Index - 5
	whole := p.log.entries
	partial := &memory{entries: whole[cut-1:], first: cut}
	start := Start{ID: 1, Term: at.Term, Last: at, First: cut, Line: line}
	p.Driver = must(New(partial, start, Options{ElectionTicks: 10, HeartbeatTicks: 1, Random: rand.New(rand.NewPCG(1, 1)),
		Clock: func() time.Time { return c.s.now }}))(t)
	p.pending = nil
	p.log = partial
	d := p.Driver
	late := c.s.start(3, begin.log(), nil)
	c.peers[3] = late
	mail := func(messages []*raftpb.Message) {
		for len(messages) > 0 {
			m := messages[0]
			messages = messages[1:]
			to := c.peers[m.GetTo()]
			if err := to.Step(m); err != nil {
				t.Fatal(err)
			}
			for {
				messages = append(messages, to.collect()...)
				if !to.sync() {
					break
				}
			}
		}
	}
	if err := d.Campaign(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		for _, id := range []uint64{1, 2, 3} {
			for c.peers[id].sync() {
			}
			mail(c.peers[id].collect())
		}
		d.Tick()
	}
	if state := d.Status().Peers[3].State; state != "behind" || d.leading == 0 {
		t.Fatalf("node 3 is in state %q, node 1 leads %d", state, d.leading)
	}
	partial.entries, partial.first = append(whole[:cut-1:cut-1], partial.entries...), 1
	d.Backfilled(1)
	for range 8 {
		d.Tick()
		mail(p.collect())
		for p.sync() {
			mail(p.collect())
		}
	}
	if late.base.Index != d.base.Index || d.Status().Peers[3].State != "replicate" || d.Status().First != 1 {
		t.Fatalf("node 3 has applied %d of %d: %+v", late.base.Index, d.base.Index, d.Status())
	}
}

// FuzzStep gives a follower and a leader whatever a hostile peer could send.
func FuzzStep(f *testing.F) {
	s := newService(f)
	begin := s.voters(3)
	for kind := range raftpb.MessageType_name {
		m := &raftpb.Message{Type: raftpb.MessageType(kind).Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(3)), Index: new(uint64(7)), LogTerm: new(uint64(2)),
			Entries: []*raftpb.Entry{{Index: new(uint64(8)), Term: new(uint64(3)), Data: []byte("12345678")}}}
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
		m.Entries = nil
		m.Context = []byte("\x01\x00\x00\x00\x00\x00\x00\x00")
		if data, err = proto.Marshal(m); err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, leads bool) {
		var m raftpb.Message
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		s.t = t
		p := s.start(1, begin.log(), nil)
		if leads {
			_ = p.Campaign()
			for _, kind := range []raftpb.MessageType{raftpb.MsgPreVoteResp, raftpb.MsgVoteResp} {
				for p.collect(); p.sync(); p.collect() {
				}
				_ = p.Step(&raftpb.Message{Type: kind.Enum(), From: new(uint64(3)), To: new(uint64(1)), Term: new(uint64(3))})
			}
		}
		for range 2 {
			m.To = new(uint64(1))
			_ = p.Step(&m)
			for p.collect(); p.sync(); p.collect() {
			}
			p.Tick()
		}
		if p.ended != nil {
			t.Fatal(p.ended)
		}
		if _, _, err := s.follow(p.log.entries); err != nil && !planted.Is(planted.AcceptWrongBlock) {
			t.Fatalf("the log is no lineage any more: %v", err)
		}
	})
}
