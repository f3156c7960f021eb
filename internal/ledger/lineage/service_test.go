package lineage

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// service seals blocks as the nodes of a network would.
type service struct {
	ring    *keys.Ring
	genesis format.Genesis
	signers map[uint64]*ecdsa.PrivateKey
	nodes   map[uint64]*format.NodeInfo // as they join, by raft id
}

const testNodes = 5

// must stands for a value that cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var testService = sync.OnceValue(func() *service {
	s := &service{signers: map[uint64]*ecdsa.PrivateKey{}, nodes: map[uint64]*format.NodeInfo{}}
	id, mode := format.ServiceID{7}, format.ModeSimulated
	s.ring = keys.NewRing(keys.Service{ID: id, Mode: mode}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()})
	key := must(keys.NewSigner())
	platform := must(sim.New(sim.Options{Now: testTime}))
	evidence := func(report attest.ReportData) []byte {
		e := must(platform.Evidence(context.Background(), report))
		return must(e.Encode())
	}
	endorse := func(purpose proof.Purpose, of []byte, number uint64) []byte {
		return must(proof.Endorse(key, proof.Subject{Service: id, Mode: mode, Purpose: purpose, Key: of, Number: number}))
	}
	for raftID := uint64(1); raftID <= testNodes; raftID++ {
		signer := must(keys.NewSigner())
		n := &format.NodeInfo{Status: format.NodeLearner, Address: "127.0.0.1:1", Session: format.Hash{byte(raftID)},
			Node: format.Node{RaftID: raftID, Key: keys.SPKI(&signer.PublicKey), HPKEKey: make([]byte, 32), Reads: format.Highest}}
		n.Node.Endorsement = endorse(proof.PurposeNode, n.Node.Key, raftID)
		n.Evidence = evidence(attest.JoinBinding{Service: id, Mode: mode, NodeKey: n.Node.Key, NodeHPKEKey: n.Node.HPKEKey, Session: n.Session}.ReportData())
		s.signers[raftID], s.nodes[raftID] = signer, n
	}
	_, checkpoint, _ := ed25519.GenerateKey(rand.Reader)
	public := []byte(checkpoint.Public().(ed25519.PublicKey))
	g := format.Genesis{Service: id, Mode: mode, ServiceKey: keys.SPKI(&key.PublicKey), Checkpoint: public, Sealing: true,
		CheckpointEndorsement: endorse(proof.PurposeCheckpoint, public, 0), Node: s.nodes[1].Node, Address: s.nodes[1].Address,
		Secrets: format.Secrets{Commitments: []format.Commitment{}}}
	g.Policy = must(sim.Policy([48]byte{}, [32]byte{}).Encode())
	g.Evidence = evidence(attest.GenesisBinding{Service: id, Mode: mode, ServiceKey: g.ServiceKey, NodeKey: g.Node.Key,
		NodeHPKEKey: g.Node.HPKEKey, CheckpointKey: public}.ReportData())
	s.genesis = g
	return s
})

var testTime = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// place is a place in a log: the lineage behind an entry, its index and the
// prefix hash after it.
type place struct {
	line   *Lineage
	index  uint64
	prefix format.Hash
}

// then is the place behind the next entry, which must be right.
func (p place) then(e format.Entry) place {
	next := place{p.line.Clone(), e.Index, format.NextPrefix(p.prefix, &e)}
	step := next.line.Pass
	if e.Kind == format.EntryBlock {
		step = next.line.Extend
	}
	if err := step(&e, p.prefix); err != nil {
		panic(err)
	}
	return next
}

func (s *service) draft(tag byte) *envelope.Draft {
	return &envelope.Draft{Kind: format.KindTransaction, Effects: []format.Effect{{Protocol: "test", Version: 1}},
		Private: format.Private{Request: []byte{tag}}}
}

// members is a membership record.
func (s *service) members(nodes ...*format.NodeInfo) *envelope.Draft {
	d := &envelope.Draft{Kind: format.KindMembership}
	for _, n := range nodes {
		d.Public = append(d.Public, nodeWrite(n))
	}
	return d
}

// raise is a record that raises the format level.
func (s *service) raise(to uint64) *envelope.Draft {
	return &envelope.Draft{Kind: format.KindFormat, Public: []format.Write{level(to)}}
}

// level is what states a format level.
func level(n uint64) format.Write {
	return format.Write{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(n)}
}

func as(n *format.NodeInfo, status format.NodeStatus) *format.NodeInfo {
	same := *n
	same.Status = status
	return &same
}

// founded is the place behind genesis.
func (s *service) founded() place {
	start := place{line: New(sim.Roots())}
	return start.then(s.block(start, 1, 1, nil, &envelope.Draft{Kind: format.KindGenesis, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(&s.genesis)}}, append(GenesisNodes(&s.genesis), level(format.Founding))...)}))
}

// block is the next block of a place, in a term, by a node. wrong, if not nil,
// changes the header before it is signed.
func (s *service) block(at place, term, writer uint64, wrong func(*format.Header), drafts ...*envelope.Draft) format.Entry {
	head := &at.line.Head
	h := &format.Header{View: term, FirstSeqno: head.Seqno + 1, Count: uint64(len(drafts)), Previous: head.Hash, Prefix: at.prefix,
		Writer: sha256.Sum256(s.nodes[writer].Node.Key), Time: uint64(testTime.UnixNano()) + at.index}
	if at.line.started {
		h.Height = head.Height + 1
	}
	sealer := must(envelope.KeysOf(s.ring, 0, envelope.Place{View: h.View, Height: h.Height, Previous: h.Previous, Writer: h.Writer}))
	tree := head.Tree.Clone()
	b := &format.Block{}
	for i, d := range drafts {
		r := sealer.Seal(h.FirstSeqno+uint64(i), d)
		b.Records = append(b.Records, r.Stored)
		tree.Append(r.Leaf)
	}
	h.TreeSize, h.Root = tree.Size(), tree.Root()
	if wrong != nil {
		wrong(h)
	}
	b.Header = h.Encode()
	b.Signature = must(proof.SignRoot(s.signers[writer], h.Writer, s.genesis.Service, b.Header, h.Root))
	return format.Entry{Index: at.index + 1, Term: term, Kind: format.EntryBlock, Body: b.Encode()}
}

// empty is a raft-empty entry.
func empty(at place, term uint64) format.Entry {
	return format.Entry{Index: at.index + 1, Term: term, Kind: format.EntryRaftEmpty}
}

// change is a raft-config entry.
func change(at place, term uint64, asked TxID, changes ...format.ConfigChange) format.Entry {
	c := &format.RaftConfig{View: asked.View, Seqno: asked.Seqno, Changes: append([]format.ConfigChange{}, changes...)}
	if len(changes) > 0 {
		c.Transition = format.EnterJoint
	}
	return format.Entry{Index: at.index + 1, Term: term, Kind: format.EntryRaftConfig, Body: format.Encode(c)}
}

// grown is a network of three voters in term 2, led by node 1, and its log.
func (s *service) grown(t testing.TB) (place, []format.Entry) {
	t.Helper()
	at := s.founded()
	var log []format.Entry
	add := func(e format.Entry) {
		at = at.then(e)
		log = append(log, e)
	}
	add(empty(at, 2))
	add(s.block(at, 2, 1, nil, s.members(s.nodes[2], s.nodes[3]), s.members(as(s.nodes[2], format.NodeVoter), as(s.nodes[3], format.NodeVoter))))
	add(change(at, 2, at.line.Identity.Changed, Next(at.line.Identity.Nodes, at.line.Identity.Config)...))
	add(change(at, 2, at.line.Identity.Config.Asked))
	return at, log
}
