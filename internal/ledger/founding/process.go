// Package founding makes what a ledger begins with and what continues it when none of
// its nodes is left: the secrets of a new service, the keys of a process, and the
// records that introduce both. [lineage] is what believes them or does not.
package founding

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// Process is the identity of one process: its keys are made when it starts and end
// with it.
type Process struct {
	Signer *ecdsa.PrivateKey
	HPKE   *ecdh.PrivateKey
}

// NewProcess makes the keys.
func NewProcess() (*Process, error) {
	signer, err := keys.NewSigner()
	if err != nil {
		return nil, err
	}
	hpke, err := ecdh.X25519().GenerateKey(rand.Reader)
	return &Process{signer, hpke}, err
}

// SPKI is the public signing key.
func (p *Process) SPKI() []byte { return keys.SPKI(&p.Signer.PublicKey) }

// Writer is the name under which the process signs blocks.
func (p *Process) Writer() format.Hash { return sha256.Sum256(p.SPKI()) }

// node is the process as a record introduces it.
func (p *Process) node(b *keys.Bundle, raftID uint64) (format.Node, error) {
	n := format.Node{RaftID: raftID, Key: p.SPKI(), HPKEKey: p.HPKE.PublicKey().Bytes(), Reads: format.Highest}
	var err error
	n.Endorsement, err = endorse(b, proof.PurposeNode, n.Key, raftID)
	return n, err
}

// binding is what the process's evidence is bound to.
func (p *Process) binding(b *keys.Bundle) attest.GenesisBinding {
	return attest.GenesisBinding{Service: b.Service.ID, Mode: b.Service.Mode, ServiceKey: keys.SPKI(&b.ServiceKey.PublicKey),
		NodeKey: p.SPKI(), NodeHPKEKey: p.HPKE.PublicKey().Bytes(), CheckpointKey: checkpoint(b)}
}

// NewBundle makes the keys and the secrets of a new service.
func NewBundle() (*keys.Bundle, error) {
	b := &keys.Bundle{Number: 1, Service: keys.Service{Mode: format.ModeSimulated},
		Secrets: map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()}}
	rand.Read(b.Service.ID[:])
	var err error
	if b.ServiceKey, err = keys.NewSigner(); err != nil {
		return nil, err
	}
	b.Checkpoint, err = keys.NewCheckpointKey()
	return b, err
}

// secrets is what a record says of a bundle with this digest without opening it.
func secrets(b *keys.Bundle, digest format.Hash) (format.Secrets, error) {
	s := format.Secrets{Bundle: b.Number, Digest: digest}
	ring := b.Ring()
	for _, e := range ring.Epochs() {
		c, err := ring.Commitment(e)
		if err != nil {
			return s, err
		}
		s.Commitments = append(s.Commitments, format.Commitment{Domain: e.Domain, Epoch: e.Number, Digest: c})
	}
	return s, nil
}

func endorse(b *keys.Bundle, purpose proof.Purpose, key []byte, number uint64) ([]byte, error) {
	return proof.Endorse(b.ServiceKey, proof.Subject{Service: b.Service.ID, Mode: b.Service.Mode, Purpose: purpose, Key: key, Number: number})
}

func checkpoint(b *keys.Bundle) []byte { return b.Checkpoint.Public().(ed25519.PublicKey) }
