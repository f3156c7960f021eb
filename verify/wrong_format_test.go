package verify

import (
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// all is grown with nodes of which each reads up to a format level.
func all(reads uint64, then func(*author)) func(*author) {
	return func(a *author) {
		a.reads = reads
		grown(a)
		then(a)
	}
}

// drafts is a block of some records.
func drafts(list ...draft) func(*author) {
	return func(a *author) { a.block(false, false, list...) }
}

// states is a record of a kind with some public writes.
func states(kind format.RecordKind, writes ...format.Write) func(*author) {
	return drafts(draft{kind: kind, public: writes})
}

// TestWrongFormats checks ledgers in which one rule about the format level is
// broken. What their nodes read is more than they raise, unless that is the point.
func TestWrongFormats(t *testing.T) {
	rememberVerdicts(t)
	const many = format.Highest + 9
	claimed := func() draft {
		d := raise(1)
		d.claims = []proof.Claim{{Field: 1, Value: []byte{1}}}
		return d
	}
	// behind lets a node join that reads less than a level that is then raised.
	behind := func(status format.NodeStatus) func(*author) {
		return all(many, func(a *author) {
			n := a.candidate(status, func(n *format.NodeInfo) { n.Node.Reads = many - 1 })
			a.block(false, false, a.members(n), raise(many))
		})
	}
	founds := func(change func(format.Write) []format.Write) func(*author) {
		return func(a *author) { a.wrongLevel = change; a.genesis(nil) }
	}
	for name, c := range map[string]struct {
		write  func(*author)
		code   Code
		height uint64
	}{
		"the level in force":          {all(many, drafts(raise(0))), FormatLevel, 4},
		"voters do not read it":       {all(0, drafts(raise(1))), FormatLevel, 4},
		"voters read one less":        {all(many, drafts(raise(many+1))), FormatLevel, 4},
		"a learner does not read it":  {behind(learner), FormatLevel, 4},
		"a newcomer does not read it": {behind(pending), FormatLevel, 4},
		"nothing stated":              {all(many, states(format.KindFormat)), FormatRecord, 4},
		"stated twice":                {all(many, states(format.KindFormat, level(1), level(1))), FormatRecord, 4},
		"another key": {all(many, states(format.KindFormat, level(1), format.Write{Table: format.TableFormat, Key: []byte("x"), Value: []byte{1}})),
			FormatRecord, 4},
		"another table": {all(many, states(format.KindFormat, level(1), format.Write{Table: "public:x", Key: []byte("x"), Value: []byte{1}})),
			FormatRecord, 4},
		"no number":           {all(many, states(format.KindFormat, format.Write{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: []byte{0x41, 1}})), FormatRecord, 4},
		"deleted":             {all(many, states(format.KindFormat, format.Write{Table: format.TableFormat, Key: []byte(format.KeyLevel)})), FormatRecord, 4},
		"with claims":         {all(many, drafts(claimed())), FormatRecord, 4},
		"in a transaction":    {all(many, states(format.KindTransaction, level(1))), FormatRecord, 4},
		"in a snapshot":       {all(many, states(format.KindSnapshot, append(snapshot(1).public, level(1))...)), FormatRecord, 4},
		"genesis states none": {founds(func(format.Write) []format.Write { return nil }), FormatRecord, 0},
		"genesis states two":  {founds(func(w format.Write) []format.Write { return []format.Write{w, w} }), FormatRecord, 0},
		"genesis states more": {founds(func(format.Write) []format.Write { return []format.Write{level(1)} }), FormatRecord, 0},
		"genesis states no number": {founds(func(w format.Write) []format.Write {
			w.Value = []byte{0x41, 1}
			return []format.Write{w}
		}), FormatRecord, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			c.write(a)
			isWrong(t, a, c.code, c.height)
		})
	}
}

// In a membership record it is a matter of nodes.
func TestLevelInAMembershipRecord(t *testing.T) {
	a := newAuthor(t, "membership")
	all(1, func(a *author) {
		d := a.members(a.as(3, voter))
		d.public = append(d.public, level(1))
		a.block(false, false, d)
	})(a)
	isWrong(t, a, FormatRecord, 4)
}

// newer is a ledger that is right, and goes on in a level that this build does
// not read.
func newer(t *testing.T) *author {
	a := newAuthor(t, "newer")
	all(format.Highest+1, func(a *author) {
		a.block(false, false, transaction(1), raise(format.Highest+1))
		a.level = format.Highest + 1
		a.transactions(2, false)
	})(a)
	return a
}

// TestNewerLedger checks a ledger whose end this build cannot read: nothing is
// wrong with it, and nothing is said of what was not read.
func TestNewerLedger(t *testing.T) {
	rememberVerdicts(t)
	a := newer(t)
	r := report(t, a, Options{Checkpoint: a.signedCheckpoint(), ServicePEM: a.servicePEM()})
	if r.Result != Newer || len(r.Findings) != 1 || r.Findings[0].Code != FormatNewer || r.Findings[0].Height != 4 || r.Head.Height != 3 || r.Format != format.Founding {
		t.Fatalf("%s %v, head %+v", r.Result, r.Findings, r.Head)
	}
	if height, err := followed(a); height != 4 || !errors.Is(err, format.ErrNewer) {
		t.Errorf("a node stops before block %d: %v", height, err)
	}
	// What is not this service's stays wrong.
	other := newAuthor(t, "other")
	if r := report(t, a, Options{ServicePEM: other.servicePEM()}); r.Result != Invalid {
		t.Errorf("another service: %s", r.Result)
	}
	founded := newAuthor(t, "founded")
	founded.reads = format.Highest + 1
	founded.wrongLevel = func(format.Write) []format.Write { return []format.Write{level(format.Highest + 1)} }
	founded.genesis(func(g *format.Genesis) { g.Format = format.Highest + 1 })
	if r := report(t, founded, Options{}); r.Result != Invalid || r.Findings[0].Code != FormatNewer {
		t.Errorf("founded in it: %s %v", r.Result, r.Findings)
	}
}

// A block in a newer format where none was raised is wrong, not newer.
func TestNewerBlockWithoutRaise(t *testing.T) {
	rememberVerdicts(t)
	for name, change := range map[string]func(*author){
		"block":  func(a *author) { a.wrong = func(h *format.Header) { h.Format = format.Highest + 1 } },
		"record": func(a *author) { a.level = format.Highest + 1; a.wrong = func(h *format.Header) { h.Format = 0 } },
	} {
		a := newAuthor(t, name)
		all(format.Highest+1, func(a *author) { change(a); a.transactions(1, false) })(a)
		r := report(t, a, Options{})
		if r.Result != Invalid || r.Findings[0].Code != FormatLevel || r.Findings[0].Height != 4 {
			t.Errorf("%s: %s %v", name, r.Result, r.Findings)
		}
	}
}
