package consensus

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// TestScenarios plays the stories in testdata/scenarios, a command a line:
//
//	nodes N                 a network of N voters, all up to date
//	campaign N, tick N K, run K, settle
//	propose N [K]           N seals K blocks
//	admit, promote, retire N...   whoever leads changes the table
//	join N from M           node N starts on what M has committed
//	crash N, restart N as M
//	isolate N..., partition N.. | M.., oneway N M, heal, lose
//	hold N, release N       a disk stops and goes on
//	keep vote-answers, keep appends, keep nothing, deliver
//	transfer N to M, read N, clock N DURATION
//	expect leader N|none, role N ROLE, config A,B[/C,D][+L], same, commit N >=K,
//	       refused N, accepted N, answered N, unanswered N, ended N, term N K, tail N K
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	s := newService(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			old := s.t
			s.t = t
			defer func() { s.t = old }()
			p := &play{cluster: newCluster(t, s)}
			for i, line := range strings.Split(string(text), "\n") {
				line, _, _ = strings.Cut(line, "#")
				words := strings.Fields(line)
				if len(words) == 0 {
					continue
				}
				p.line = i + 1
				p.do(words[0], words[1:])
			}
		})
	}
}

// play is a scenario being played.
type play struct {
	*cluster
	line   int
	before map[uint64]int // answers to reads that were seen
}

func (p *play) failf(f string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("line %d: "+f, append([]any{p.line}, args...)...)
}

func (p *play) number(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		p.failf("%v", err)
	}
	return n
}

func (p *play) numbers(words []string) []uint64 {
	var ids []uint64
	for _, w := range words {
		ids = append(ids, p.number(w))
	}
	return ids
}

func (p *play) peer(word string) *peer {
	one := p.peers[p.number(word)]
	if one == nil {
		p.failf("node %s does not run", word)
	}
	return one
}

func (p *play) do(command string, args []string) {
	p.t.Helper()
	switch command {
	case "nodes":
		begin := p.s.voters(p.number(args[0]))
		for id := range p.number(args[0]) {
			p.add(id+1, begin.log(), nil)
		}
	case "campaign":
		one := p.peer(args[0])
		if err := one.Campaign(); err != nil {
			p.failf("%v", err)
		}
		p.after(one.id)
	case "tick":
		for range p.number(args[1]) {
			p.tick(p.number(args[0]))
		}
	case "run":
		p.run(int(p.number(args[0])))
	case "settle":
		p.settle()
	case "propose":
		for range p.number(append(args, "1")[1]) {
			if !p.propose(p.peer(args[0]).id) {
				p.failf("node %s does not seal", args[0])
			}
		}
	case "admit":
		p.change(format.NodeLearner, args)
	case "promote":
		p.change(format.NodeVoter, args)
	case "retire":
		p.change(format.NodeRetired, args)
	case "join":
		p.join(p.number(args[0]), p.number(args[2]), nil)
	case "crash":
		p.crash(p.peer(args[0]).id)
	case "restart":
		p.restart(p.number(args[0]), p.number(args[2]))
	case "isolate", "partition", "oneway", "heal", "lose", "keep", "deliver":
		p.network(command, args)
	case "hold":
		p.held[p.number(args[0])] = true
	case "release":
		delete(p.held, p.number(args[0]))
	case "transfer":
		one := p.peer(args[0])
		if err := one.Transfer(p.number(args[2])); err != nil {
			p.failf("%v", err)
		}
		p.after(one.id)
	case "read":
		if p.before == nil {
			p.before = map[uint64]int{}
		}
		one := p.peer(args[0])
		p.before[one.id] = len(one.reads)
		p.read(one.id)
	case "clock":
		wrong, err := time.ParseDuration(args[1])
		if err != nil {
			p.failf("%v", err)
		}
		p.clockOf(p.number(args[0]), wrong)
	case "expect":
		p.expect(args[0], args[1:])
	default:
		p.failf("unknown command %q", command)
	}
}

// change lets whoever leads record a status of nodes.
func (p *play) change(status format.NodeStatus, args []string) {
	p.t.Helper()
	leader := p.leader()
	if leader == nil {
		p.failf("no node leads")
	}
	members := leader.line.Committed().Identity.Nodes
	if !p.propose(leader.id, p.s.membership(members, status, p.numbers(args)...)) {
		p.failf("leader %d does not seal", leader.id)
	}
}

func (p *play) network(command string, args []string) {
	switch command {
	case "isolate":
		for _, id := range p.numbers(args) {
			for other := uint64(1); other < 32; other++ {
				p.cut[[2]uint64{id, other}], p.cut[[2]uint64{other, id}] = true, true
			}
		}
	case "partition":
		at := slices.Index(args, "|")
		for _, a := range p.numbers(args[:at]) {
			for _, b := range p.numbers(args[at+1:]) {
				p.cut[[2]uint64{a, b}], p.cut[[2]uint64{b, a}] = true, true
			}
		}
	case "oneway":
		p.cut[[2]uint64{p.number(args[0]), p.number(args[1])}] = true
	case "heal":
		clear(p.cut)
	case "lose":
		p.wire = nil
	case "keep":
		p.kept = map[string]func(*raftpb.Message) bool{
			"vote-answers": func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgVoteResp },
			"appends":      func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgApp },
		}[args[0]]
	case "deliver":
		letters := p.keeping
		p.kept, p.keeping = nil, nil
		for _, l := range letters {
			p.hand(l)
		}
	}
}

func (p *play) expect(what string, args []string) {
	p.t.Helper()
	switch what {
	case "leader":
		leader := p.leader()
		if args[0] == "none" && leader != nil {
			p.failf("node %d leads", leader.id)
		} else if args[0] == "one" && leader == nil {
			p.failf("no node leads")
		} else if args[0] != "none" && args[0] != "one" && (leader == nil || leader.id != p.number(args[0])) {
			p.failf("node %v leads", leader)
		}
	case "role":
		if got := p.peer(args[0]).Status().Role; !slices.Contains(strings.Split(args[1], ","), string(got)) {
			p.failf("node %s is %s", args[0], got)
		}
	case "config":
		for _, id := range p.ids() {
			one := p.peers[id]
			if len(args) > 1 && args[1] != strconv.FormatUint(id, 10) {
				continue
			}
			if got := p.configuration(one); got != args[0] && one.Status().Role != RoleRetired && one.Status().Role != RoleOutsider {
				p.failf("node %d has configuration %s", id, got)
			}
		}
	case "same":
		for _, id := range p.ids() {
			one := p.peers[id]
			if one.config.Has(id) && (one.base.Index != p.highest || one.last().Index != p.highest) {
				p.failf("node %d has applied %d of %d; %d is committed", id, one.base.Index, one.last().Index, p.highest)
			}
		}
	case "commit":
		if got := p.peer(args[0]).Status().Commit; got < p.number(args[1]) {
			p.failf("node %s knows %d to be committed", args[0], got)
		}
	case "tail": // entries not committed
		one := p.peer(args[0])
		if got := one.last().Index - one.Status().Commit; got != p.number(args[1]) {
			p.failf("node %s has %d entries that are not committed", args[0], got)
		}
	case "refused", "accepted":
		if got := p.peer(args[0]).refused; (got > 0) != (what == "refused") {
			p.failf("node %s refused %d messages", args[0], got)
		}
	case "answered", "unanswered":
		one := p.peer(args[0])
		if got := len(one.reads) > p.before[one.id]; got != (what == "answered") {
			p.failf("the read of node %s was answered: %v", args[0], got)
		}
	case "ended":
		if p.dead[p.number(args[0])] == nil {
			p.failf("node %s did not end", args[0])
		}
	case "term":
		if got := p.peer(args[0]).Status().Term; got != p.number(args[1]) {
			p.failf("node %s is in term %d", args[0], got)
		}
	default:
		p.failf("unknown expectation %q", what)
	}
}

// configuration is written voters[/outgoing][+learners].
func (p *play) configuration(one *peer) string {
	list := func(ids []uint64) string {
		var words []string
		for _, id := range ids {
			words = append(words, strconv.FormatUint(id, 10))
		}
		return strings.Join(words, ",")
	}
	text := list(one.config.Voters)
	if one.config.Joint() {
		text += "/" + list(one.config.Outgoing)
	}
	if len(one.config.Learners) > 0 {
		text += "+" + list(one.config.Learners)
	}
	return text
}
