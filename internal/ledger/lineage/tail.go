package lineage

import (
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// Tail follows the part of a log that is not committed, which an election may
// replace. It holds the lineage behind each of its entries, so that what another
// node sends is checked against the very place where it claims to stand, and
// checked once. Entries that this node sealed itself are only kept, and followed
// when something depends on them. One goroutine uses it.
//
// Its memory is bounded by what is not committed.
type Tail struct {
	committed *Lineage
	index     uint64      // of the last committed entry
	prefix    format.Hash // after it
	entries   []*standing // behind it

	checked map[format.Hash]*standing // what Verify found right, by the prefix hash after the entry
	due     bool                      // the committed table and configuration may differ
}

// standing is an entry of the tail.
type standing struct {
	entry  format.Entry // without its body once it is followed
	own    bool
	prefix format.Hash // after it; zero until it is followed or given
	line   *Lineage    // behind it, nil until it is followed
}

// maxChecked bounds what Verify remembers of entries that Raft did not append.
const maxChecked = 4096

// NewTail begins behind a log of which everything is committed: at is the lineage
// behind its last entry, index that entry's index and prefix the prefix hash
// after it.
func NewTail(at *Lineage, index uint64, prefix format.Hash) *Tail {
	return &Tail{committed: at, index: index, prefix: prefix, checked: map[format.Hash]*standing{}, due: true}
}

// Committed is the lineage behind the last committed entry.
func (t *Tail) Committed() *Lineage { return t.committed }

// Last is the index of the log's last entry.
func (t *Tail) Last() uint64 { return t.index + uint64(len(t.entries)) }

// End is the lineage behind the log's last entry, and the prefix hash after it.
func (t *Tail) End() (*Lineage, format.Hash, error) { return t.at(t.Last()) }

// Verify says whether entries of another node continue the log: the first one
// stands behind an entry that is there, the others behind each other. Those that
// are committed here are passed over. Nothing changes, but what was found right
// is not checked again when Append brings it.
func (t *Tail) Verify(entries []format.Entry) error {
	for len(entries) > 0 && entries[0].Index <= t.index {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return nil
	}
	if len(t.checked) > maxChecked {
		clear(t.checked)
	}
	first := entries[0].Index
	if first > t.Last()+1 {
		return ErrChain.From(fmt.Errorf("entry %d does not follow entry %d", first, t.Last()))
	}
	line, prefix, err := t.at(first - 1)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if e.Index != first+uint64(i) {
			return ErrChain.From(fmt.Errorf("entry %d stands where entry %d is due", e.Index, first+uint64(i)))
		}
		after := format.NextPrefix(prefix, e)
		s, err := t.known(e, after)
		if err != nil {
			return err
		}
		if s == nil {
			s = &standing{entry: *e}
			if err := s.follow(line, prefix, after); err != nil {
				return err
			}
			t.checked[after] = s
		}
		line, prefix = s.line, after
	}
	return nil
}

// known is the entry as it was followed before, nil when it was not. A leader
// puts one entry at an index in its term: another one is refused.
func (t *Tail) known(e *format.Entry, after format.Hash) (*standing, error) {
	if e.Index > t.Last() || t.entries[e.Index-t.index-1].entry.Term != e.Term {
		return t.checked[after], nil
	}
	_, prefix, err := t.at(e.Index)
	if err == nil && prefix != after {
		err = ErrChain.From(fmt.Errorf("entry %d of term %d is another than the one that is there", e.Index, e.Term))
	}
	return t.entries[e.Index-t.index-1], err
}

// Append takes what Raft put into its log, from the first entry's index on in the
// place of what was there. own are entries of this node's own making; others are
// verified, now by Verify or later.
func (t *Tail) Append(entries []format.Entry, own bool) {
	if len(entries) == 0 {
		return
	}
	first := entries[0].Index
	if first <= t.index || first > t.Last()+1 {
		panic(fmt.Sprintf("lineage: entry %d is appended to a log that is committed up to %d and ends at %d", first, t.index, t.Last()))
	}
	keep := int(first - t.index - 1)
	clear(t.entries[keep:])
	t.entries = t.entries[:keep]
	prefix, known := t.prefix, true
	if keep > 0 {
		before := t.entries[keep-1]
		prefix, known = before.prefix, before.line != nil
	}
	for i := range entries {
		e := &entries[i]
		s := &standing{entry: *e, own: own}
		if known && !own {
			prefix = format.NextPrefix(prefix, e)
			if found := t.checked[prefix]; found != nil {
				s = found
				delete(t.checked, prefix)
			} else {
				known = false
			}
		}
		t.entries = append(t.entries, s)
	}
}

// Commit tells that the log is committed up to an index. It fails when an entry
// up to there does not continue the log; the tail is then of no more use.
func (t *Tail) Commit(index uint64) error {
	if index <= t.index {
		return nil
	}
	if index > t.Last() {
		return fmt.Errorf("entry %d is committed, the log ends at %d", index, t.Last())
	}
	line, prefix, err := t.at(index)
	if err != nil {
		return err
	}
	was, is := &t.committed.Identity, &line.Identity
	t.due = t.due || was.Changed != is.Changed || !was.Config.Equal(is.Config)
	t.entries = slices.Delete(t.entries, 0, int(index-t.index))
	t.committed, t.index, t.prefix = line, index, prefix
	for after, s := range t.checked {
		if s.entry.Index <= index {
			delete(t.checked, after)
		}
	}
	return nil
}

// Due is the raft-config entry that the leader is to propose behind the log's
// last entry, nil when there is none: Raft's configuration follows the committed
// table of nodes, one change at a time, and never while the tail changes either.
func (t *Tail) Due() (*format.RaftConfig, error) {
	if !t.due {
		return nil, nil
	}
	id := &t.committed.Identity
	var change *format.RaftConfig
	if id.Config.Joint() {
		change = &format.RaftConfig{View: id.Config.Asked.View, Seqno: id.Config.Asked.Seqno, Changes: []format.ConfigChange{}}
	} else if changes := Next(id.Nodes, id.Config); changes != nil {
		change = &format.RaftConfig{View: id.Changed.View, Seqno: id.Changed.Seqno, Transition: format.EnterJoint, Changes: changes}
	}
	if change == nil {
		t.due = false
		return nil, nil
	}
	end, _, err := t.End()
	if err != nil {
		return nil, err
	}
	if !end.Identity.Config.Equal(id.Config) || len(change.Changes) > 0 && end.Identity.Changed != id.Changed {
		return nil, nil
	}
	return change, nil
}

// at is the lineage behind an entry, index at or above the committed one, and the
// prefix hash after it. What was not followed up to there is followed now.
func (t *Tail) at(index uint64) (*Lineage, format.Hash, error) {
	n := int(index - t.index)
	from := n
	for from > 0 && t.entries[from-1].line == nil {
		from--
	}
	line, prefix := t.committed, t.prefix
	if from > 0 {
		line, prefix = t.entries[from-1].line, t.entries[from-1].prefix
	}
	for _, s := range t.entries[from:n] {
		if err := s.follow(line, prefix, format.NextPrefix(prefix, &s.entry)); err != nil {
			return nil, prefix, err
		}
		line, prefix = s.line, s.prefix
	}
	return line, prefix, nil
}

// follow finds the lineage behind the entry from the one before it; after is the
// prefix hash behind the entry.
func (s *standing) follow(before *Lineage, prefix, after format.Hash) error {
	d := whole
	switch {
	case s.own:
		d = own
	case planted.Is(planted.AcceptWrongBlock):
		d = blind
	}
	line := *before // follow replaces what it changes
	if _, err := line.follow(&s.entry, prefix, d); err != nil {
		return err
	}
	s.line, s.prefix, s.entry.Body = &line, after, nil
	return nil
}
