package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
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
	b, err := founding.NewBundle()
	if err != nil {
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

// founder is a process as one that founds or recovers the network. The bundle never
// changes and is never sealed here.
func (s *service) founder(p *founding.Process, machine int) *founding.Founder {
	return &founding.Founder{Bundle: s.bundle, Digest: format.Sum([]byte("the simulation's bundle")), Process: p, Address: address(machine), Evidence: s.evidence}
}

// found writes the genesis block to a machine's empty log, as coco start does.
func (s *service) found(log *ledger.Log, p *founding.Process, machine int, clock *clock) error {
	f := s.founder(p, machine)
	g, err := f.Genesis(s.policy)
	if err != nil {
		return err
	}
	return f.Found(log, g, nil, nil, uint64(clock.Now().UnixNano()))
}

// recovery is the record with which a process continues a network none of whose
// nodes is left.
func (s *service) recovery(line *lineage.Lineage, prefix format.Hash, p *founding.Process, raftID uint64, machine int) (*envelope.Draft, error) {
	_, draft, err := s.founder(p, machine).Recovery(line, prefix, raftID)
	return draft, err
}

// address is where a machine would be reached.
func address(machine int) string { return fmt.Sprintf("machine-%d:7000", machine) }
