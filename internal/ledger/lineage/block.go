package lineage

import (
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// public is what a record says in public, as far as it concerns the chain.
type public struct {
	kind     format.RecordKind
	tx       TxID
	document []byte         // its document in TableService, nil for none
	nodes    []format.Write // its writes to TableNodes
	level    *uint64        // what it writes to TableFormat, nil for nothing
}

// block follows the block of an entry.
func (l *Lineage) block(e *format.Entry, prefix format.Hash, d depth) (*format.Parsed, error) {
	if d != blind { // before all records are decoded
		h, err := format.PeekHeader(e.Body)
		if err == nil {
			err = l.links(h, e, prefix)
		}
		if err != nil {
			return nil, err
		}
	}
	b, parsed, err := read(e.Body, d)
	if err != nil {
		return nil, err
	}
	return parsed, l.chain(b, d)
}

// block is what a block says, as far as it concerns the chain.
type block struct {
	raw     *format.Block
	head    *format.Header
	records []record
}

type record struct {
	digest  format.Hash // SHA-256 of the record as stored
	prelude *format.Prelude
	public  []byte // its public section
}

// read decodes a block: whole, or, of one that this node sealed, only what is needed
// here.
func read(body []byte, d depth) (*block, *format.Parsed, error) {
	if d == own {
		raw, h, err := format.DecodeBlock(body)
		if err != nil {
			return nil, nil, err
		}
		b := &block{raw, h, make([]record, len(raw.Records))}
		for i, stored := range raw.Records {
			p, public, err := format.PeekRecord(stored)
			if err != nil {
				return nil, nil, err
			}
			b.records[i] = record{format.Sum(stored), p, public}
		}
		return b, nil, nil
	}
	parsed, err := format.ParseBlock(body)
	if err != nil {
		return nil, nil, err
	}
	b := &block{parsed.Block, parsed.Head, make([]record, len(parsed.Records))}
	for i := range parsed.Records {
		r := &parsed.Records[i]
		b.records[i] = record{r.Digest, r.Prelude, r.Record.Public}
	}
	return b, parsed, nil
}

// chain checks what a block that links to the chain says, and moves behind it.
func (l *Lineage) chain(b *block, d depth) (err error) {
	raw, h := b.raw, b.head
	tree := l.Head.Tree.Clone()
	records := make([]public, 0, 1)
	level := h.Format // the highest in the block
	for i, r := range b.records {
		p := r.prelude
		if p.Seqno != h.FirstSeqno+uint64(i) || p.View != h.View {
			return wrong(h, "record %d is named %d.%d", i, p.View, p.Seqno)
		}
		level = max(level, p.Format)
		tree.Append(proof.Leaf(r.digest, p.Evidence, p.Claims))
		said, err := publicOf(p, r.public, h)
		if err != nil {
			return err
		}
		if said != nil {
			records = append(records, *said)
		}
	}
	if d != blind && !tree.Matches(h.TreeSize, h.Root) {
		return wrong(h, "its root is not the root of its records")
	}
	voter := l.Identity.Nodes
	if opens := len(records) > 0 && introduces(records[0].kind); opens {
		if err := l.introduce(&records[0], h, d); err != nil {
			return err
		}
		voter = l.Identity.Nodes
	} else if h.Height == 0 {
		return wrong(h, "it has no genesis record")
	}
	if level > l.Identity.Level {
		return wrong(h, "it has format level %d, %d is in force", level, l.Identity.Level)
	}
	writer := voter.Writer(h.Writer)
	if writer == nil || writer.Status != format.NodeVoter {
		return wrong(h, "its writer is no voter of the network")
	}
	if l.writer == nil || l.writer.ID != h.Writer {
		if l.writer, err = proof.ParseKey(writer.Node.Key); err != nil {
			return wrong(h, "its writer: %v", err)
		}
	}
	if d == whole {
		if err := proof.VerifyRoot(l.writer, l.Identity.Genesis.Service, raw.Header, h.Root, raw.Signature); err != nil {
			return wrong(h, "its signature: %v", err)
		}
	}
	for i := range records {
		switch records[i].kind {
		case format.KindMembership:
			err = l.change(&records[i], h, d)
		case format.KindFormat:
			err = l.raise(&records[i], h)
		}
		if err != nil {
			return err
		}
	}
	if l.Identity.Nodes.Writer(h.Writer).Status == format.NodeRetired {
		return wrong(h, "it retires its own writer")
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

// emptyList is a public section without writes.
const emptyList = "\x80"

// publicOf reads what a record says in public and holds it to its kind; nil when
// that does not concern the chain.
func publicOf(p *format.Prelude, section []byte, h *format.Header) (*public, error) {
	if introduces(p.Kind) && h.Count != 1 {
		return nil, wrong(h, "a genesis or recovery record is not alone in it")
	}
	if p.Kind < format.KindGenesis || p.Kind > format.KindFormat {
		return nil, wrong(h, "record %d is of unknown kind %d", p.Seqno, p.Kind)
	}
	if p.Kind == format.KindGenesis != (p.Seqno == 1) {
		return nil, wrong(h, "record %d is of kind %d; the genesis record is the first and no other", p.Seqno, p.Kind)
	}
	if p.Kind == format.KindTransaction && string(section) == emptyList {
		return nil, nil
	}
	said := &public{kind: p.Kind, tx: TxID{View: p.View, Seqno: p.Seqno}}
	writes, err := (&format.Record{Public: section}).PublicWrites()
	if err != nil {
		return nil, err
	}
	member, raise := p.Kind == format.KindMembership, p.Kind == format.KindFormat
	if (member || raise) && (len(p.Effects) > 0 || p.Claims != (format.Hash{})) {
		return nil, wrong(h, "record %d of kind %d has effects or claims", p.Seqno, p.Kind)
	}
	for _, w := range writes {
		switch {
		case w.Table == format.TableNodes && (member || introduces(p.Kind)):
			said.nodes = append(said.nodes, w)
		case w.Table == format.TableFormat && (raise || p.Kind == format.KindGenesis):
			if string(w.Key) != format.KeyLevel || said.level != nil {
				return nil, wrong(h, "record %d of kind %d writes %q beside the format level", p.Seqno, p.Kind, w.Key)
			}
			said.level = new(uint64)
			if err := format.Decode(w.Value, said.level); err != nil {
				return nil, wrong(h, "record %d: its format level: %v", p.Seqno, err)
			}
		case w.Table == format.TableNodes || w.Table == format.TableFormat || member || raise:
			return nil, wrong(h, "record %d of kind %d writes table %q", p.Seqno, p.Kind, w.Table)
		case w.Table == format.TableService:
			if string(w.Key) != documents[p.Kind] || said.document != nil || w.Value == nil {
				return nil, wrong(h, "record %d of kind %d writes the document %q", p.Seqno, p.Kind, w.Key)
			}
			said.document = w.Value
		}
	}
	if said.level == nil && (raise || p.Kind == format.KindGenesis) {
		return nil, wrong(h, "record %d of kind %d states no format level", p.Seqno, p.Kind)
	}
	if documents[p.Kind] != "" && said.document == nil {
		return nil, wrong(h, "record %d has no %s document", p.Seqno, documents[p.Kind])
	}
	return said, nil
}

// documents is the key in TableService of the one document of a kind of record.
var documents = map[format.RecordKind]string{
	format.KindGenesis: format.KeyGenesis, format.KindRecovery: format.KeyRecovery, format.KindSnapshot: format.KeySnapshot,
}

// introduces reports whether records of a kind say who continues the network.
func introduces(kind format.RecordKind) bool {
	return kind == format.KindGenesis || kind == format.KindRecovery
}
