package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// entry is one intact frame, and what can be said of it without its
// predecessors.
type entry struct {
	place
	format.FrameHeader
	body []byte // until it is decoded

	after format.Hash // prefix hash after the entry, if Previous is right

	// Of a block:
	header    *format.Header
	encoded   []byte      // the header's bytes
	hash      format.Hash // block hash
	signature []byte
	signer    *proof.Key // known key that the header names as writer
	signed    error      // of the signature by signer
	leaves    []format.Hash
	format    uint64 // highest format level in it
	genesis   *format.Genesis
	recovery  *format.Recovery
	snapshots []format.SnapshotEvidence
	nodes     []nodeRecord

	config *format.RaftConfig

	fault  Code // the first thing wrong in it, if any
	reason string
}

// decode decodes and hashes the entry, and checks what can be checked of it alone.
func (e *entry) decode() {
	body := e.body
	e.body = nil
	e.after = format.NextPrefix(e.Previous, &format.Entry{Index: e.Index, Term: e.Term, Kind: e.Kind, Body: body})
	switch e.Kind {
	case format.EntryBlock:
		e.block(body)
	case format.EntryRaftEmpty:
		if len(body) > 0 {
			e.wrong(EntryBody, "a raft-empty entry with a body of %d bytes", len(body))
		}
	case format.EntryRaftConfig:
		e.config = new(format.RaftConfig)
		if err := format.Decode(body, e.config); err != nil {
			e.config = nil
			e.wrong(ConfigFormat, "%v", errors.Unwrap(err))
		}
	}
}

func (e *entry) wrong(code Code, reason string, args ...any) {
	if e.fault == "" {
		e.fault, e.reason = code, fmt.Sprintf(reason, args...)
	}
}

func (e *entry) block(body []byte) {
	b, h, err := format.DecodeBlock(body)
	if err != nil {
		e.wrong(unreadable(err, BlockFormat), "%v", errors.Unwrap(err))
		return
	}
	e.header, e.encoded, e.hash, e.signature, e.format = h, b.Header, sha256.Sum256(b.Header), b.Signature, h.Format
	if b.Section != nil {
		var s format.Sealed
		if err := format.Decode(b.Section, &s); err != nil {
			e.wrong(BlockSection, "%v", errors.Unwrap(err))
		} else if s.Domain != format.ServiceDomain || s.Epoch == 0 || len(s.Ciphertext) < tagSize {
			e.wrong(BlockSection, "it is not sealed in the service domain")
		}
	}
	e.leaves = make([]format.Hash, 0, len(b.Records))
	for i, stored := range b.Records {
		e.record(h.FirstSeqno+uint64(i), stored)
	}
}

// record checks one record and adds its leaf.
func (e *entry) record(seqno uint64, stored []byte) {
	r, p, err := format.DecodeRecord(stored)
	if err != nil {
		e.wrong(unreadable(err, RecordFormat), "record %d: %v", seqno, errors.Unwrap(err))
		return
	}
	e.format = max(e.format, p.Format)
	e.leaves = append(e.leaves, proof.Leaf(sha256.Sum256(stored), p.Evidence, p.Claims))
	if p.View != e.header.View || p.Seqno != seqno {
		e.wrong(RecordPlace, "the record at %d.%d names itself %d.%d", e.header.View, seqno, p.View, p.Seqno)
	}
	for _, effect := range p.Effects {
		if effect.Protocol == "" {
			e.wrong(RecordFormat, "record %d: an effect without protocol", seqno)
		}
	}
	if what := wrongSections(r, p); what != "" {
		e.wrong(RecordSealed, "record %d: %s", seqno, what)
	}
	writes, err := r.PublicWrites()
	if err != nil {
		e.wrong(RecordPublic, "record %d: %v", seqno, errors.Unwrap(err))
		return
	}
	if len(p.Effects) > 0 || p.Claims != (format.Hash{}) {
		switch p.Kind {
		case format.KindMembership:
			e.wrong(NodeRecord, "record %d: a membership record has effects or claims", seqno)
		case format.KindFormat:
			e.wrong(FormatRecord, "record %d: a record of the format level has effects or claims", seqno)
		}
	}
	e.public(seqno, p.Kind, writes)
	e.members(seqno, p.Kind, writes)
}

// tagSize is the length of an AES-GCM tag.
const tagSize = 16

// wrongSections says what is wrong with the sealed sections, as far as it shows
// from outside.
func wrongSections(r *format.Record, p *format.Prelude) string {
	domains := map[string]bool{}
	for i, s := range r.Sealed {
		plain := len(s.Ciphertext) - tagSize
		switch {
		case s.Domain == "" || s.Epoch == 0 || domains[s.Domain]:
			return fmt.Sprintf("section %d is of domain %q, epoch %d", i, s.Domain, s.Epoch)
		case i == 0 && s.Domain != format.ServiceDomain:
			return "the first section is not of the service domain"
		case plain < 0 || format.PaddedSize(plain) != plain:
			return fmt.Sprintf("section %d of %d bytes is not padded", i, len(s.Ciphertext))
		}
		domains[s.Domain] = true
	}
	if len(r.Sealed) == 0 && p.Claims != (format.Hash{}) {
		return "claims without a section that holds their seed"
	}
	return ""
}

// public collects the documents of a record. Each kind of record has one
// document or none.
func (e *entry) public(seqno uint64, kind format.RecordKind, writes []format.Write) {
	want := 1
	switch kind {
	case format.KindTransaction, format.KindMembership, format.KindFormat:
		want = 0
	case format.KindGenesis, format.KindRecovery:
		if e.header.Count != 1 {
			e.wrong(RecordKind, "record %d: a genesis or recovery record is not alone in its block", seqno)
		}
	case format.KindSnapshot:
	default:
		e.wrong(RecordKind, "record %d is of unknown kind %d", seqno, kind)
	}
	if kind == format.KindGenesis != (seqno == 1) {
		e.wrong(RecordKind, "record %d is of kind %d; the genesis record is the first and no other", seqno, kind)
	}
	documents := 0
	for _, w := range writes {
		if w.Table == format.TableService {
			documents++
			if err := e.document(kind, string(w.Key), w.Value); err != nil {
				e.wrong(ServiceDocument, "record %d: %v", seqno, err)
			}
		}
	}
	if documents != want {
		e.wrong(ServiceDocument, "record %d of kind %d has %d documents, not %d", seqno, kind, documents, want)
	}
}

func (e *entry) document(kind format.RecordKind, key string, value []byte) error {
	var into any
	switch {
	case kind == format.KindGenesis && key == format.KeyGenesis:
		e.genesis = new(format.Genesis)
		into = e.genesis
	case kind == format.KindRecovery && key == format.KeyRecovery:
		e.recovery = new(format.Recovery)
		into = e.recovery
	case kind == format.KindSnapshot && key == format.KeySnapshot:
		into = new(format.SnapshotEvidence)
	default:
		return fmt.Errorf("a record of kind %d writes the document %q", kind, key)
	}
	if err := format.Decode(value, into); err != nil {
		return fmt.Errorf("its %s document: %w", key, errors.Unwrap(err))
	}
	if s, ok := into.(*format.SnapshotEvidence); ok {
		e.snapshots = append(e.snapshots, *s)
	}
	return nil
}

// introduces are the nodes that the entry speaks of.
func (e *entry) introduces() []format.Node {
	var list []format.Node
	for _, r := range e.nodes {
		for _, n := range r.list {
			list = append(list, n.Node)
		}
	}
	return list
}

// checkSignature checks the block's signature if its writer's key is known.
// Whether that writer may write there is for the chain to say.
func (e *entry) checkSignature(service format.ServiceID, known map[format.Hash]*proof.Key) {
	if e.header == nil {
		return
	}
	if e.signer = known[e.header.Writer]; e.signer != nil {
		e.signed = proof.VerifyRoot(e.signer, service, e.encoded, e.header.Root, e.signature)
	}
}

// head is what the report says of the block.
func (e *entry) head() *Head {
	return &Head{
		Height: e.header.Height, View: e.header.View, Seqno: e.header.LastSeqno(), Hash: Hash(e.hash), Root: Hash(e.header.Root),
		Time: blockTime(e.header), Entry: e.Index, Committed: e.header.Committed,
	}
}
