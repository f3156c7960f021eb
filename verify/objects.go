package verify

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// ReceiptReport is what a receipt proves.
type ReceiptReport struct {
	Service     string    `json:"service"`
	Mode        string    `json:"mode"`
	Transaction string    `json:"transaction"` // TxID view.seqno
	Height      uint64    `json:"height"`
	Time        time.Time `json:"time"` // of the block
	Block       Hash      `json:"block"`
	Root        Hash      `json:"root"`
	TreeSize    uint64    `json:"treeSize"`
	Record      Hash      `json:"record"` // SHA-256 of the record as stored
	Claims      Hash      `json:"claims"`
	Node        uint64    `json:"node"` // raft id of the node that signed
	Disclosed   []Claim   `json:"disclosed"`
}

// Claim is a field of a transaction that a receipt discloses.
type Claim struct {
	Field uint64 `json:"field"`
	Name  string `json:"name"`
	Index uint64 `json:"index"`
	Value []byte `json:"value"`
}

// Receipt checks a receipt, JSON or COSE, for a service: servicePEM is its
// certificate or public key. An error says why the receipt does not hold.
func Receipt(data, servicePEM []byte, o Options) (*ReceiptReport, error) {
	service, err := proof.ParseService(servicePEM)
	if err != nil {
		return nil, err
	}
	r, err := proof.DecodeReceipt(data)
	if err != nil {
		return nil, err
	}
	h, err := r.Verify(proof.Trust{Service: service, AllowSimulated: o.AllowSimulated})
	if err != nil {
		return nil, err
	}
	out := &ReceiptReport{
		Service: hex.EncodeToString(r.Service[:]), Mode: r.Mode, Transaction: fmt.Sprintf("%d.%d", h.View, r.Seqno),
		Height: h.Height, Time: blockTime(h), Block: Hash(format.Sum(r.Header)), Root: Hash(h.Root), TreeSize: h.TreeSize,
		Record: Hash(r.Record), Claims: Hash(r.Claims), Node: r.RaftID, Disclosed: []Claim{},
	}
	for _, d := range r.Disclosed {
		out.Disclosed = append(out.Disclosed, Claim{d.Field, proof.FieldName(d.Field), d.Index, d.Value})
	}
	return out, nil
}

// CheckpointReport is what a checkpoint states.
type CheckpointReport struct {
	Service    string `json:"service"`
	Mode       string `json:"mode"`
	Recoveries uint64 `json:"recoveries"`
	Height     uint64 `json:"height"`
	TreeSize   uint64 `json:"treeSize"`
	Root       Hash   `json:"root"`
}

// Checkpoint checks a checkpoint for a service, as Receipt does a receipt.
func Checkpoint(data, servicePEM []byte, o Options) (*CheckpointReport, error) {
	service, err := proof.ParseService(servicePEM)
	if err != nil {
		return nil, err
	}
	c, err := proof.ParseCheckpoint(data)
	if err != nil {
		return nil, err
	}
	if err := c.Verify(proof.Trust{Service: service, AllowSimulated: o.AllowSimulated}); err != nil {
		return nil, err
	}
	return &CheckpointReport{
		Service: hex.EncodeToString(c.Service[:]), Mode: c.Mode, Recoveries: c.Recoveries,
		Height: c.Height, TreeSize: c.Size, Root: Hash(c.Root),
	}, nil
}

// EvidenceReport is what attestation evidence says of a node.
type EvidenceReport struct {
	Kind         string `json:"kind"`
	Simulated    bool   `json:"simulated"`
	Product      string `json:"product"`
	Measurement  string `json:"measurement"` // launch digest, hexadecimal
	HostData     string `json:"hostData"`
	Tier         string `json:"tier"`
	Profile      string `json:"profile"` // of the policy, that admits it
	PolicyDigest Hash   `json:"policyDigest"`
}

// Evidence checks attestation evidence for a time: that it comes from a pinned
// root, binds reportData and satisfies the policy. evidence and policy are in
// their CBOR encodings, as genesis publishes them.
func Evidence(evidence []byte, reportData [64]byte, policy []byte, at time.Time, o Options) (*EvidenceReport, error) {
	said, err := attest.DecodeEvidence(evidence)
	if err != nil {
		return nil, err
	}
	if said.Kind.Simulated() && !o.AllowSimulated {
		return nil, proof.ErrSimulated
	}
	p, err := attest.DecodePolicy(policy)
	if err != nil {
		return nil, err
	}
	v, err := attest.Verify(said, reportData, p, at, authorities()...)
	if err != nil {
		return nil, err
	}
	return &EvidenceReport{
		Kind: string(said.Kind), Simulated: said.Kind.Simulated(), Product: v.Claims.Product,
		Measurement: hex.EncodeToString(v.Claims.Measurement[:]), HostData: hex.EncodeToString(v.Claims.HostData[:]),
		Tier: string(v.Tier), Profile: v.Profile, PolicyDigest: Hash(v.PolicyDigest),
	}, nil
}
