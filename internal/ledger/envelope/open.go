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
	Evidence format.Hash // commit evidence: it leaves the node after commit only
}

// Open decodes and opens a block entry and recomputes each record's leaf and
// commit evidence. It does not check the signature or the tree.
func Open(ring *keys.Ring, e *format.Entry) (*Block, error) {
	if e.Kind != format.EntryBlock {
		return nil, fmt.Errorf("entry %d is not a block", e.Index)
	}
	raw, h, err := format.DecodeBlock(e.Body)
	if err != nil {
		return nil, err
	}
	b := &Block{Index: e.Index, Header: h, Hash: sha256.Sum256(raw.Header), Encoded: raw.Header, Signature: raw.Signature,
		Records: make([]Record, len(raw.Records))}
	opener := opener{ring: ring, place: Place{View: h.View, Height: h.Height, Previous: h.Previous, Writer: h.Writer}}
	for i, stored := range raw.Records {
		r, err := opener.record(stored)
		if err != nil {
			return nil, err
		}
		if r.Prelude.Seqno != h.FirstSeqno+uint64(i) || r.Prelude.View != h.View {
			return nil, openErr(h.Height, fmt.Sprintf("record %d names TxID %d.%d", i, r.Prelude.View, r.Prelude.Seqno))
		}
		b.Records[i] = *r
	}
	if raw.Section != nil {
		if b.Section, err = opener.section(raw.Section); err != nil {
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

func (o *opener) record(stored []byte) (*Record, error) {
	r, prelude, err := format.DecodeRecord(stored)
	if err != nil {
		return nil, err
	}
	public, err := r.PublicWrites()
	if err != nil {
		return nil, err
	}
	if len(r.Sealed) == 0 {
		return nil, openErr(o.place.Height, fmt.Sprintf("record %d has no sealed section", prelude.Seqno))
	}
	sealed := &r.Sealed[0]
	k, err := o.keys(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := k.record.Open(nil, sealed.Nonce[:], sealed.Ciphertext, r.SectionContext(0, len(r.Sealed)))
	if err != nil {
		return nil, openErr(o.place.Height, fmt.Sprintf("record %d", prelude.Seqno))
	}
	private, err := format.DecodePrivate(plain)
	if err != nil {
		return nil, err
	}
	evidence := k.Evidence(prelude.Seqno)
	if sha256.Sum256(evidence[:]) != prelude.Evidence {
		return nil, openErr(o.place.Height, fmt.Sprintf("record %d has foreign commit evidence", prelude.Seqno))
	}
	return &Record{Stored: stored, Prelude: prelude, Public: public, Private: private, Evidence: evidence,
		Leaf: proof.Leaf(sha256.Sum256(stored), prelude.Evidence, prelude.Claims)}, nil
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
