// Package lineage follows a chain of blocks and accepts only the next right one.
//
// A node runs every block that it did not seal itself through a Lineage before
// it believes it: at start over its own ledger, later over what a primary sends.
// It checks links, tree root, writer and signature; it needs no secret and opens
// nothing. The public package verify does the same and more for auditors, on its
// own code path, so that neither excuses the other.
package lineage

import (
	"crypto/sha256"
	"fmt"
	"time"

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

// Identity is the service as the ledger states it.
type Identity struct {
	Genesis    *format.Genesis
	Service    *proof.Key // the current service key
	Recoveries uint64
	Node       format.Node // the node introduced last
	Secrets    format.Secrets
}

// Lineage is a chain that is followed. It is used by one goroutine.
type Lineage struct {
	Head      Head
	Identity  Identity
	writer    *proof.Key
	authority []attest.Authority
	started   bool
	era       era
}

// era is the run of entries of one term that the chain is in.
type era struct {
	term   uint64
	before uint64      // term of the entries before it
	prefix format.Hash // prefix hash before its first entry
}

// Pass takes note of an entry that is no block. prefix is the prefix hash before
// the entry.
func (l *Lineage) Pass(e *format.Entry, prefix format.Hash) {
	if e.Term != l.era.term {
		l.era = era{term: e.Term, before: l.era.term, prefix: prefix}
	}
}

// New starts before genesis. authorities judge the evidence that genesis and
// recovery records carry.
func New(authorities ...attest.Authority) *Lineage {
	return &Lineage{Head: Head{Tree: &proof.Frontier{}}, authority: authorities}
}

// Resume starts at a head that is already verified, such as a snapshot's.
func Resume(head Head, identity Identity, authorities ...attest.Authority) (*Lineage, error) {
	writer, err := proof.ParseKey(identity.Node.Key)
	if err != nil {
		return nil, err
	}
	return &Lineage{Head: head.Clone(), Identity: identity, writer: writer, authority: authorities, started: true, era: era{term: head.View}}, nil
}

// Extend accepts the block of an entry as the next one, or says why it is not.
// prefix is the prefix hash before the entry.
func (l *Lineage) Extend(e *format.Entry, prefix format.Hash) error {
	raw, h, err := format.DecodeBlock(e.Body)
	if err != nil {
		return err
	}
	l.Pass(e, prefix)
	if err := l.links(h, e, prefix); err != nil {
		return err
	}
	tree := l.Head.Tree.Clone()
	var first *format.Record
	var kind format.RecordKind
	for i, stored := range raw.Records {
		r, p, err := format.DecodeRecord(stored)
		if err != nil {
			return err
		}
		if p.Seqno != h.FirstSeqno+uint64(i) || p.View != h.View {
			return wrong(h, "record %d is named %d.%d", i, p.View, p.Seqno)
		}
		if alone := p.Kind == format.KindGenesis || p.Kind == format.KindRecovery; alone && h.Count != 1 {
			return wrong(h, "a genesis or recovery record is not alone in it")
		}
		if i == 0 {
			first, kind = r, p.Kind
		}
		tree.Append(proof.Leaf(sha256.Sum256(stored), p.Evidence, p.Claims))
	}
	if !tree.Matches(h.TreeSize, h.Root) {
		return wrong(h, "its root is not the root of its records")
	}
	if err := l.introduce(first, kind, h); err != nil {
		return err
	}
	if h.Writer != l.writer.ID {
		return wrong(h, "its writer is not the node that genesis or the last recovery introduced")
	}
	if err := proof.VerifyRoot(l.writer, l.Identity.Genesis.Service, raw.Header, h.Root, raw.Signature); err != nil {
		return wrong(h, "its signature: %v", err)
	}
	l.started = true
	l.Head = Head{Height: h.Height, Hash: format.Sum(raw.Header), View: h.View, Seqno: h.LastSeqno(), Time: h.Time, Tree: tree}
	return nil
}

// links checks what ties the header to the block before and to its entry.
func (l *Lineage) links(h *format.Header, e *format.Entry, prefix format.Hash) error {
	if !l.started {
		if h.Height != 0 || h.FirstSeqno != 1 || h.Previous != (format.Hash{}) || prefix != (format.Hash{}) || e.Index != 1 || e.Term != 1 {
			return wrong(h, "the ledger does not begin with a genesis block")
		}
	}
	switch {
	case h.View != e.Term:
		return wrong(h, "its view is %d, its entry's term is %d", h.View, e.Term)
	case h.Prefix != prefix:
		return wrong(h, "it does not follow the entries before it")
	case !l.started:
		return nil
	case h.Height != l.Head.Height+1:
		return wrong(h, "block %d was expected", l.Head.Height+1)
	case h.Previous != l.Head.Hash:
		return wrong(h, "it does not name the block before it")
	case h.FirstSeqno != l.Head.Seqno+1:
		return wrong(h, "its first seqno is %d, %d was expected", h.FirstSeqno, l.Head.Seqno+1)
	case h.View < l.Head.View:
		return wrong(h, "its view %d is before view %d", h.View, l.Head.View)
	case h.Time < l.Head.Time:
		return wrong(h, "its time runs back")
	}
	return nil
}

// introduce takes the identity that a genesis or recovery record states.
func (l *Lineage) introduce(r *format.Record, kind format.RecordKind, h *format.Header) error {
	if kind == format.KindGenesis != (h.Height == 0) {
		return wrong(h, "a genesis record is not at height 0, or height 0 has none")
	}
	switch kind {
	case format.KindGenesis:
		var g format.Genesis
		if err := document(r, format.KeyGenesis, &g); err != nil {
			return wrong(h, "%v", err)
		}
		return l.found(&g, h)
	case format.KindRecovery:
		var rec format.Recovery
		if err := document(r, format.KeyRecovery, &rec); err != nil {
			return wrong(h, "%v", err)
		}
		return l.recover(&rec, h)
	}
	return nil
}

func (l *Lineage) found(g *format.Genesis, h *format.Header) error {
	service, err := proof.ParseKey(g.ServiceKey)
	if err != nil {
		return wrong(h, "%v", err)
	}
	subject := proof.Subject{Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeCheckpoint, Key: g.Checkpoint}
	if err := proof.VerifyEndorsement(service, subject, g.CheckpointEndorsement); err != nil {
		return wrong(h, "its checkpoint key: %v", err)
	}
	l.Identity = Identity{Genesis: g, Service: service, Secrets: g.Secrets}
	binding := l.binding(&g.Node)
	return l.admit(&g.Node, g.Evidence, binding.ReportData(), h)
}

func (l *Lineage) recover(r *format.Recovery, h *format.Header) error {
	old := &l.Head
	switch {
	case r.Count != l.Identity.Recoveries+1:
		return wrong(h, "recovery %d was expected, it says %d", l.Identity.Recoveries+1, r.Count)
	case r.Height != old.Height || r.Header != old.Hash || r.Root != old.Tree.Root() || r.Prefix != l.era.prefix:
		return wrong(h, "its recovery record names another head")
	case h.View < l.era.before+2:
		return wrong(h, "its view %d is not two above %d", h.View, l.era.before)
	case r.ServiceKey != nil || r.Route != format.RouteSealing:
		return wrong(h, "recovery by route %q is not known to this build", r.Route)
	case !l.Identity.Genesis.Sealing:
		return wrong(h, "genesis does not allow recovery by sealing")
	case r.Node.RaftID != l.Identity.Node.RaftID+1:
		return wrong(h, "its node has raft id %d, %d was expected", r.Node.RaftID, l.Identity.Node.RaftID+1)
	}
	binding := attest.RecoveryBinding{GenesisBinding: l.binding(&r.Node), OldHead: old.Hash}
	if err := l.admit(&r.Node, r.Evidence, binding.ReportData(), h); err != nil {
		return err
	}
	l.Identity.Recoveries, l.Identity.Secrets = r.Count, r.Secrets
	return nil
}

func (l *Lineage) binding(n *format.Node) attest.GenesisBinding {
	g := l.Identity.Genesis
	return attest.GenesisBinding{Service: g.Service, Mode: g.Mode, ServiceKey: g.ServiceKey, NodeKey: n.Key, NodeHPKEKey: n.HPKEKey, CheckpointKey: g.Checkpoint}
}

// admit accepts a node as writer: endorsed by the service, attested under the
// policy of genesis at the time of the block.
func (l *Lineage) admit(n *format.Node, evidence []byte, want attest.ReportData, h *format.Header) error {
	g := l.Identity.Genesis
	key, err := proof.ParseKey(n.Key)
	if err != nil {
		return wrong(h, "%v", err)
	}
	subject := proof.Subject{Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeNode, Key: n.Key, Number: n.RaftID}
	if err := proof.VerifyEndorsement(l.Identity.Service, subject, n.Endorsement); err != nil {
		return wrong(h, "its node: %v", err)
	}
	policy, err := attest.DecodePolicy(g.Policy)
	if err != nil {
		return wrong(h, "%v", err)
	}
	e, err := attest.DecodeEvidence(evidence)
	if err != nil {
		return wrong(h, "%v", err)
	}
	if e.Kind.Simulated() != (g.Mode == format.ModeSimulated) {
		return wrong(h, "evidence of kind %s in a %s network", e.Kind, g.Mode)
	}
	if _, err := attest.Verify(e, want, policy, time.Unix(0, int64(h.Time)).UTC(), l.authority...); err != nil {
		return wrong(h, "%v", err)
	}
	l.writer, l.Identity.Node = key, *n
	return nil
}

func document(r *format.Record, key string, into any) error {
	writes, err := r.PublicWrites()
	if err != nil {
		return err
	}
	for _, w := range writes {
		if w.Table == format.TableService && string(w.Key) == key {
			return format.Decode(w.Value, into)
		}
	}
	return fmt.Errorf("it has no %s document", key)
}

func wrong(h *format.Header, f string, args ...any) error {
	return ErrChain.From(fmt.Errorf("block %d: %s", h.Height, fmt.Sprintf(f, args...)))
}
