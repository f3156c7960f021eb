package membership

import (
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// Rule judges who may join: it gives the status that the node begins with, or an
// error that refuses it.
type Rule interface {
	Judge(r *Request, session format.Hash, at time.Time) (format.NodeStatus, error)
}

// EvidenceRule admits every node whose evidence satisfies the attestation policy
// of genesis, at once. It is the only rule until members vote.
type EvidenceRule struct {
	Genesis     *format.Genesis
	Authorities []attest.Authority
}

// Judge verifies the evidence for the keys and the session in which it came.
func (e EvidenceRule) Judge(r *Request, session format.Hash, at time.Time) (format.NodeStatus, error) {
	g := e.Genesis
	evidence, err := attest.DecodeEvidence(r.Evidence)
	if err != nil {
		return 0, ErrRefused.From(err)
	}
	if evidence.Kind.Simulated() != (g.Mode == format.ModeSimulated) {
		return 0, ErrRefused.From(fmt.Errorf("evidence of kind %s in a %s network", evidence.Kind, g.Mode))
	}
	policy, err := attest.DecodePolicy(g.Policy)
	if err != nil {
		return 0, ErrRefused.From(err)
	}
	binding := attest.JoinBinding{Service: g.Service, Mode: g.Mode, NodeKey: r.Key, NodeHPKEKey: r.HPKEKey, Session: session}
	if _, err := attest.Verify(evidence, binding.ReportData(), policy, at, e.Authorities...); err != nil {
		return 0, ErrRefused.From(err)
	}
	return format.NodeLearner, nil
}

// valid checks the form of a request.
func (r *Request) valid() error {
	switch _, err := proof.ParseKey(r.Key); {
	case err != nil:
		return ErrRefused.From(err)
	case len(r.HPKEKey) != 32:
		return ErrRefused.From(fmt.Errorf("an HPKE key of %d bytes", len(r.HPKEKey)))
	case r.Address == "" || len(r.Address) > maxAddress || len(r.Client) > maxAddress:
		return ErrRefused.From(fmt.Errorf("an address of %d bytes", len(r.Address)))
	}
	return nil
}
