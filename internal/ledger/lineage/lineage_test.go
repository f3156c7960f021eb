package lineage

import (
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// step gives an entry to a lineage in the way that suits it.
func step(l *Lineage, e *format.Entry, prefix format.Hash) error {
	if e.Kind == format.EntryBlock {
		return l.Extend(e, prefix)
	}
	return l.Pass(e, prefix)
}

// same compares what lineages say; keys that are parsed once more are the same.
func same(a, b *Lineage) bool {
	return reflect.DeepEqual(a.Head, b.Head) && reflect.DeepEqual(a.Identity, b.Identity) && a.era == b.era && a.started == b.started
}

func TestWrongEntriesChangeNothing(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	other := s.block(at, 2, 1, nil, s.draft(2))
	for name, e := range wrongEntries(s, at) {
		line := at.line.Clone()
		if err := step(line, &e, at.prefix); !errors.Is(err, ErrChain) && !errors.Is(err, format.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if !same(line, at.line) {
			t.Errorf("%s: it was refused and changed the lineage", name)
		}
		if err := line.Extend(&other, at.prefix); err != nil {
			t.Errorf("%s: the right block behind it: %v", name, err)
		}
	}
}

// wrongEntries are entries that do not continue the log at a place of term 2.
func wrongEntries(s *service, at place) map[string]format.Entry {
	block := func(wrong func(*format.Header)) format.Entry { return s.block(at, 2, 1, wrong, s.draft(1), s.draft(2)) }
	good := block(nil)
	raw, h, err := format.DecodeBlock(good.Body)
	if err != nil {
		panic(err)
	}
	body := func(change func(b *format.Block)) format.Entry {
		b := *raw
		b.Records = slices.Clone(raw.Records)
		change(&b)
		return format.Entry{Index: good.Index, Term: 2, Kind: format.EntryBlock, Body: b.Encode()}
	}
	changed := at.line.Identity.Changed
	return map[string]format.Entry{
		"height":            block(func(h *format.Header) { h.Height++ }),
		"view":              block(func(h *format.Header) { h.View++ }),
		"first seqno":       block(func(h *format.Header) { h.FirstSeqno++; h.TreeSize++ }),
		"previous":          block(func(h *format.Header) { h.Previous[0]++ }),
		"prefix":            block(func(h *format.Header) { h.Prefix[0]++ }),
		"root":              block(func(h *format.Header) { h.Root[0]++ }),
		"time":              block(func(h *format.Header) { h.Time = at.line.Head.Time - 1 }),
		"writer":            block(func(h *format.Header) { h.Writer[0]++ }),
		"signature":         body(func(b *format.Block) { b.Signature = append([]byte{}, raw.Signature[:len(raw.Signature)-1]...) }),
		"swapped records":   body(func(b *format.Block) { b.Records[0], b.Records[1] = b.Records[1], b.Records[0] }),
		"another header":    body(func(b *format.Block) { x := *h; x.Time++; b.Header = x.Encode() }),
		"a stranger writes": s.block(at, 2, 4, nil, s.draft(1)),
		"term runs back":    {Index: at.index + 1, Term: 1, Kind: format.EntryRaftEmpty},
		"no raft-empty":     s.block(at, 3, 1, nil, s.draft(1)),
		"empty with a body": {Index: at.index + 1, Term: 2, Kind: format.EntryRaftEmpty, Body: []byte{1}},
		"unknown kind":      {Index: at.index + 1, Term: 2, Kind: 9},
		"no configuration":  {Index: at.index + 1, Term: 2, Kind: format.EntryRaftConfig, Body: []byte{1}},
		"leave":             change(at, 2, changed),
		"not asked for":     change(at, 2, changed, format.ConfigChange{Type: format.ChangeRemove, RaftID: 3}),
		"voter to learner":  s.block(at, 2, 1, nil, s.members(as(s.nodes[2], format.NodeLearner))),
		"own retirement":    s.block(at, 2, 1, nil, s.members(as(at.line.Identity.Nodes.Get(1), format.NodeRetired))),
		"no nodes":          s.block(at, 2, 1, nil, s.draft(1), s.members()),
	}
}

func TestPassTakesNoBlock(t *testing.T) {
	s := testService()
	at := s.founded().then(empty(s.founded(), 2))
	e := s.block(at, 2, 1, nil, s.draft(1))
	if err := at.line.Pass(&e, at.prefix); !errors.Is(err, ErrChain) {
		t.Fatal(err)
	}
	fresh := New(sim.Roots())
	e = format.Entry{Index: 1, Term: 1, Kind: format.EntryRaftEmpty}
	if err := fresh.Pass(&e, format.Hash{}); !errors.Is(err, ErrChain) {
		t.Fatal(err)
	}
}

// Take trusts what this node sealed: not that it sealed it in the right place.
func TestTake(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	n := *s.nodes[4]
	n.Evidence, n.Node.Endorsement = nil, nil
	unsigned := s.block(at, 2, 1, nil, s.members(&n), s.draft(1))
	b, _, err := format.DecodeBlock(unsigned.Body)
	if err != nil {
		t.Fatal(err)
	}
	b.Signature = nil
	unsigned.Body = b.Encode()
	line := at.line.Clone()
	if err := line.Extend(&unsigned, at.prefix); !errors.Is(err, ErrChain) {
		t.Fatalf("a block without signature: %v", err)
	}
	if err := line.Take(&unsigned, at.prefix); err != nil {
		t.Fatal(err)
	}
	if line.Identity.Nodes.Get(4) == nil || line.Identity.Changed.Seqno != line.Head.Seqno-1 {
		t.Fatalf("%+v", line.Identity)
	}
	for _, name := range []string{"height", "root", "prefix", "previous", "a stranger writes", "own retirement", "voter to learner"} {
		e := wrongEntries(s, at)[name]
		if err := at.line.Clone().Take(&e, at.prefix); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	s := testService()
	at, _ := s.grown(t)
	before, clone := at.line.Clone(), at.line.Clone()
	e := s.block(at, 2, 1, nil, s.members(s.nodes[4]))
	if err := clone.Extend(&e, at.prefix); err != nil {
		t.Fatal(err)
	}
	clone.Head.Tree.Append(format.Hash{1})
	if !same(before, at.line) || same(before, clone) {
		t.Fatal("a clone and what it was made of are one")
	}
}

// TestResume reads the identity from the tables that the blocks wrote and goes on
// from there: what follows is the same.
func TestResume(t *testing.T) {
	s := testService()
	at, log := s.grown(t)
	tables := map[string]map[string][]byte{format.TableService: {format.KeyGenesis: format.Encode(&s.genesis)}, format.TableNodes: {},
		format.TableFormat: {format.KeyLevel: format.Encode(uint64(format.Founding))}}
	for _, w := range GenesisNodes(&s.genesis) {
		tables[w.Table][string(w.Key)] = w.Value
	}
	for _, e := range log {
		if e.Kind != format.EntryBlock {
			continue
		}
		b, _, err := format.DecodeBlock(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range b.Records {
			r, _, err := format.DecodeRecord(stored)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range must(r.PublicWrites()) {
				tables[w.Table][string(w.Key)] = w.Value
			}
		}
	}
	rows := func(table string) iter.Seq2[[]byte, []byte] {
		return func(yield func(key, value []byte) bool) {
			for _, key := range slices.Sorted(maps.Keys(tables[table])) {
				if !yield([]byte(key), tables[table][key]) {
					return
				}
			}
		}
	}
	next := at.then(s.block(at, 2, 1, nil, s.draft(1))) // snapshots are of blocks
	id := next.line.Identity
	read, err := IdentityOf(rows, id.Changed, id.Config)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, id) {
		t.Fatalf("%+v, it was %+v", read, id)
	}
	line, err := Resume(next.line.Head, read, sim.Roots())
	if err != nil {
		t.Fatal(err)
	}
	resumed := place{line, next.index, next.prefix}
	for _, make := range []func(place) format.Entry{
		func(at place) format.Entry { return empty(at, 3) },
		func(at place) format.Entry { return s.block(at, 3, 2, nil, s.members(s.nodes[4])) },
		func(at place) format.Entry {
			return change(at, 3, at.line.Identity.Changed, Next(at.line.Identity.Nodes, at.line.Identity.Config)...)
		},
	} {
		e := make(next)
		resumed, next = resumed.then(e), next.then(e)
	}
	if !reflect.DeepEqual(resumed.line.Head, next.line.Head) || !reflect.DeepEqual(resumed.line.Identity, next.line.Identity) {
		t.Fatal("what was resumed went another way")
	}
	if _, err := Resume(next.line.Head, Identity{}); err == nil {
		t.Fatal("resumed with nothing")
	}
	tables[format.TableNodes]["x"] = []byte{1}
	if _, err := IdentityOf(rows, id.Changed, id.Config); !errors.Is(err, format.ErrFormat) {
		t.Fatalf("a row that is none: %v", err)
	}
}

func FuzzReadNodes(f *testing.F) {
	f.Add(format.NodeKey(2), format.Encode(testService().nodes[2]))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		nodes, err := ReadNodes([]format.Write{{Table: format.TableNodes, Key: key, Value: value}})
		if err != nil && !errors.Is(err, format.ErrFormat) {
			t.Fatal(err)
		}
		if err == nil && string(format.Encode(nodes[0])) != string(value) {
			t.Fatal("two encodings of one node")
		}
	})
}

// FuzzFollow gives a lineage bodies as a hostile primary could.
func FuzzFollow(f *testing.F) {
	s := testService()
	at, _ := s.grown(f)
	good := s.block(at, 2, 1, nil, s.draft(1))
	f.Add(uint8(format.EntryBlock), good.Body)
	f.Add(uint8(format.EntryBlock), s.block(at, 2, 1, nil, s.members(s.nodes[4])).Body)
	f.Add(uint8(format.EntryRaftConfig), change(at, 2, TxID{View: 2, Seqno: 3}).Body)
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		e := format.Entry{Index: at.index + 1, Term: 2, Kind: format.EntryKind(kind), Body: body}
		for _, d := range []depth{whole, own, blind} {
			line := at.line.Clone()
			if _, err := line.follow(&e, at.prefix, d); err != nil && (!errors.Is(err, ErrChain) && !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrNewer) || !same(line, at.line)) {
				t.Fatal(d, err)
			}
		}
	})
}
