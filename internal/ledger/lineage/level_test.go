package lineage

import (
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// reading is the network of testService grown to three voters and a learner, node
// 4, that all read up to a level, but for node 4, which may read less.
func reading(t testing.TB, reads, fourth uint64) (*service, place) {
	t.Helper()
	s := testService()
	at, _ := s.grown(t)
	n := *s.nodes[4]
	n.Node.Reads = fourth
	at = at.then(s.block(at, 2, 1, nil, s.members(&n)))
	for _, m := range at.line.Identity.Nodes.All() {
		if m.Node.RaftID != 4 {
			m := *m
			m.Node.Reads = reads
			at.line.Identity.Nodes = at.line.Identity.Nodes.With(&m)
		}
	}
	return s, at
}

// TestWrongRaises raises the level in ways that are refused, whether the block is
// another's or sealed here.
func TestWrongRaises(t *testing.T) {
	const many = format.Highest + 9
	with := func(change func(*envelope.Draft)) *envelope.Draft {
		d := &envelope.Draft{Kind: format.KindFormat, Public: []format.Write{level(1)}}
		change(d)
		return d
	}
	for name, c := range map[string]struct {
		reads, fourth uint64
		draft         *envelope.Draft
	}{
		"the level in force":   {many, many, testService().raise(format.Founding)},
		"a voter reads less":   {many - 1, many, testService().raise(many)},
		"a learner reads less": {many, many - 1, testService().raise(many)},
		"nothing":              {many, many, with(func(d *envelope.Draft) { d.Public = nil })},
		"twice":                {many, many, with(func(d *envelope.Draft) { d.Public = append(d.Public, level(1)) })},
		"another key":          {many, many, with(func(d *envelope.Draft) { d.Public[0].Key = []byte("x") })},
		"another table":        {many, many, with(func(d *envelope.Draft) { d.Public = append(d.Public, format.Write{Table: "public:x", Key: []byte{1}}) })},
		"no number":            {many, many, with(func(d *envelope.Draft) { d.Public[0].Value = []byte{0x41, 1} })},
		"deleted":              {many, many, with(func(d *envelope.Draft) { d.Public[0].Value = nil })},
		"with effects":         {many, many, with(func(d *envelope.Draft) { d.Effects = []format.Effect{{Protocol: "test"}} })},
		"in a transaction":     {many, many, with(func(d *envelope.Draft) { d.Kind = format.KindTransaction })},
		"unknown kind":         {many, many, with(func(d *envelope.Draft) { d.Kind = format.KindFormat + 1 })},
	} {
		s, at := reading(t, c.reads, c.fourth)
		e := s.block(at, 2, 1, nil, s.draft(1), c.draft)
		for _, d := range []depth{whole, own} {
			line := at.line.Clone()
			if _, err := line.follow(&e, at.prefix, d); !errors.Is(err, ErrChain) || !same(line, at.line) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A level that every node reads, but not this build, is no fault of the ledger.
func TestRaiseBeyondThisBuild(t *testing.T) {
	const next = format.Highest + 1
	s, at := reading(t, next, next)
	e := s.block(at, 2, 1, nil, s.raise(next))
	line := at.line.Clone()
	if err := line.Extend(&e, at.prefix); !errors.Is(err, format.ErrNewer) || !same(line, at.line) {
		t.Fatal(err)
	}
	// Nor is it one that was never raised, which cannot be known of its blocks.
	e = s.block(at, 2, 1, func(h *format.Header) { h.Format = next }, s.draft(1))
	if err := line.Extend(&e, at.prefix); !errors.Is(err, format.ErrNewer) || !same(line, at.line) {
		t.Fatal(err)
	}
}

// A retired node's build is of no matter, and a node that reads more than the
// level in force may join.
func TestWhoMustReadTheLevel(t *testing.T) {
	const next = format.Highest + 1
	s, at := reading(t, next, 0)
	at = at.then(s.block(at, 2, 1, nil, s.members(as(at.line.Identity.Nodes.Get(4), format.NodeRetired))))
	e := s.block(at, 2, 1, nil, s.raise(next))
	if err := at.line.Clone().Extend(&e, at.prefix); !errors.Is(err, format.ErrNewer) {
		t.Fatalf("beside a retired node: %v", err)
	}
	at.line.Identity.Level = 3 // as a raise makes it
	n := *s.nodes[5]
	for reads, ok := range map[uint64]bool{2: false, 3: true, 4: true} {
		n.Node.Reads = reads
		e := s.block(at, 2, 1, nil, s.members(&n))
		if err := at.line.Clone().Extend(&e, at.prefix); ok != (err == nil) || !ok && !errors.Is(err, ErrChain) {
			t.Errorf("a node that reads up to %d joins at level 3: %v", reads, err)
		}
	}
}

func TestLevelOf(t *testing.T) {
	state, err := kv.New(kv.Table{Name: format.TableFormat, Kind: kv.Ordered})
	if err != nil {
		t.Fatal(err)
	}
	table, _ := state.Table(format.TableFormat)
	is := func(want uint64, fails error) {
		t.Helper()
		view := state.Pin()
		defer view.Release()
		if level, err := LevelOf(state, view); !errors.Is(err, fails) || fails == nil && level != want {
			t.Errorf("level %d, %v", level, err)
		}
	}
	is(format.Founding, nil)
	for height, c := range []struct {
		value []byte
		fails error
	}{{format.Encode(uint64(format.Highest)), nil}, {format.Encode(uint64(format.Highest + 1)), format.ErrNewer}, {[]byte{0x41, 1}, format.ErrFormat}} {
		if err := state.Apply(uint64(height), []kv.Write{{Table: table, Key: []byte(format.KeyLevel), Value: c.value}}); err != nil {
			t.Fatal(err)
		}
		is(format.Highest, c.fails)
	}
	none, err := kv.New()
	if err != nil {
		t.Fatal(err)
	}
	state = none
	is(format.Founding, nil)
}
