package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// The receipt as JSON: digests and values in lower-case hexadecimal, encoded
// structures in standard base64. Names may stand in any order and white space
// anywhere; everything else has one form.

type receiptDocument struct {
	Schema      string               `json:"schema"`
	Service     hexBytes             `json:"service"`
	Mode        string               `json:"mode"`
	Transaction string               `json:"transaction"` // TxID, as the header and the leaf's index say
	Height      uint64               `json:"height"`      // as the header says
	Header      []byte               `json:"header"`
	Signature   []byte               `json:"signature"`
	Leaf        leafDocument         `json:"leaf"`
	Path        []hexBytes           `json:"path"`
	Disclosed   []disclosureDocument `json:"disclosed"`
	Node        nodeDocument         `json:"node"`
	Chain       []serviceDocument    `json:"serviceChain"`
}

type leafDocument struct {
	Index    uint64   `json:"index"`
	Record   hexBytes `json:"record"`
	Evidence hexBytes `json:"commitEvidence"`
	Claims   hexBytes `json:"claims"`
}

type disclosureDocument struct {
	Field       uint64     `json:"field"`
	Name        string     `json:"name"` // of the field, as registered
	Index       uint64     `json:"index"`
	Value       hexBytes   `json:"value"`
	Salt        hexBytes   `json:"salt"`
	Sides       uint64     `json:"sides"`
	Path        []hexBytes `json:"path"`
	DomainSides uint64     `json:"domainSides"`
	DomainPath  []hexBytes `json:"domainPath"`
}

type nodeDocument struct {
	RaftID      uint64 `json:"raftId"`
	Key         []byte `json:"key"`
	Endorsement []byte `json:"endorsement"`
}

type serviceDocument struct {
	Key         []byte `json:"key"`
	Number      uint64 `json:"number"`
	Endorsement []byte `json:"endorsement"`
}

// EncodeJSON is the receipt as indented JSON with a final newline.
func (r *Receipt) EncodeJSON() ([]byte, error) {
	d, err := r.document()
	if err != nil {
		return nil, ErrReceipt.From(err)
	}
	data, err := json.MarshalIndent(d, "", "  ")
	return append(data, '\n'), err
}

func (r *Receipt) document() (*receiptDocument, error) {
	h, err := format.DecodeHeader(r.Header)
	if err != nil {
		return nil, err
	}
	d := &receiptDocument{
		Schema: receiptForm, Service: r.Service[:], Mode: r.Mode,
		Transaction: fmt.Sprintf("%d.%d", h.View, r.Seqno), Height: h.Height,
		Header: r.Header, Signature: r.Signature,
		Leaf: leafDocument{Index: r.Seqno - 1, Record: r.Record[:], Evidence: r.Evidence[:], Claims: r.Claims[:]},
		Path: hexPath(r.Path), Disclosed: []disclosureDocument{},
		Node: nodeDocument{r.RaftID, r.Key, r.Endorsement}, Chain: []serviceDocument{},
	}
	for i := range r.Disclosed {
		c := &r.Disclosed[i]
		d.Disclosed = append(d.Disclosed, disclosureDocument{
			Field: c.Field, Name: FieldName(c.Field), Index: c.Index, Value: c.Value, Salt: c.Salt[:],
			Sides: c.Sides, Path: hexPath(c.Path), DomainSides: c.DomainSides, DomainPath: hexPath(c.DomainPath),
		})
	}
	for _, s := range r.Chain {
		d.Chain = append(d.Chain, serviceDocument{s.Key, s.Number, s.Endorsement})
	}
	return d, nil
}

func decodeReceiptJSON(data []byte) (*Receipt, error) {
	var d receiptDocument
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, err
	}
	if d.Schema != receiptForm {
		return nil, fmt.Errorf("schema %q is not %q", d.Schema, receiptForm)
	}
	if d.Leaf.Index == 1<<64-1 {
		return nil, fmt.Errorf("leaf index out of range")
	}
	r := &Receipt{
		Writer: Writer{Mode: d.Mode, RaftID: d.Node.RaftID, Key: d.Node.Key, Endorsement: d.Node.Endorsement},
		Header: d.Header, Signature: d.Signature, Seqno: d.Leaf.Index + 1,
	}
	bad := !fill(r.Service[:], d.Service) || !fill(r.Record[:], d.Leaf.Record) ||
		!fill(r.Evidence[:], d.Leaf.Evidence) || !fill(r.Claims[:], d.Leaf.Claims) || !fillPath(&r.Path, d.Path)
	for i := range d.Disclosed {
		c := &d.Disclosed[i]
		o := Disclosure{Field: c.Field, Index: c.Index, Value: c.Value, Sides: c.Sides, DomainSides: c.DomainSides}
		bad = bad || !fill(o.Salt[:], c.Salt) || !fillPath(&o.Path, c.Path) || !fillPath(&o.DomainPath, c.DomainPath)
		r.Disclosed = append(r.Disclosed, o)
	}
	for _, s := range d.Chain {
		r.Chain = append(r.Chain, ServiceKey{Key: s.Key, Number: s.Number, Endorsement: s.Endorsement})
	}
	if bad {
		return nil, fmt.Errorf("a digest has the wrong length")
	}
	if _, _, _, err := r.parts(); err != nil {
		return nil, err
	}
	return r, r.sameJSON(data)
}

// sameJSON demands that data is this receipt's one form but for the order of
// names and white space. It refuses what a JSON decoder lets pass: repeated or
// miscased names, lax base64, trailing data, derived fields that disagree.
func (r *Receipt) sameJSON(data []byte) error {
	d, err := r.document()
	if err != nil {
		return err
	}
	want, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return err
	}
	var a, b any
	if err := decodeNumbers(want, &a); err != nil {
		return err
	}
	if err := decodeNumbers(compact.Bytes(), &b); err != nil {
		return err
	}
	if compact.Len() != len(want) || !reflect.DeepEqual(a, b) {
		return fmt.Errorf("not in its one form")
	}
	return nil
}

func decodeNumbers(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(v)
}

// hexBytes is a byte string in lower-case hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode([]byte{}, h), nil }

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode([]byte{}, text)
	*h = b
	return err
}

func hexPath(path []Hash) []hexBytes {
	out := make([]hexBytes, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}

func fill(dst []byte, src hexBytes) bool { return copy(dst, src) == len(dst) && len(src) == len(dst) }

func fillPath(dst *[]Hash, src []hexBytes) bool {
	for _, s := range src {
		if len(s) != 32 {
			return false
		}
		*dst = append(*dst, Hash(s))
	}
	return true
}
