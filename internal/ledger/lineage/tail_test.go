package lineage

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// model is a log as plain as can be: places behind every entry.
type model struct {
	s      *service
	base   place
	places []place        // behind each entry, committed ones included
	log    []format.Entry // from base on
	commit int            // entries committed
	term   uint64         // the highest used
}

func (m *model) at(n int) place {
	if n == 0 {
		return m.base
	}
	return m.places[n-1]
}

func (m *model) cut(n int) { m.log, m.places = m.log[:n:n], m.places[:n:n] }

func (m *model) add(e format.Entry) {
	m.places = append(m.places, m.at(len(m.log)).then(e))
	m.log = append(m.log, e)
}

// write continues a place as a leader of a term would, by n entries.
func (m *model) write(t *rapid.T, at place, term uint64, n int) []format.Entry {
	var list []format.Entry
	for range n {
		var e format.Entry
		id := &at.line.Identity
		choice := rapid.IntRange(0, 5).Draw(t, "entry")
		switch joiner := m.s.nodes[id.Nodes.Highest()+1]; {
		case at.line.era.term < term:
			e = empty(at, term)
		case choice == 0 && id.Config.Joint():
			e = change(at, term, id.Config.Asked)
		case choice <= 1 && Next(id.Nodes, id.Config) != nil:
			e = change(at, term, id.Changed, Next(id.Nodes, id.Config)...)
		case choice == 2 && joiner != nil:
			e = m.s.block(at, term, 1+term%3, nil, m.s.members(joiner), m.s.draft(byte(n)))
		case choice == 3 && id.Nodes.Get(4) != nil && id.Nodes.Get(4).Status == format.NodeLearner:
			e = m.s.block(at, term, 1+term%3, nil, m.s.members(as(id.Nodes.Get(4), format.NodeVoter)))
		default:
			e = m.s.block(at, term, 1+term%3, nil, m.s.draft(rapid.Byte().Draw(t, "tag")))
		}
		list = append(list, e)
		at = at.then(e)
	}
	return list
}

func (m *model) check(t *rapid.T, tail *Tail) {
	if tail.Last() != m.at(len(m.log)).index {
		t.Fatalf("the tail ends at %d, the log at %d", tail.Last(), m.at(len(m.log)).index)
	}
	if !same(tail.Committed(), m.at(m.commit).line) {
		t.Fatal("the committed lineage is another")
	}
}

// TestTailAgreesWithAPlainLineage lets leaders come and go over one log: own
// entries, entries of others once and again, forks that replace what is not
// committed, commits. The tail always is where a lineage is that follows the
// log from the start.
func TestTailAgreesWithAPlainLineage(t *testing.T) {
	s := testService()
	base, _ := s.grown(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{s: s, base: base, term: 2}
		tail := NewTail(base.line.Clone(), base.index, base.prefix)
		var leading uint64 // the term in which this node leads
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { m.check(t, tail) },
			"lead": func(t *rapid.T) {
				m.term++
				leading = m.term
				own := m.write(t, m.at(len(m.log)), leading, 1)
				tail.Append(own, true)
				m.add(own[0])
			},
			"seal": func(t *rapid.T) {
				if leading == 0 {
					t.Skip()
				}
				own := m.write(t, m.at(len(m.log)), leading, rapid.IntRange(1, 3).Draw(t, "own"))
				tail.Append(own, true)
				for _, e := range own {
					m.add(e)
				}
			},
			"follow": func(t *rapid.T) {
				leading = 0
				m.term++
				from := rapid.IntRange(m.commit, len(m.log)).Draw(t, "from")
				list := m.write(t, m.at(from), m.term, rapid.IntRange(1, 4).Draw(t, "theirs"))
				// What is there already comes again, committed or not.
				again := rapid.IntRange(0, from).Draw(t, "again")
				sent := append(append([]format.Entry{}, m.log[again:from]...), list...)
				if err := tail.Verify(sent); err != nil {
					t.Fatal(err)
				}
				m.check(t, tail)
				switch rapid.IntRange(0, 3).Draw(t, "append") {
				case 0: // Raft did not take it
					return
				case 1: // not all at once
					tail.Append(list[:1], false)
					tail.Append(list[1:], false)
				default:
					tail.Append(list, false)
				}
				m.cut(from)
				for _, e := range list {
					m.add(e)
				}
			},
			"lie": func(t *rapid.T) {
				from := rapid.IntRange(m.commit, len(m.log)).Draw(t, "from")
				at := m.at(from)
				good := m.write(t, at, m.term+1, 2)
				bad := s.block(at.then(good[0]), m.term+1, 1, func(h *format.Header) { h.Root[3]++ }, s.draft(1))
				if err := tail.Verify(append(good[:1], bad)); !errors.Is(err, ErrChain) {
					t.Fatalf("a wrong root: %v", err)
				}
				if err := tail.Verify(good[1:]); from == len(m.log) && !errors.Is(err, ErrChain) {
					t.Fatalf("entries behind a gap: %v", err)
				}
			},
			"commit": func(t *rapid.T) {
				m.commit = rapid.IntRange(m.commit, len(m.log)).Draw(t, "to")
				if err := tail.Commit(m.at(m.commit).index); err != nil {
					t.Fatal(err)
				}
			},
			"end": func(t *rapid.T) {
				line, prefix, err := tail.End()
				if at := m.at(len(m.log)); err != nil || !same(line, at.line) || prefix != at.prefix {
					t.Fatalf("the end of the log is elsewhere: %v", err)
				}
			},
			"due": func(t *rapid.T) {
				due, err := tail.Due()
				if err != nil {
					t.Fatal(err)
				}
				id, end := &m.at(m.commit).line.Identity, m.at(len(m.log))
				open := !end.line.Identity.Config.Equal(id.Config) || !id.Config.Joint() && (end.line.Identity.Changed != id.Changed || Next(id.Nodes, id.Config) == nil)
				if open != (due == nil) {
					t.Fatalf("due is %+v: committed %+v, at the end %+v", due, id.Config, end.line.Identity.Config)
				}
				if due != nil {
					e := format.Entry{Index: end.index + 1, Term: end.line.era.term, Kind: format.EntryRaftConfig, Body: format.Encode(due)}
					if err := end.line.Clone().Pass(&e, end.prefix); err != nil {
						t.Fatalf("what is due is wrong: %v", err)
					}
				}
			},
		})
	})
}

// TestTailRefusesWrongBlocks sends a follower blocks whose root, link or
// signature is wrong, and the right one after each.
func TestTailRefusesWrongBlocks(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	tail := NewTail(at.line, at.index, at.prefix)
	good := s.block(at, 2, 1, nil, s.draft(1))
	for name, e := range wrongEntries(s, at) {
		if err := tail.Verify([]format.Entry{e}); !errors.Is(err, ErrChain) && !errors.Is(err, format.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		// What Raft took without asking is refused before it counts.
		unasked := NewTail(at.line, at.index, at.prefix)
		unasked.Append([]format.Entry{e}, false)
		if err := unasked.Commit(e.Index); err == nil || unasked.Committed() != at.line {
			t.Errorf("%s: committed: %v", name, err)
		}
		if err := tail.Verify([]format.Entry{good}); err != nil {
			t.Errorf("the right block behind %s: %v", name, err)
		}
	}
	tail.Append([]format.Entry{good}, false)
	if err := tail.Commit(good.Index); err != nil {
		t.Error(err)
	}
}

func TestTailRefusesTwoEntriesOfOneTerm(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	tail := NewTail(at.line, at.index, at.prefix)
	one, two := s.block(at, 2, 1, nil, s.draft(1)), s.block(at, 2, 1, nil, s.draft(2))
	tail.Append([]format.Entry{one}, true)
	if err := tail.Verify([]format.Entry{two}); !errors.Is(err, ErrChain) {
		t.Fatal(err)
	}
	if err := tail.Verify([]format.Entry{one}); err != nil {
		t.Fatal(err)
	}
}

// Own entries are not followed before something depends on them.
func TestTailIsLazy(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	tail := NewTail(at.line, at.index, at.prefix)
	bad := s.block(at, 2, 1, func(h *format.Header) { h.Root[0]++ }, s.draft(1))
	tail.Append([]format.Entry{bad}, true)
	if err := tail.Verify([]format.Entry{{Index: bad.Index + 1, Term: 3, Kind: format.EntryRaftEmpty}}); !errors.Is(err, ErrChain) {
		t.Fatalf("something stands behind a wrong block: %v", err)
	}
	if err := tail.Verify([]format.Entry{{Index: bad.Index, Term: 3, Kind: format.EntryRaftEmpty}}); err != nil {
		t.Fatalf("another term replaces a wrong block: %v", err)
	}
	if err := tail.Commit(bad.Index); !errors.Is(err, ErrChain) || tail.Committed() != at.line {
		t.Fatal(err)
	}
	if err := tail.Commit(bad.Index + 1); err == nil {
		t.Fatal("what is not there is committed")
	}
}

// TestTailRemembersLittle replaces what is not committed again and again: what is
// kept does not grow.
func TestTailRemembersLittle(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	tail := NewTail(at.line, at.index, at.prefix)
	for term := uint64(3); term < 3*maxChecked; term++ {
		e := []format.Entry{{Index: at.index + 1, Term: term, Kind: format.EntryRaftEmpty}}
		if err := tail.Verify(e); err != nil {
			t.Fatal(err)
		}
		if term%3 == 0 {
			tail.Append(e, false)
		}
		if len(tail.checked) > maxChecked+1 || len(tail.entries) > 1 {
			t.Fatalf("%d entries, %d checked", len(tail.entries), len(tail.checked))
		}
	}
	if err := tail.Commit(at.index + 1); err != nil || len(tail.checked) != 0 || len(tail.entries) != 0 {
		t.Fatalf("%d entries and %d checked behind the commit: %v", len(tail.entries), len(tail.checked), err)
	}
}

func BenchmarkFollow(b *testing.B) {
	s := testService()
	at, _ := s.grown(b)
	var drafts []*envelope.Draft
	for range 100 {
		d := s.draft(1)
		d.Private.Request = make([]byte, 200)
		drafts = append(drafts, d)
	}
	e := s.block(at, 2, 1, nil, drafts...)
	for name, d := range map[string]depth{"Extend": whole, "Take": own} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				line := *at.line
				if _, err := line.follow(&e, at.prefix, d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "µs/record")
		})
	}
}
