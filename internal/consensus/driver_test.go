package consensus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// memory is a log in memory that counts syncs.
type memory struct {
	entries []format.Entry // entries[i] has index i+1
	term    uint64
	vote    uint64
	fail    error
}

func genesis() *memory {
	return &memory{entries: []format.Entry{{Index: 1, Term: 1, Kind: format.EntryBlock, Body: []byte("genesis")}}}
}

func (m *memory) Append(entries []format.Entry) error {
	if m.fail != nil {
		return m.fail
	}
	m.entries = append(m.entries[:entries[0].Index-1:entries[0].Index-1], entries...)
	return nil
}
func (m *memory) Sync() error                   { return m.fail }
func (m *memory) SetVote(t, v uint64) error     { m.term, m.vote = t, v; return m.fail }
func (m *memory) Term(i uint64) (uint64, error) { return m.entries[i-1].Term, nil }
func (m *memory) Entries(lo, hi uint64, _ int) ([]format.Entry, error) {
	return m.entries[lo-1 : hi-1], nil
}

func (m *memory) position() Position {
	var p Position
	for i := range m.entries {
		p = Position{m.entries[i].Index, m.entries[i].Term, format.NextPrefix(p.Prefix, &m.entries[i])}
	}
	return p
}

// peer is a driver with its log, run by hand.
type peer struct {
	*Driver
	log       *memory
	pending   []*Append
	committed []format.Entry
	lead      uint64
}

func newPeer(t *testing.T, id uint64, voters ...uint64) *peer {
	t.Helper()
	log := genesis()
	d, err := New(log, Start{ID: id, Term: 1, Last: log.position(), Voters: voters},
		Options{ElectionTicks: 10, HeartbeatTicks: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return &peer{Driver: d, log: log}
}

// collect takes effects without carrying the appends out.
func (p *peer) collect(t *testing.T) []*raftpb.Message {
	t.Helper()
	e, _, err := p.Ready()
	if err != nil {
		t.Fatal(err)
	}
	p.pending = append(p.pending, e.Appends...)
	p.committed = append(p.committed, e.Committed...)
	if e.Lead != nil {
		p.lead = e.Lead.View
	}
	return e.Messages
}

// sync carries the oldest append out.
func (p *peer) sync(t *testing.T) bool {
	t.Helper()
	if len(p.pending) == 0 {
		return false
	}
	a := p.pending[0]
	p.pending = p.pending[1:]
	if len(a.Entries) > 0 {
		if err := p.log.Append(a.Entries); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Appended(a); err != nil {
		t.Fatal(err)
	}
	return true
}

func (p *peer) settle(t *testing.T) {
	t.Helper()
	for {
		if m := p.collect(t); len(m) > 0 {
			t.Fatalf("a network of one sends %v", m)
		}
		if !p.sync(t) {
			return
		}
	}
}

func block(text string) func(Position) ([]byte, error) {
	return func(Position) ([]byte, error) { return []byte(text), nil }
}

func TestNetworkOfOneCommitsWhatIsDurable(t *testing.T) {
	p := newPeer(t, 1, 1)
	if _, err := p.Propose(2, block("early")); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("sealed before leading: %v", err)
	}
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if p.lead != 2 {
		t.Fatalf("leads view %d, want 2", p.lead)
	}
	at, err := p.Propose(2, block("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Propose(2, block("b")); err != nil {
		t.Fatal(err)
	}
	p.collect(t)
	if n := len(p.committed); n != 1 {
		t.Fatalf("%d entries committed before the blocks were durable, want 1", n)
	}
	p.settle(t)
	if got := len(p.committed); got != 3 {
		t.Fatalf("committed %d entries, want 3", got)
	}
	if at.Index != 3 || p.log.position() != p.base || p.base.Index != 4 {
		t.Fatalf("positions: proposed at %d, log ends at %+v, driver at %+v", at.Index, p.log.position(), p.base)
	}
	if k := p.log.entries[1].Kind; k != format.EntryRaftEmpty {
		t.Fatalf("the view begins with kind %d", k)
	}
}

func TestSealSeesTheTail(t *testing.T) {
	p := newPeer(t, 1, 1)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	for i := range 5 {
		var saw Position
		if _, err := p.Propose(2, func(at Position) ([]byte, error) { saw = at; return fmt.Append(nil, i), nil }); err != nil {
			t.Fatal(err)
		}
		p.settle(t)
		want := p.log.entries
		p.log.entries = want[:len(want)-1]
		if saw != p.log.position() {
			t.Fatalf("block %d was sealed on %+v, the log ends at %+v", i, saw, p.log.position())
		}
		p.log.entries = want
	}
}

func TestRefusedProposalEndsTheView(t *testing.T) {
	p := newPeer(t, 1, 1)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	sealed := 0
	broken := errors.New("broken")
	if _, err := p.Propose(2, func(Position) ([]byte, error) { sealed++; return nil, broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := p.Propose(2, func(Position) ([]byte, error) { sealed++; return []byte("x"), nil }); !errors.Is(err, ErrNotLeader) || sealed != 1 {
		t.Fatalf("sealed %d times in one view: %v", sealed, err)
	}
	for range 40 {
		p.Tick()
		p.settle(t)
	}
	if p.lead <= 2 {
		t.Fatalf("no new view begins: %d", p.lead)
	}
	if _, err := p.Propose(p.lead, block("y")); err != nil {
		t.Fatal(err)
	}
}

func TestProposalForAnotherViewIsRefused(t *testing.T) {
	p := newPeer(t, 1, 1)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	for _, view := range []uint64{0, 1, 3} {
		if _, err := p.Propose(view, block("x")); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("view %d: %v", view, err)
		}
	}
}

// TestThreeNodesAgree runs three drivers with lost and reordered messages and
// late syncs; all that commits must be the same everywhere.
func TestThreeNodesAgree(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		peers := map[uint64]*peer{}
		for id := uint64(1); id <= 3; id++ {
			peers[id] = newPeer(t, id, 1, 2, 3)
		}
		var wire []*raftpb.Message
		proposed := 0
		for step := range 4000 {
			p := peers[uint64(rng.IntN(3)+1)]
			switch rng.IntN(4) {
			case 0:
				p.Tick()
			case 1:
				p.sync(t)
			case 2:
				if p.lead != 0 {
					if _, err := p.Propose(p.lead, block(fmt.Sprintf("%d by %d", step, p.id))); err == nil {
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
					if rng.IntN(10) > 0 && m.GetType() != raftpb.MsgSnap {
						if err := peers[m.GetTo()].Step(m); err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) && !errors.Is(err, raft.ErrProposalDropped) {
							t.Fatal(err)
						}
					}
				}
			}
			wire = append(wire, p.collect(t)...)
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
