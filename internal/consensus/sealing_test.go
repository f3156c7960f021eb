package consensus

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// service makes real blocks: what these tests replicate is what nodes replicate.
type service struct {
	t        testing.TB
	bundle   *keys.Bundle
	ring     *keys.Ring
	platform attest.Platform
	nodes    map[uint64]*author
	genesis  format.Entry
	now      time.Time
}

// author is a node's identity.
type author struct {
	signer *ecdsa.PrivateKey
	node   format.Node
}

func (a *author) writer() format.Hash { return sha256.Sum256(a.node.Key) }

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, nodes: map[uint64]*author{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.bundle = must(founding.NewBundle())(t)
	s.ring = s.bundle.Ring()
	s.platform = must(sim.New(sim.Options{Now: s.now}))(t)
	s.found()
	return s
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// author is the node of a raft id; it is made when it is asked for first.
func (s *service) author(id uint64) *author {
	if a := s.nodes[id]; a != nil {
		return a
	}
	a := &author{signer: must(keys.NewSigner())(s.t)}
	a.node = format.Node{RaftID: id, Key: keys.SPKI(&a.signer.PublicKey), HPKEKey: make([]byte, 32)}
	a.node.Endorsement = must(proof.Endorse(s.bundle.ServiceKey, proof.Subject{Service: s.bundle.Service.ID,
		Mode: s.bundle.Service.Mode, Purpose: proof.PurposeNode, Key: a.node.Key, Number: id}))(s.t)
	s.nodes[id] = a
	return a
}

func (s *service) evidence(report attest.ReportData) []byte {
	e := must(s.platform.Evidence(s.t.Context(), report))(s.t)
	return must(e.Encode())(s.t)
}

func (s *service) found() {
	first := must(founding.NewProcess())(s.t)
	sealed := must(s.bundle.Seal(keys.PlatformSealer("sim", keys.Secret{})))(s.t)
	f := &founding.Founder{Bundle: s.bundle, Digest: must(keys.DigestOf(sealed))(s.t), Process: first, Address: "node1:1",
		Evidence: func(report attest.ReportData) ([]byte, error) { return s.evidence(report), nil }}
	policy := sim.Policy([48]byte{}, [32]byte{})
	g := must(f.Genesis(must(policy.Encode())(s.t)))(s.t)
	s.nodes[1] = &author{signer: first.Signer, node: g.Node}
	draft := &envelope.Draft{Kind: format.KindGenesis, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(g)},
		{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(uint64(format.Founding))},
	}, lineage.GenesisNodes(g)...)}
	body, _ := s.seal(1, lineage.Head{Tree: &proof.Frontier{}}, true, Position{}, 1, draft)
	s.genesis = format.Entry{Index: 1, Term: 1, Kind: format.EntryBlock, Body: body}
}

// seal makes a block of drafts by a node on a head, and the head with it.
func (s *service) seal(by uint64, head lineage.Head, first bool, at Position, view uint64, drafts ...*envelope.Draft) ([]byte, lineage.Head) {
	writer := s.author(by)
	h := &format.Header{Format: format.Founding, View: view, FirstSeqno: head.Seqno + 1, Count: uint64(len(drafts)), Height: head.Height + 1,
		Previous: head.Hash, Prefix: at.Prefix, Committed: head.Height, Time: max(uint64(s.now.UnixNano()), head.Time), Writer: writer.writer()}
	if first {
		h.Height, h.Committed = 0, 0
	}
	place := envelope.Place{View: view, Height: h.Height, Previous: h.Previous, Writer: h.Writer}
	sealer := must(envelope.KeysOf(s.ring, 0, place))(s.t)
	tree := head.Tree.Clone()
	raw := &format.Block{}
	for i, d := range drafts {
		r := sealer.Seal(h.FirstSeqno+uint64(i), d)
		raw.Records = append(raw.Records, r.Stored)
		tree.Append(r.Leaf)
	}
	h.TreeSize, h.Root = tree.Size(), tree.Root()
	raw.Header = h.Encode()
	raw.Signature = must(proof.SignRoot(writer.signer, h.Writer, s.bundle.Service.ID, raw.Header, h.Root))(s.t)
	return raw.Encode(), lineage.Head{Height: h.Height, Hash: format.Sum(raw.Header), View: view, Seqno: h.LastSeqno(), Time: h.Time, Tree: tree}
}

// follow is the lineage behind some entries of a log that begins with genesis.
func (s *service) follow(entries []format.Entry) (*lineage.Lineage, Position, error) {
	line := lineage.New(trusting{sim.Roots()})
	var at Position
	for i := range entries {
		e := &entries[i]
		var err error
		if e.Kind == format.EntryBlock {
			err = line.Extend(e, at.Prefix)
		} else {
			err = line.Pass(e, at.Prefix)
		}
		if err != nil {
			return nil, at, err
		}
		at = Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(at.Prefix, e)}
	}
	return line, at, nil
}

// transaction is a record that says something.
func transaction(text string) *envelope.Draft {
	return &envelope.Draft{Kind: format.KindTransaction, Effects: []format.Effect{{Protocol: "test", Version: 1}},
		Private: format.Private{Request: []byte(text)}}
}

// membership is a record that gives nodes a status: those that the table does
// not have join.
func (s *service) membership(members lineage.Members, status format.NodeStatus, ids ...uint64) *envelope.Draft {
	d := &envelope.Draft{Kind: format.KindMembership}
	for _, id := range ids {
		var n format.NodeInfo
		if was := members.Get(id); was != nil {
			n = *was
		} else {
			a := s.author(id)
			binding := attest.JoinBinding{Service: s.bundle.Service.ID, Mode: s.bundle.Service.Mode, NodeKey: a.node.Key, NodeHPKEKey: a.node.HPKEKey}
			n = format.NodeInfo{Node: a.node, Address: "node:1", Evidence: s.evidence(binding.ReportData())}
		}
		n.Status = status
		d.Public = append(d.Public, format.Write{Table: format.TableNodes, Key: format.NodeKey(id), Value: format.Encode(&n)})
	}
	return d
}

// trusting remembers what it judged: the same evidence is seen by many nodes.
type trusting struct{ attest.Authority }

var judged = map[string]attest.Claims{}

func (a trusting) Authenticate(e attest.Evidence, at time.Time) (attest.Claims, error) {
	raw, err := e.Encode()
	if err != nil {
		return attest.Claims{}, err
	}
	if c, ok := judged[string(raw)]; ok {
		return c, nil
	}
	c, err := a.Authority.Authenticate(e, at)
	if err == nil {
		judged[string(raw)] = c
	}
	return c, err
}

// history adds entries to a log outside of Raft, to begin a test with.
type history struct {
	s       *service
	entries []format.Entry
}

func (s *service) history() *history { return &history{s, []format.Entry{s.genesis}} }

// term begins a term.
func (h *history) term(term uint64) *history {
	h.entries = append(h.entries, format.Entry{Index: uint64(len(h.entries)) + 1, Term: term, Kind: format.EntryRaftEmpty})
	return h
}

// block adds a block by a node in the term that the log is in.
func (h *history) block(by uint64, drafts ...*envelope.Draft) *history {
	line, at, err := h.s.follow(h.entries)
	if err != nil {
		h.s.t.Fatal(err)
	}
	body, _ := h.s.seal(by, line.Head, false, at, at.Term, drafts...)
	h.entries = append(h.entries, format.Entry{Index: at.Index + 1, Term: at.Term, Kind: format.EntryBlock, Body: body})
	return h
}

// config adds a raft-config entry.
func (h *history) config(c *format.RaftConfig) *history {
	_, at, err := h.s.follow(h.entries)
	if err != nil {
		h.s.t.Fatal(err)
	}
	h.entries = append(h.entries, format.Entry{Index: at.Index + 1, Term: at.Term, Kind: format.EntryRaftConfig, Body: format.Encode(c)})
	return h
}

// voters is a log whose table and configuration have voters 1 to n.
func (s *service) voters(n uint64) *history {
	h := s.history().term(2)
	if n == 1 {
		return h
	}
	var ids []uint64
	for id := uint64(2); id <= n; id++ {
		ids = append(ids, id)
	}
	line := must3(s.follow(h.entries))(s.t)
	h.block(1, s.membership(line.Identity.Nodes, format.NodeLearner, ids...))
	line = must3(s.follow(h.entries))(s.t)
	h.block(1, s.membership(line.Identity.Nodes, format.NodeVoter, ids...))
	line = must3(s.follow(h.entries))(s.t)
	c := line.Identity.Changed
	h.config(&format.RaftConfig{View: c.View, Seqno: c.Seqno, Transition: format.EnterJoint, Changes: lineage.Next(line.Identity.Nodes, line.Identity.Config)})
	return h.config(&format.RaftConfig{View: c.View, Seqno: c.Seqno, Changes: []format.ConfigChange{}})
}

func must3(line *lineage.Lineage, _ Position, err error) func(testing.TB) *lineage.Lineage {
	return must(line, err)
}

// memory is a log in memory. What was appended is lost by crash unless synced.
type memory struct {
	entries []format.Entry // entries[i] has index i+first
	first   uint64
	term    uint64
	vote    uint64
	fail    error
}

func (h *history) log() *memory {
	return &memory{entries: append([]format.Entry{}, h.entries...), first: 1}
}

func (m *memory) Append(entries []format.Entry) error {
	if m.fail != nil {
		return m.fail
	}
	at := entries[0].Index - m.first
	if at < uint64(len(m.entries)) {
		m.entries = m.entries[:at:at] // who read the rest keeps it
	}
	m.entries = append(m.entries, entries...)
	return nil
}
func (m *memory) Sync() error                 { return m.fail }
func (m *memory) SetVote(t, v uint64) error   { m.term, m.vote = t, v; return m.fail }
func (m *memory) entry(i uint64) format.Entry { return m.entries[i-m.first] }

var errMissing = errors.New("the log does not have that entry")

func (m *memory) Term(i uint64) (uint64, error) {
	if i < m.first || i >= m.first+uint64(len(m.entries)) {
		return 0, errMissing
	}
	return m.entry(i).Term, nil
}

func (m *memory) Entries(lo, hi uint64, maxBytes int) ([]format.Entry, error) {
	if lo < m.first || hi > m.first+uint64(len(m.entries)) {
		return nil, errMissing
	}
	n := lo + 1
	for size := len(m.entry(lo).Body); n < hi && size+len(m.entry(n).Body) <= maxBytes; n++ {
		size += len(m.entry(n).Body)
	}
	return m.entries[lo-m.first : n-m.first], nil
}

func (m *memory) position() Position {
	var p Position
	for i := range m.entries {
		p = Position{m.entries[i].Index, m.entries[i].Term, format.NextPrefix(p.Prefix, &m.entries[i])}
	}
	return p
}
