package proof

import (
	"bytes"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// The receipt as COSE: the block's COSE_Sign1 with unprotected headers. Header
// 396 holds the inclusion proof as RFC 9942 has it for RFC9162_SHA256, so that
// any verifier of COSE receipts can check it against the entry record digest ‖
// SHA-256(commit evidence) ‖ claims digest; "coco.receipt" holds the rest.

const (
	tagSign1      = 0xd2
	receiptForm   = "coco/receipt/1"
	signatureSize = 64
)

type receiptMessage struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected receiptHeaders
	Payload     []byte // nil: detached
	Signature   []byte
}

type receiptHeaders struct {
	Proofs receiptProofs `cbor:"396,keyasint"`
	Parts  receiptParts  `cbor:"coco.receipt"`
}

type receiptProofs struct {
	Inclusion [][]byte `cbor:"-1,keyasint"` // each the encoding of an inclusionProof
}

type inclusionProof struct {
	_     struct{} `cbor:",toarray"`
	Size  uint64
	Index uint64
	Path  []Hash
}

type receiptParts struct {
	_         struct{} `cbor:",toarray"`
	Form      string
	Service   format.ServiceID
	Mode      string
	Header    []byte
	Record    Hash
	Evidence  Hash
	Claims    Hash
	Disclosed []Disclosure
	Node      receiptNode
	Chain     []ServiceKey
}

type receiptNode struct {
	_           struct{} `cbor:",toarray"`
	RaftID      uint64
	Key         []byte
	Endorsement []byte
}

// EncodeCOSE is the receipt as a COSE_Sign1.
func (r *Receipt) EncodeCOSE() ([]byte, error) {
	protected, signature, size, err := r.parts()
	if err != nil {
		return nil, ErrReceipt.From(err)
	}
	inclusion := inclusionProof{Size: size, Index: r.Seqno - 1, Path: list(r.Path)}
	m := receiptMessage{Protected: protected, Signature: signature}
	m.Unprotected.Proofs.Inclusion = [][]byte{format.Encode(&inclusion)}
	m.Unprotected.Parts = receiptParts{
		Form: receiptForm, Service: r.Service, Mode: r.Mode, Header: r.Header,
		Record: r.Record, Evidence: r.Evidence, Claims: r.Claims, Disclosed: disclosures(r.Disclosed),
		Node: receiptNode{RaftID: r.RaftID, Key: r.Key, Endorsement: r.Endorsement}, Chain: list(r.Chain),
	}
	return append([]byte{tagSign1}, format.Encode(&m)...), nil
}

// parts splits the block's message, whose form the receipt's headers replace,
// and gives the tree size.
func (r *Receipt) parts() (protected, signature []byte, size uint64, err error) {
	h, err := format.DecodeHeader(r.Header)
	if err != nil {
		return nil, nil, 0, err
	}
	protected = rootProtected(h.Writer, r.Service, r.Header)
	head := messageHead(protected)
	if len(r.Signature) != len(head)+signatureSize || !bytes.HasPrefix(r.Signature, head) {
		return nil, nil, 0, fmt.Errorf("the signature is not over this header")
	}
	return protected, r.Signature[len(head):], h.TreeSize, nil
}

func decodeReceiptCOSE(data []byte) (*Receipt, error) {
	var m receiptMessage
	if err := format.Decode(data[1:], &m); err != nil {
		return nil, err
	}
	p, proofs := &m.Unprotected.Parts, m.Unprotected.Proofs.Inclusion
	if p.Form != receiptForm || len(proofs) != 1 || m.Payload != nil || len(m.Signature) != signatureSize {
		return nil, fmt.Errorf("not a receipt of form %s", receiptForm)
	}
	var inclusion inclusionProof
	if err := format.Decode(proofs[0], &inclusion); err != nil {
		return nil, err
	}
	r := &Receipt{
		Writer: Writer{Service: p.Service, Mode: p.Mode, RaftID: p.Node.RaftID, Key: p.Node.Key,
			Endorsement: p.Node.Endorsement, Chain: p.Chain},
		Header: p.Header, Signature: append(messageHead(m.Protected), m.Signature...),
		Seqno: inclusion.Index + 1, Record: p.Record, Evidence: p.Evidence, Claims: p.Claims,
		Path: inclusion.Path, Disclosed: p.Disclosed,
	}
	protected, _, size, err := r.parts()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(protected, m.Protected) || size != inclusion.Size || inclusion.Index == 1<<64-1 {
		return nil, fmt.Errorf("the proof, the protected headers and the block header disagree")
	}
	if again, err := r.EncodeCOSE(); err != nil || !bytes.Equal(again, data) {
		return nil, fmt.Errorf("not in its one encoding")
	}
	return r, nil
}

// list and disclosures make absent lists empty ones: one meaning, one encoding.
func list[T any](l []T) []T { return append([]T{}, l...) }

func disclosures(l []Disclosure) []Disclosure {
	out := list(l)
	for i := range out {
		d := &out[i]
		d.Value, d.Path, d.DomainPath = list(d.Value), list(d.Path), list(d.DomainPath)
	}
	return out
}
