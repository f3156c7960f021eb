// Package lineage follows a chain of blocks and accepts only the next right one.
//
// A node runs every block that it did not seal itself through a Lineage before
// it believes it: at start over its own ledger, later over what a primary sends
// (see Tail). It checks links, tree root, writer and signature, who joins and
// leaves, and Raft's configuration; it needs no secret and opens nothing. It
// does not know the clock. The public package verify does the same and more for
// auditors, on its own code path, so that neither excuses the other.
package lineage

import (
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// ErrChain says that a block does not continue the chain.
var ErrChain = problem.New("LEDGER_CHAIN", "a block does not continue this ledger",
	"run coco ledger verify on the directory; it names every block that is wrong")

// Head is the end of a chain of blocks.
type Head struct {
	Height uint64
	Hash   format.Hash // block hash
	View   uint64
	Seqno  uint64 // of the last record
	Time   uint64 // nanoseconds since 1970 UTC
	Tree   *proof.Frontier
}

// Clone is an independent copy.
func (h Head) Clone() Head {
	h.Tree = h.Tree.Clone()
	return h
}

// TxID names a record: the view in which it was sealed and its seqno.
type TxID struct {
	_     struct{} `cbor:",toarray"`
	View  uint64
	Seqno uint64
}

// String is the TxID as view.seqno.
func (t TxID) String() string { return fmt.Sprintf("%d.%d", t.View, t.Seqno) }

// Identity is the service as the ledger states it. What it points to is never
// changed.
type Identity struct {
	Genesis    *format.Genesis
	Service    *proof.Key // the current service key
	Recoveries uint64
	Secrets    format.Secrets
	Level      uint64 // format level in force
	Nodes      Members
	Changed    TxID   // the last record that changed Nodes
	Config     Config // Raft's configuration as of the last entry
}

// Lineage is a chain that is followed. It is used by one goroutine. A method
// that fails leaves it as it was.
type Lineage struct {
	Head      Head
	Identity  Identity
	writer    *proof.Key // of the last block
	authority []attest.Authority
	started   bool
	era       era
}

// era is the run of entries of one term that the chain is in.
type era struct {
	term     uint64
	before   uint64      // term of the entries before it
	prefix   format.Hash // prefix hash before its first entry
	nonempty bool        // it has an entry that is not raft-empty
}

// New starts before genesis. authorities judge the evidence that genesis,
// recovery and membership records carry.
func New(authorities ...attest.Authority) *Lineage {
	return &Lineage{Head: Head{Tree: &proof.Frontier{}}, authority: authorities}
}

// Resume starts behind a block that is already verified, such as a snapshot's.
func Resume(head Head, identity Identity, authorities ...attest.Authority) (*Lineage, error) {
	if identity.Genesis == nil || identity.Service == nil || len(identity.Nodes.nodes) == 0 || len(identity.Config.Voters) == 0 {
		return nil, errors.New("the identity to resume with is incomplete")
	}
	return &Lineage{Head: head.Clone(), Identity: identity, authority: authorities, started: true,
		era: era{term: head.View, nonempty: true}}, nil
}

// Clone is an independent copy.
func (l *Lineage) Clone() *Lineage {
	c := *l
	c.Head = l.Head.Clone()
	return &c
}

// depth is how much of a block is checked.
type depth int

const (
	whole depth = iota // everything
	own                // sealed by this node: not its signature, nor evidence in it
	blind              // planted.AcceptWrongBlock: not even links and root
)

// Extend accepts the block of an entry as the next one, or says why it is not.
// prefix is the prefix hash before the entry.
func (l *Lineage) Extend(e *format.Entry, prefix format.Hash) error {
	_, err := l.follow(e, prefix, whole)
	return err
}

// Read is Extend, and gives the block decoded.
func (l *Lineage) Read(e *format.Entry, prefix format.Hash) (*format.Parsed, error) {
	return l.follow(e, prefix, whole)
}

// Take is Extend for a block that this node sealed itself: signature and
// evidence are not checked again.
func (l *Lineage) Take(e *format.Entry, prefix format.Hash) error {
	_, err := l.follow(e, prefix, own)
	return err
}

// Pass takes note of an entry that is no block, or says why it cannot stand
// there: a raft-empty entry, or one that changes Raft's configuration as the
// table of nodes asks. prefix is the prefix hash before the entry.
func (l *Lineage) Pass(e *format.Entry, prefix format.Hash) error {
	if e.Kind == format.EntryBlock {
		return ErrChain.From(fmt.Errorf("entry %d is a block", e.Index))
	}
	_, err := l.follow(e, prefix, whole)
	return err
}

// follow takes the next entry, and gives a block decoded unless this node sealed it.
// Nothing is changed in place, so that a copy of l stays what it was.
func (l *Lineage) follow(e *format.Entry, prefix format.Hash, d depth) (block *format.Parsed, err error) {
	next := *l
	if err := next.term(e, prefix); err != nil {
		return nil, err
	}
	switch e.Kind {
	case format.EntryBlock:
		block, err = next.block(e, prefix, d)
	case format.EntryRaftEmpty:
		if len(e.Body) > 0 {
			err = ErrChain.From(fmt.Errorf("entry %d: a raft-empty entry with a body", e.Index))
		}
	case format.EntryRaftConfig:
		err = next.configure(e)
	default:
		err = ErrChain.From(fmt.Errorf("entry %d is of unknown kind %d", e.Index, e.Kind))
	}
	if err != nil {
		return nil, err
	}
	next.era.nonempty = next.era.nonempty || e.Kind != format.EntryRaftEmpty
	*l = next
	return block, nil
}

// term checks the entry's term: it never runs back, and a new one begins with
// its leader's raft-empty entry.
func (l *Lineage) term(e *format.Entry, prefix format.Hash) error {
	switch {
	case !l.started && e.Kind != format.EntryBlock:
		return ErrChain.From(fmt.Errorf("entry %d: the ledger does not begin with a genesis block", e.Index))
	case e.Term < l.era.term:
		return ErrChain.From(fmt.Errorf("entry %d: its term %d is before term %d", e.Index, e.Term, l.era.term))
	case e.Term > l.era.term && l.started && e.Kind != format.EntryRaftEmpty:
		return ErrChain.From(fmt.Errorf("entry %d: term %d does not begin with a raft-empty entry", e.Index, e.Term))
	}
	if e.Term != l.era.term {
		l.era = era{term: e.Term, before: l.era.term, prefix: prefix}
	}
	return nil
}

func wrong(h *format.Header, f string, args ...any) error {
	return ErrChain.From(fmt.Errorf("block %d: %s", h.Height, fmt.Sprintf(f, args...)))
}
