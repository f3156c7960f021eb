package proof

import (
	"crypto/sha256"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Receipt proves that one transaction is part of the ledger and committed. With
// the service's certificate it can be checked for ever, without a node.
//
// It proves commit and not mere presence because it carries the commit evidence
// itself, which no one can compute from the ledger's files and no node releases
// before the block is committed.
type Receipt struct {
	Writer
	Header    []byte // encoded block header
	Signature []byte // COSE_Sign1 of the block
	Seqno     uint64 // the leaf's index is Seqno-1
	Record    Hash   // SHA-256 of the record as stored
	Evidence  Hash   // commit evidence
	Claims    Hash   // claims digest
	Path      []Hash // from the leaf to the block's root
	Disclosed []Disclosure
}

// Limits of a receipt from outside.
const (
	maxReceipt   = 16 << 20
	maxDisclosed = 1 << 12
)

// NewReceipt makes the receipt of the record with the given seqno in a block
// that writer w signed. n must hold the tree of the block's size.
func NewReceipt(n Nodes, w Writer, header, signature []byte, seqno uint64, record, evidence, claims Hash) (*Receipt, error) {
	h, err := format.DecodeHeader(header)
	if err != nil {
		return nil, err
	}
	if seqno < h.FirstSeqno || seqno > h.LastSeqno() {
		return nil, ErrReceipt.From(fmt.Errorf("seqno %d is not in block %d", seqno, h.Height))
	}
	path, err := Inclusion(n, seqno-1, h.TreeSize)
	if err != nil {
		return nil, err
	}
	return &Receipt{Writer: w, Header: header, Signature: signature, Seqno: seqno,
		Record: record, Evidence: evidence, Claims: claims, Path: path}, nil
}

// Verify checks everything that the receipt says: the chain of endorsements from
// the trusted service key to the node, the node's signature, the path from the
// leaf to the root, and each disclosed claim. It returns the block's header.
func (r *Receipt) Verify(trust Trust) (*format.Header, error) {
	if err := r.limits(); err != nil {
		return nil, err
	}
	h, err := format.DecodeHeader(r.Header)
	if err != nil {
		return nil, ErrReceipt.From(err)
	}
	key, err := r.Writer.Verify(trust)
	if err != nil {
		return nil, ErrReceipt.From(err)
	}
	switch {
	case h.Writer != key.ID:
		return nil, ErrReceipt.From(fmt.Errorf("block %d was written by another node", h.Height))
	case r.Seqno < h.FirstSeqno || r.Seqno > h.LastSeqno():
		return nil, ErrReceipt.From(fmt.Errorf("seqno %d is not in block %d", r.Seqno, h.Height))
	}
	if err := VerifyRoot(key, r.Service, r.Header, h.Root, r.Signature); err != nil {
		return nil, ErrReceipt.From(err)
	}
	leaf := Leaf(r.Record, sha256.Sum256(r.Evidence[:]), r.Claims)
	if err := VerifyInclusion(leaf, r.Seqno-1, h.TreeSize, r.Path, h.Root); err != nil {
		return nil, ErrReceipt.From(err)
	}
	for i := range r.Disclosed {
		if err := r.Disclosed[i].Verify(r.Claims); err != nil {
			return nil, ErrReceipt.From(err)
		}
	}
	return h, nil
}

// DecodeReceipt reads a receipt in JSON or COSE. It checks its form, not its truth.
func DecodeReceipt(data []byte) (*Receipt, error) {
	if len(data) > maxReceipt {
		return nil, ErrReceipt.From(fmt.Errorf("%d bytes", len(data)))
	}
	decode := decodeReceiptJSON
	if len(data) > 0 && data[0] == tagSign1 {
		decode = decodeReceiptCOSE
	}
	r, err := decode(data)
	if err != nil {
		return nil, ErrReceipt.From(err)
	}
	return r, r.limits()
}

func (r *Receipt) limits() error {
	switch {
	case len(r.Path) > maxPath:
		return ErrReceipt.From(fmt.Errorf("a path of %d hashes", len(r.Path)))
	case len(r.Disclosed) > maxDisclosed:
		return ErrReceipt.From(fmt.Errorf("%d disclosed claims", len(r.Disclosed)))
	case len(r.Chain) > maxChain:
		return ErrReceipt.From(fmt.Errorf("a chain of %d service keys", len(r.Chain)))
	}
	return nil
}
