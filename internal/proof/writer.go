package proof

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Writer is a node that signs blocks, and why it may: the service key endorsed
// it, and each service key of the chain endorsed the next.
type Writer struct {
	Service     format.ServiceID
	Mode        string
	RaftID      uint64
	Key         []byte // SPKI
	Endorsement []byte // by the last service key of the chain
	Chain       []ServiceKey
}

// ServiceKey is one service key of a chain. The first carries no endorsement and
// no number; every other one is endorsed by the key before it. A verifier trusts
// one of them and checks every link.
type ServiceKey struct {
	_           struct{} `cbor:",toarray"`
	Key         []byte   // SPKI
	Number      uint64   // recovery count when it was made
	Endorsement []byte   // nil for the first
}

const maxChain = 64

// Trust is what a verifier believes: one service key.
type Trust struct {
	Service        *Key
	AllowSimulated bool
}

// GenesisWriter is the node that a genesis document introduces.
func GenesisWriter(g *format.Genesis) Writer {
	return Writer{
		Service: g.Service, Mode: g.Mode, RaftID: g.Node.RaftID, Key: g.Node.Key, Endorsement: g.Node.Endorsement,
		Chain: []ServiceKey{{Key: g.ServiceKey}},
	}
}

// Recovered is the node that a recovery document introduces after w.
func (w Writer) Recovered(r *format.Recovery) Writer {
	next := w
	next.RaftID, next.Key, next.Endorsement = r.Node.RaftID, r.Node.Key, r.Node.Endorsement
	if r.ServiceKey != nil {
		link := ServiceKey{Key: r.ServiceKey, Number: r.Count, Endorsement: r.ServiceEndorsement}
		next.Chain = append(append([]ServiceKey(nil), w.Chain...), link)
	}
	return next
}

// Joined is a node that a membership record introduces while the last service key
// of w is in force.
func (w Writer) Joined(n *format.Node) Writer {
	next := w
	next.RaftID, next.Key, next.Endorsement = n.RaftID, n.Key, n.Endorsement
	return next
}

// Verify checks the chain from the trusted service key to the node's key, which
// it returns. The trusted key may be any of the chain.
func (w *Writer) Verify(trust Trust) (*Key, error) {
	if trust.Service == nil {
		return nil, ErrService.From(fmt.Errorf("no service key is trusted"))
	}
	if err := CheckMode(w.Mode, trust.AllowSimulated); err != nil {
		return nil, err
	}
	if len(w.Chain) == 0 || len(w.Chain) > maxChain {
		return nil, ErrSignature.From(fmt.Errorf("a chain of %d service keys", len(w.Chain)))
	}
	var last *Key
	trusted := false
	for i := range w.Chain {
		link := &w.Chain[i]
		key, err := ParseKey(link.Key)
		if err != nil {
			return nil, err
		}
		if i == 0 && (link.Endorsement != nil || link.Number != 0) {
			return nil, ErrSignature.From(fmt.Errorf("the first service key carries an endorsement"))
		}
		if i > 0 {
			subject := Subject{w.Service, w.Mode, PurposeService, link.Key, link.Number}
			if err := VerifyEndorsement(last, subject, link.Endorsement); err != nil {
				return nil, fmt.Errorf("service key %d: %w", i, err)
			}
		}
		trusted = trusted || key.ID == trust.Service.ID
		last = key
	}
	if !trusted {
		return nil, ErrSignature.From(fmt.Errorf("the trusted service key is not in the chain"))
	}
	subject := Subject{w.Service, w.Mode, PurposeNode, w.Key, w.RaftID}
	if err := VerifyEndorsement(last, subject, w.Endorsement); err != nil {
		return nil, fmt.Errorf("node %d: %w", w.RaftID, err)
	}
	return ParseKey(w.Key)
}

// CheckMode refuses a mode that is unknown, or simulated and not allowed.
func CheckMode(mode string, allowSimulated bool) error {
	switch {
	case mode == format.ModeProduction, mode == format.ModeSimulated && allowSimulated:
		return nil
	case mode == format.ModeSimulated:
		return ErrSimulated
	}
	return ErrService.From(fmt.Errorf("unknown mode %q", mode))
}
