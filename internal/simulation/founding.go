package simulation

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// service is what all trusted nodes of the simulated network share: the service's
// keys and secrets, and a platform that attests them.
type service struct {
	bundle      *keys.Bundle
	ring        *keys.Ring
	platform    attest.Platform
	policy      []byte
	authorities []attest.Authority
}

func newService() (*service, error) {
	b := &keys.Bundle{Number: 1, Service: keys.Service{Mode: format.ModeSimulated},
		Secrets: map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()}}
	rand.Read(b.Service.ID[:])
	var err error
	if b.ServiceKey, err = keys.NewSigner(); err != nil {
		return nil, err
	}
	if b.Checkpoint, err = keys.NewCheckpointKey(); err != nil {
		return nil, err
	}
	s := &service{bundle: b, ring: b.Ring(), authorities: []attest.Authority{judged{sim.Roots(), map[string]attest.Claims{}}}}
	if s.platform, err = sim.New(sim.Options{Now: epoch}); err != nil {
		return nil, err
	}
	policy := sim.Policy([48]byte{}, [32]byte{})
	s.policy, err = policy.Encode()
	return s, err
}

// judged remembers what evidence it judged: every node judges all of it, and each
// time takes two milliseconds.
type judged struct {
	attest.Authority
	known map[string]attest.Claims
}

func (m judged) Authenticate(e attest.Evidence, at time.Time) (attest.Claims, error) {
	data, err := e.Encode()
	if err != nil {
		return attest.Claims{}, err
	}
	name := string(data)
	if c, ok := m.known[name]; ok {
		return c, nil // certificates hold for years, a simulation for minutes
	}
	c, err := m.Authority.Authenticate(e, at)
	if err == nil {
		m.known[name] = c
	}
	return c, err
}

func (s *service) evidence(report attest.ReportData) ([]byte, error) {
	e, err := s.platform.Evidence(context.Background(), report)
	if err != nil {
		return nil, err
	}
	return e.Encode()
}

// secrets is what records publish of the bundle, which never changes here.
func (s *service) secrets() (format.Secrets, error) {
	out := format.Secrets{Bundle: 1, Digest: format.Sum([]byte("the simulation's bundle"))}
	for _, e := range s.ring.Epochs() {
		c, err := s.ring.Commitment(e)
		if err != nil {
			return out, err
		}
		out.Commitments = append(out.Commitments, format.Commitment{Domain: e.Domain, Epoch: e.Number, Digest: c})
	}
	return out, nil
}

func (s *service) endorse(purpose proof.Purpose, key []byte, number uint64) ([]byte, error) {
	return proof.Endorse(s.bundle.ServiceKey, proof.Subject{
		Service: s.bundle.Service.ID, Mode: s.bundle.Service.Mode, Purpose: purpose, Key: key, Number: number})
}

func (s *service) checkpoint() []byte { return s.bundle.Checkpoint.Public().(ed25519.PublicKey) }

// identity is the keys of one process.
type identity struct {
	signer *ecdsa.PrivateKey
	hpke   *ecdh.PrivateKey
}

func newIdentity() (*identity, error) {
	signer, err := keys.NewSigner()
	if err != nil {
		return nil, err
	}
	hpke, err := ecdh.X25519().GenerateKey(rand.Reader)
	return &identity{signer, hpke}, err
}

func (i *identity) spki() []byte        { return keys.SPKI(&i.signer.PublicKey) }
func (i *identity) writer() format.Hash { return format.Sum(i.spki()) }

// node is the process as genesis or a recovery introduces it.
func (s *service) node(i *identity, raftID uint64) (format.Node, error) {
	n := format.Node{RaftID: raftID, Key: i.spki(), HPKEKey: i.hpke.PublicKey().Bytes(), Reads: format.Highest}
	var err error
	n.Endorsement, err = s.endorse(proof.PurposeNode, n.Key, raftID)
	return n, err
}

func (s *service) binding(i *identity) attest.GenesisBinding {
	return attest.GenesisBinding{Service: s.bundle.Service.ID, Mode: s.bundle.Service.Mode, ServiceKey: keys.SPKI(&s.bundle.ServiceKey.PublicKey),
		NodeKey: i.spki(), NodeHPKEKey: i.hpke.PublicKey().Bytes(), CheckpointKey: s.checkpoint()}
}
