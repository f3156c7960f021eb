package consensus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// peer is a driver with its log, run by hand.
type peer struct {
	*Driver
	s         *service
	log       *memory
	pending   []*Append
	committed []format.Entry
	lead      uint64
	reads     []Read
	refusals  []Refusal
	clock     time.Duration // wrong by this much
	ended     error
}

// start makes a driver on a log; it votes as the log says.
func (s *service) start(id uint64, log *memory, change func(*Start, *Options)) *peer {
	s.t.Helper()
	line, at, err := s.follow(log.entries)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &peer{s: s, log: log}
	start := Start{ID: id, Term: at.Term, Last: at, First: log.first, Line: line}
	o := Options{ElectionTicks: 10, HeartbeatTicks: 1, Random: rand.New(rand.NewPCG(id, 7)),
		Clock: func() time.Time { return s.now.Add(p.clock) }}
	if change != nil {
		change(&start, &o)
	}
	p.Driver = must(New(log, start, o))(s.t)
	return p
}

// alone is a network of one.
func alone(t *testing.T) *peer {
	s := newService(t)
	return s.start(1, s.voters(1).log(), nil)
}

// collect takes effects without carrying the appends out.
func (p *peer) collect() []*raftpb.Message {
	p.s.t.Helper()
	e, _, err := p.Ready()
	if err != nil {
		p.ended = err
	}
	p.pending = append(p.pending, e.Appends...)
	p.committed = append(p.committed, e.Committed...)
	p.reads = append(p.reads, e.Reads...)
	p.refusals = append(p.refusals, e.Refusals...)
	if e.Lead != nil {
		p.lead = e.Lead.View
	}
	if err != nil {
		return nil
	}
	return e.Messages
}

// sync carries the oldest append out.
func (p *peer) sync() bool {
	p.s.t.Helper()
	if len(p.pending) == 0 {
		return false
	}
	a := p.pending[0]
	p.pending = p.pending[1:]
	if a.Term != 0 {
		if err := p.log.SetVote(a.Term, a.Vote); err != nil {
			p.s.t.Fatal(err)
		}
	}
	if len(a.Entries) > 0 {
		if err := p.log.Append(a.Entries); err != nil {
			p.s.t.Fatal(err)
		}
	}
	if err := p.Appended(a); err != nil {
		p.s.t.Fatal(err)
	}
	return true
}

func (p *peer) settle() {
	p.s.t.Helper()
	for {
		if m := p.collect(); len(m) > 0 {
			p.s.t.Fatalf("a network of one sends %v", m)
		}
		if !p.sync() {
			return
		}
	}
}

// propose seals records behind the log's tail.
func (p *peer) propose(view uint64, drafts ...*envelope.Draft) (Position, error) {
	return p.Propose(view, p.block(view, drafts...))
}

func (p *peer) block(view uint64, drafts ...*envelope.Draft) func(Position) ([]byte, error) {
	return func(at Position) ([]byte, error) {
		line, _, err := p.line.End()
		if err != nil {
			return nil, err
		}
		right := p.s.now
		p.s.now = right.Add(p.clock)
		defer func() { p.s.now = right }()
		body, _ := p.s.seal(p.id, line.Head, false, at, view, drafts...)
		return body, nil
	}
}

func TestNetworkOfOneCommitsWhatIsDurable(t *testing.T) {
	p := alone(t)
	if _, err := p.propose(3, transaction("early")); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("sealed before leading: %v", err)
	}
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle()
	if p.lead != 3 {
		t.Fatalf("leads view %d, want 3", p.lead)
	}
	at, err := p.propose(3, transaction("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.propose(3, transaction("b")); err != nil {
		t.Fatal(err)
	}
	p.collect()
	if n := len(p.committed); n != 1 {
		t.Fatalf("%d entries committed before the blocks were durable, want 1", n)
	}
	p.settle()
	if got := len(p.committed); got != 3 {
		t.Fatalf("committed %d entries, want 3", got)
	}
	if at.Index != 4 || p.log.position() != p.base || p.base.Index != 5 {
		t.Fatalf("positions: proposed at %d, log ends at %+v, driver at %+v", at.Index, p.log.position(), p.base)
	}
	if k := p.log.entry(3).Kind; k != format.EntryRaftEmpty {
		t.Fatalf("the view begins with kind %d", k)
	}
	if at != p.at(4) {
		t.Fatalf("proposed at %+v, the log has %+v", at, p.at(4))
	}
}

// at is the position of an entry in the log.
func (p *peer) at(index uint64) Position {
	whole := p.log.entries
	defer func() { p.log.entries = whole }()
	p.log.entries = whole[:index]
	return p.log.position()
}

func TestSealSeesTheTail(t *testing.T) {
	p := alone(t)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle()
	for i := range 5 {
		var saw Position
		seal := p.block(3, transaction(fmt.Sprint(i)))
		if _, err := p.Propose(3, func(at Position) ([]byte, error) { saw = at; return seal(at) }); err != nil {
			t.Fatal(err)
		}
		p.settle()
		if want := p.at(saw.Index); saw != want || saw.Index+1 != p.log.position().Index {
			t.Fatalf("block %d was sealed on %+v, the log has %+v and ends at %+v", i, saw, want, p.log.position())
		}
	}
}

func TestRefusedProposalEndsTheView(t *testing.T) {
	p := alone(t)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle()
	sealed := 0
	broken := errors.New("broken")
	if _, err := p.Propose(3, func(Position) ([]byte, error) { sealed++; return nil, broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := p.Propose(3, func(Position) ([]byte, error) { sealed++; return []byte("x"), nil }); !errors.Is(err, ErrNotLeader) || sealed != 1 {
		t.Fatalf("sealed %d times in one view: %v", sealed, err)
	}
	for range 40 {
		p.Tick()
		p.settle()
	}
	if p.lead <= 3 {
		t.Fatalf("no new view begins: %d", p.lead)
	}
	if _, err := p.propose(p.lead, transaction("y")); err != nil {
		t.Fatal(err)
	}
}

func TestProposalForAnotherViewIsRefused(t *testing.T) {
	p := alone(t)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle()
	for _, view := range []uint64{0, 1, 4} {
		if _, err := p.propose(view, transaction("x")); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("view %d: %v", view, err)
		}
	}
}

// TestThreeNodesAgree runs three drivers with lost and reordered messages and
// late syncs; all that commits must be the same everywhere.
func TestThreeNodesAgree(t *testing.T) {
	s := newService(t)
	begin := s.voters(3)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		peers := map[uint64]*peer{}
		for id := uint64(1); id <= 3; id++ {
			peers[id] = s.start(id, begin.log(), func(_ *Start, o *Options) { o.Random = rand.New(rand.NewPCG(seed, id)) })
		}
		var wire []*raftpb.Message
		proposed := 0
		for step := range 4000 {
			p := peers[uint64(rng.IntN(3)+1)]
			switch rng.IntN(4) {
			case 0:
				p.Tick()
			case 1:
				p.sync()
			case 2:
				if p.lead != 0 {
					if _, err := p.propose(p.lead, transaction(fmt.Sprintf("%d by %d", step, p.id))); err == nil {
						proposed++
					} else if !errors.Is(err, ErrNotLeader) {
						t.Fatal(err)
					}
				}
			case 3:
				if len(wire) > 0 {
					i := rng.IntN(len(wire))
					m := wire[i]
					wire = append(wire[:i], wire[i+1:]...)
					if rng.IntN(10) > 0 {
						if err := peers[m.GetTo()].Step(m); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			wire = append(wire, p.collect()...)
			if p.ended != nil {
				t.Fatal(p.ended)
			}
		}
		longest := peers[1].committed
		for _, p := range peers {
			if len(p.committed) > len(longest) {
				longest = p.committed
			}
		}
		for id, p := range peers {
			for i, e := range p.committed {
				w := longest[i]
				if e.Index != w.Index || e.Term != w.Term || string(e.Body) != string(w.Body) {
					t.Fatalf("seed %d: node %d committed %+v, another %+v", seed, id, e, w)
				}
				if d := p.log.entries[e.Index-1]; d.Term != e.Term || string(d.Body) != string(e.Body) {
					t.Fatalf("seed %d: node %d handed entry %d on before it was durable", seed, id, e.Index)
				}
			}
		}
		if proposed > 0 && len(longest) == 0 {
			t.Fatalf("seed %d: nothing committed", seed)
		}
	}
}

func TestConfigurationChangesKeepTheirEncoding(t *testing.T) {
	config := format.RaftConfig{View: 3, Seqno: 17, Transition: 2, Changes: []format.ConfigChange{{Type: 0, RaftID: 4}, {Type: 1, RaftID: 1}}}
	entry := format.Entry{Index: 9, Term: 3, Kind: format.EntryRaftConfig, Body: format.Encode(&config)}
	there, err := fromEntry(&entry)
	if err != nil {
		t.Fatal(err)
	}
	back, err := toEntry(there)
	if err != nil {
		t.Fatal(err)
	}
	if string(back.Body) != string(entry.Body) || back.Kind != entry.Kind || back.Index != 9 {
		t.Fatalf("%+v came back as %+v", entry, back)
	}
}
