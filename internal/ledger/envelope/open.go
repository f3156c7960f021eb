package envelope

import (
	"crypto/sha256"
	"fmt"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// Block is a block with its private parts opened.
type Block struct {
	Index     uint64 // of its log entry
	Header    *format.Header
	Hash      format.Hash // SHA-256 of the encoded header
	Encoded   []byte      // the encoded header
	Signature []byte
	Section   Section
	Records   []Record
}

// Record is a record with its service section opened.
type Record struct {
	Stored   []byte // as in the ledger
	Prelude  *format.Prelude
	Public   []format.Write
	Private  *format.Private
	Leaf     format.Hash
	Evidence format.Hash // commit evidence: it leaves the node after commit only; zero of Reopen
}

// Open decodes and opens a block entry and recomputes each record's leaf and
// commit evidence. It does not check the signature or the tree.
func Open(ring *keys.Ring, e *format.Entry) (*Block, error) {
	if e.Kind != format.EntryBlock {
		return nil, fmt.Errorf("entry %d is not a block", e.Index)
	}
	p, err := format.ParseBlock(e.Body)
	if err != nil {
		return nil, err
	}
	return open(ring, e.Index, p, true)
}

// Reopen opens a block that was verified, signature and tree, when it was decoded.
// Commit evidence is left out: the records name what was right when they were sealed,
// and whoever needs it opens the block.
func Reopen(ring *keys.Ring, index uint64, p *format.Parsed) (*Block, error) {
	return open(ring, index, p, false)
}

func open(ring *keys.Ring, index uint64, p *format.Parsed, evidence bool) (*Block, error) {
	h := p.Head
	b := &Block{Index: index, Header: h, Hash: sha256.Sum256(p.Header), Encoded: p.Header, Signature: p.Signature,
		Records: make([]Record, len(p.Records))}
	opener := opener{ring: ring, place: Place{View: h.View, Height: h.Height, Previous: h.Previous, Writer: h.Writer}}
	for i := range p.Records {
		r := &p.Records[i]
		if r.Prelude.Seqno != h.FirstSeqno+uint64(i) || r.Prelude.View != h.View {
			return nil, openErr(h.Height, fmt.Sprintf("record %d names TxID %d.%d", i, r.Prelude.View, r.Prelude.Seqno))
		}
		if err := opener.record(&b.Records[i], r, evidence); err != nil {
			return nil, err
		}
	}
	if p.Section != nil {
		var err error
		if b.Section, err = opener.section(p.Section); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// opener derives the keys of each epoch that a block uses once.
type opener struct {
	ring  *keys.Ring
	place Place
	last  *Keys
}

func (o *opener) keys(s *format.Sealed) (*Keys, error) {
	if s.Domain != format.ServiceDomain || s.Epoch == 0 {
		return nil, openErr(o.place.Height, fmt.Sprintf("section of domain %q epoch %d", s.Domain, s.Epoch))
	}
	if o.last == nil || o.last.epoch != s.Epoch {
		k, err := KeysOf(o.ring, s.Epoch, o.place)
		if err != nil {
			return nil, err
		}
		o.last = k
	}
	return o.last, nil
}

func (o *opener) record(into *Record, p *format.ParsedRecord, evidence bool) error {
	public, err := p.Record.PublicWrites()
	if err != nil {
		return err
	}
	if len(p.Record.Sealed) == 0 {
		return openErr(o.place.Height, fmt.Sprintf("record %d has no sealed section", p.Prelude.Seqno))
	}
	sealed := &p.Record.Sealed[0]
	k, err := o.keys(sealed)
	if err != nil {
		return err
	}
	plain, err := k.record.Open(nil, sealed.Nonce[:], sealed.Ciphertext, p.Record.SectionContext(0, len(p.Record.Sealed)))
	if err != nil {
		return openErr(o.place.Height, fmt.Sprintf("record %d", p.Prelude.Seqno))
	}
	private, err := format.DecodePrivate(plain)
	if err != nil {
		return err
	}
	*into = Record{Stored: p.Stored, Prelude: p.Prelude, Public: public, Private: private,
		Leaf: proof.Leaf(p.Digest, p.Prelude.Evidence, p.Prelude.Claims)}
	if !evidence {
		return nil
	}
	into.Evidence = k.Evidence(p.Prelude.Seqno)
	if sha256.Sum256(into.Evidence[:]) != p.Prelude.Evidence {
		return openErr(o.place.Height, fmt.Sprintf("record %d has foreign commit evidence", p.Prelude.Seqno))
	}
	return nil
}

func (o *opener) section(encoded []byte) (Section, error) {
	var s format.Sealed
	if err := format.Decode(encoded, &s); err != nil {
		return nil, err
	}
	k, err := o.keys(&s)
	if err != nil {
		return nil, err
	}
	plain, err := k.section.Open(nil, s.Nonce[:], s.Ciphertext, sectionContext)
	if err != nil {
		return nil, openErr(o.place.Height, "its block section")
	}
	var section Section
	return section, format.Decode(plain, &section)
}
