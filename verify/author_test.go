package verify

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// author writes ledgers as a correct node would, from a seed: equal seeds and
// calls give equal bytes. It shares no code with the node's own writing path,
// only the encodings and the signatures of package proof.
type author struct {
	t          testing.TB
	random     *rand.ChaCha8
	id         format.ServiceID
	mode       string
	service    *ecdsa.PrivateKey
	checkpoint ed25519.PrivateKey
	platform   attest.Platform
	policy     []byte
	secret     [32]byte // of the service domain, epoch 1

	node   *ecdsa.PrivateKey // of the writer of the next block
	self   format.Node
	writer proof.Writer
	peers  map[uint64]*peer // every node, by raft id

	entries    []format.Entry
	term       uint64
	prefix     format.Hash
	tree       proof.Frontier
	leaves     []format.Hash
	last       *format.Header
	lastHash   format.Hash
	time       uint64
	recoveries uint64
	raftID     uint64                        // the highest
	claims     map[uint64]proof.DomainClaims // by seqno

	level uint64 // format level in which blocks and records are written
	reads uint64 // what nodes made from now on read

	// wrong, when set, changes a header before its root is signed.
	wrong func(*format.Header)
	// wrongNodes, when set, changes what genesis and recovery write to the table of nodes.
	wrongNodes func([]*format.NodeInfo) []*format.NodeInfo
	// wrongLevel, when set, changes what genesis writes of the format level.
	wrongLevel func(format.Write) []format.Write
}

// peer is a node and its key.
type peer struct {
	key  *ecdsa.PrivateKey
	info *format.NodeInfo
}

// draft is a record to be written.
type draft struct {
	kind    format.RecordKind
	public  []format.Write
	private format.Private
	claims  []proof.Claim
}

func newAuthor(t testing.TB, seed string) *author {
	t.Helper()
	a := &author{t: t, random: rand.NewChaCha8(sha256.Sum256([]byte(seed))), mode: format.ModeSimulated, term: 1, raftID: 1, claims: map[uint64]proof.DomainClaims{}, peers: map[uint64]*peer{},
		time: uint64(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC).UnixNano())}
	a.random.Read(a.id[:])
	a.random.Read(a.secret[:])
	a.service = a.key()
	var seed32 [32]byte
	a.random.Read(seed32[:])
	a.checkpoint = ed25519.NewKeyFromSeed(seed32[:])
	options := sim.Options{Measurement: [48]byte{1}, HostData: [32]byte{2}, Now: time.Unix(0, int64(a.time))}
	a.random.Read(options.ChipSecret[:])
	var err error
	if a.platform, err = sim.New(options); err != nil {
		t.Fatal(err)
	}
	if a.policy, err = sim.Policy(options.Measurement, options.HostData).Encode(); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *author) key() *ecdsa.PrivateKey {
	for {
		var b [32]byte
		a.random.Read(b[:])
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b[:]); err == nil {
			return key
		}
	}
}

func spki(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *author) endorse(by *ecdsa.PrivateKey, purpose proof.Purpose, key []byte, number uint64) []byte {
	a.t.Helper()
	e, err := proof.Endorse(by, proof.Subject{Service: a.id, Mode: a.mode, Purpose: purpose, Key: key, Number: number})
	if err != nil {
		a.t.Fatal(err)
	}
	return e
}

func (a *author) checkpointKey() []byte { return a.checkpoint.Public().(ed25519.PublicKey) }

// newNode makes the keys of the next process.
func (a *author) newNode() {
	a.node = a.key()
	hpke := make([]byte, 32)
	a.random.Read(hpke)
	a.self = format.Node{RaftID: a.raftID, Key: spki(a.t, a.node), HPKEKey: hpke, Reads: a.reads}
	a.self.Endorsement = a.endorse(a.service, proof.PurposeNode, a.self.Key, a.raftID)
}

func (a *author) evidence(binding attest.ReportData) []byte {
	a.t.Helper()
	e, err := a.platform.Evidence(context.Background(), binding)
	if err != nil {
		a.t.Fatal(err)
	}
	data, err := e.Encode()
	if err != nil {
		a.t.Fatal(err)
	}
	return data
}

func (a *author) binding() attest.GenesisBinding {
	return attest.GenesisBinding{Service: a.id, Mode: a.mode, ServiceKey: spki(a.t, a.service), NodeKey: a.self.Key,
		NodeHPKEKey: a.self.HPKEKey, CheckpointKey: a.checkpointKey()}
}

func (a *author) secrets() format.Secrets {
	return format.Secrets{Bundle: a.recoveries + 1, Digest: sha256.Sum256(a.secret[:]), Commitments: []format.Commitment{
		{Domain: format.ServiceDomain, Epoch: 1, Digest: a.derive("coco/commitment", format.ServiceDomain, uint64(1))}}}
}

// genesis writes the first block. change may make the document wrong.
func (a *author) genesis(change func(*format.Genesis)) {
	a.newNode()
	g := &format.Genesis{Service: a.id, Mode: a.mode, ServiceKey: spki(a.t, a.service), Checkpoint: a.checkpointKey(),
		CheckpointEndorsement: a.endorse(a.service, proof.PurposeCheckpoint, a.checkpointKey(), 0),
		Node:                  a.self, Policy: a.policy, Sealing: true, Secrets: a.secrets()}
	g.Evidence = a.evidence(a.binding().ReportData())
	g.Address, g.Client = "node1.example:7700", "node1.example:8545"
	if change != nil {
		change(g)
	}
	a.writer = proof.GenesisWriter(g)
	info := &format.NodeInfo{Node: g.Node, Status: format.NodeVoter, Address: g.Address, Client: g.Client}
	a.peers[info.Node.RaftID] = &peer{a.node, info}
	a.block(true, false, draft{kind: format.KindGenesis, public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(g)},
	}, append(a.stated(), a.table(info)...)...), private: format.Private{Writes: []format.Write{{Table: "balances", Key: []byte("alice"), Value: []byte{100}}}}})
}

// level is what states a format level.
func level(n uint64) format.Write {
	return format.Write{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(n)}
}

// stated is what genesis writes of the format level.
func (a *author) stated() []format.Write {
	if a.wrongLevel != nil {
		return a.wrongLevel(level(0))
	}
	return []format.Write{level(0)}
}

// raise is a record that raises the format level.
func raise(to uint64) draft { return draft{kind: format.KindFormat, public: []format.Write{level(to)}} }

// elect begins a term.
func (a *author) elect(term uint64) {
	a.term = term
	a.entry(format.EntryRaftEmpty, nil)
}

// recovery begins a network none of whose nodes is left. change may make the
// document wrong.
func (a *author) recovery(term uint64, change func(*format.Recovery)) {
	prefix := a.prefix
	a.elect(term)
	a.recoveries++
	a.raftID++
	a.newNode()
	r := &format.Recovery{Count: a.recoveries, Height: a.last.Height, Header: a.lastHash, Prefix: prefix, Root: a.last.Root,
		Route: format.RouteSealing, Node: a.self, Secrets: a.secrets()}
	r.Evidence = a.evidence(attest.RecoveryBinding{GenesisBinding: a.binding(), OldHead: a.lastHash}.ReportData())
	r.Address = fmt.Sprintf("node%d.example:7700", a.raftID)
	if change != nil {
		change(r)
	}
	a.writer = a.writer.Recovered(r)
	var nodes []*format.NodeInfo
	for _, id := range slices.Sorted(maps.Keys(a.peers)) {
		if a.peers[id].info.Status != format.NodeRetired {
			a.peers[id].info = a.as(id, format.NodeRetired)
			nodes = append(nodes, a.peers[id].info)
		}
	}
	info := &format.NodeInfo{Node: r.Node, Status: format.NodeVoter, Address: r.Address, Client: r.Client}
	a.peers[info.Node.RaftID] = &peer{a.node, info}
	a.block(false, false, draft{kind: format.KindRecovery, public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyRecovery), Value: format.Encode(r)}}, a.table(append(nodes, info)...)...)})
}

// table is what genesis and recovery write to the table of nodes.
func (a *author) table(nodes ...*format.NodeInfo) []format.Write {
	if a.wrongNodes != nil {
		nodes = a.wrongNodes(nodes)
	}
	return nodeWrites(nodes...)
}

func nodeWrites(nodes ...*format.NodeInfo) []format.Write {
	var writes []format.Write
	for _, n := range nodes {
		writes = append(writes, format.Write{Table: format.TableNodes, Key: format.NodeKey(n.Node.RaftID), Value: format.Encode(n)})
	}
	return writes
}

// candidate is the next node that joins, with a status. change may make it wrong
// before it is endorsed and attested.
func (a *author) candidate(status format.NodeStatus, change func(*format.NodeInfo)) *format.NodeInfo {
	a.raftID++
	key := a.key()
	n := &format.NodeInfo{Node: format.Node{RaftID: a.raftID, Key: spki(a.t, key), HPKEKey: make([]byte, 32), Reads: a.reads}, Status: status,
		Address: fmt.Sprintf("node%d.example:7700", a.raftID)}
	a.random.Read(n.Node.HPKEKey)
	a.random.Read(n.Session[:])
	if change != nil {
		change(n)
	}
	n.Node.Endorsement = a.endorse(a.service, proof.PurposeNode, n.Node.Key, n.Node.RaftID)
	n.Evidence = a.evidence(attest.JoinBinding{Service: a.id, Mode: a.mode, NodeKey: n.Node.Key, NodeHPKEKey: n.Node.HPKEKey, Session: n.Session}.ReportData())
	a.peers[n.Node.RaftID] = &peer{key, n}
	return n
}

// as is a node with another status.
func (a *author) as(raftID uint64, status format.NodeStatus) *format.NodeInfo {
	n := *a.peers[raftID].info
	n.Status = status
	return &n
}

// members is a membership record.
func (a *author) members(nodes ...*format.NodeInfo) draft {
	for _, n := range nodes {
		if p := a.peers[n.Node.RaftID]; p != nil {
			p.info = n
		}
	}
	return draft{kind: format.KindMembership, public: nodeWrites(nodes...)}
}

// lead makes a node the writer of the next blocks.
func (a *author) lead(raftID uint64) {
	p := a.peers[raftID]
	a.node, a.self, a.writer = p.key, p.info.Node, a.writer.Joined(&p.info.Node)
}

// config writes a raft-config entry.
func (a *author) config(view, seqno, transition uint64, changes ...format.ConfigChange) {
	a.entry(format.EntryRaftConfig, format.Encode(&format.RaftConfig{View: view, Seqno: seqno, Transition: transition,
		Changes: append([]format.ConfigChange{}, changes...)}))
}

// transaction is a record of n claims.
func transaction(n int) draft {
	d := draft{kind: format.KindTransaction, private: format.Private{Request: []byte("request"), Caller: []byte("alice"), Outcome: make([]byte, 40*n)}}
	for i := range n {
		d.claims = append(d.claims, proof.Claim{Field: uint64(i + 1), Value: []byte{byte(i)}})
	}
	return d
}

func snapshot(height uint64) draft {
	return draft{kind: format.KindSnapshot, public: []format.Write{{Table: format.TableService, Key: []byte(format.KeySnapshot),
		Value: format.Encode(&format.SnapshotEvidence{Height: height, Manifest: format.Hash{7}})}}}
}

// transactions writes a block of n records.
func (a *author) transactions(n int, chunkEnd bool) {
	drafts := make([]draft, n)
	for i := range drafts {
		drafts[i] = transaction((len(a.entries) + i) % 4)
	}
	a.block(len(a.entries)%3 == 0, chunkEnd, drafts...)
}

// block seals, signs and writes a block.
func (a *author) block(section, chunkEnd bool, drafts ...draft) {
	a.t.Helper()
	h := &format.Header{Format: a.level, View: a.term, FirstSeqno: a.tree.Size() + 1, Count: uint64(len(drafts)), Time: a.time,
		Writer: sha256.Sum256(a.self.Key), Prefix: a.prefix, ChunkEnd: chunkEnd}
	if a.last != nil {
		h.Height, h.Previous = a.last.Height+1, a.lastHash
		h.Committed = a.last.Height - a.last.Height%2
	}
	b := &format.Block{}
	for i, d := range drafts {
		stored, leaf := a.record(h, h.FirstSeqno+uint64(i), d)
		b.Records = append(b.Records, stored)
		a.tree.Append(leaf)
		a.leaves = append(a.leaves, leaf)
	}
	if section {
		sealed := a.seal("coco/section", h, format.Encode([]any{[]any{"example", []byte("share")}}), []byte("coco/block-section"))
		b.Section = format.Encode(&sealed)
		sum := sha256.Sum256(b.Section)
		h.Section = sum[:]
	}
	h.TreeSize, h.Root = a.tree.Size(), a.tree.Root()
	if a.wrong != nil {
		a.wrong(h)
	}
	b.Header = h.Encode()
	var err error
	if b.Signature, err = proof.SignRoot(a.node, h.Writer, a.id, b.Header, h.Root); err != nil {
		a.t.Fatal(err)
	}
	a.last, a.lastHash = h, sha256.Sum256(b.Header)
	a.time += 1e9 + a.random.Uint64()%1e9
	a.entry(format.EntryBlock, b.Encode())
}

func (a *author) record(h *format.Header, seqno uint64, d draft) (stored []byte, leaf format.Hash) {
	key := a.derive("commit-evidence", h.View, h.Height)
	mac := hmac.New(sha256.New, key[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, seqno))
	mac.Write(h.Previous[:])
	mac.Write(h.Writer[:])
	evidence := sha256.Sum256(mac.Sum(nil))
	p := &format.Prelude{Format: a.level, View: h.View, Seqno: seqno, Kind: d.kind, Effects: []format.Effect{}, Evidence: evidence}
	if d.kind == format.KindTransaction {
		p.Effects = append(p.Effects, format.Effect{Protocol: "example", Version: 1})
	}
	if len(d.claims) > 0 {
		var seed [32]byte
		a.random.Read(seed[:])
		d.private.ClaimsSeed = seed[:]
		a.claims[seqno] = proof.DomainClaims{Seed: seed, Claims: d.claims}
		p.Claims = proof.ClaimsDigest(a.claims[seqno])
	}
	r := &format.Record{Prelude: format.Encode(p), Public: format.Encode(append([]format.Write{}, d.public...))}
	r.Sealed = []format.Sealed{a.seal("coco/record", h, d.private.EncodePadded(), r.SectionContext(0, 1))}
	stored = r.Encode()
	return stored, proof.Leaf(sha256.Sum256(stored), evidence, p.Claims)
}

func (a *author) seal(label string, h *format.Header, plain, context []byte) format.Sealed {
	key := a.derive(label, h.View, h.Height, format.ServiceDomain)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		a.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		a.t.Fatal(err)
	}
	s := format.Sealed{Domain: format.ServiceDomain, Epoch: 1}
	a.random.Read(s.Nonce[:])
	s.Ciphertext = aead.Seal(nil, s.Nonce[:], plain, context)
	return s
}

// derive is HKDF-SHA-256(secret; CBOR[label, service id, mode, fields...]).
func (a *author) derive(label string, fields ...any) format.Hash {
	info := format.Encode(append([]any{label, a.id, a.mode}, fields...))
	key, err := hkdf.Key(sha256.New, a.secret[:], nil, string(info), 32)
	if err != nil {
		a.t.Fatal(err)
	}
	return format.Hash(key)
}

func (a *author) entry(kind format.EntryKind, body []byte) {
	e := format.Entry{Index: uint64(len(a.entries)) + 1, Term: a.term, Kind: kind, Body: body}
	a.entries = append(a.entries, e)
	a.prefix = format.NextPrefix(a.prefix, &e)
}
