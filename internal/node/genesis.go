package node

import (
	"context"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
)

// newBundle makes the secrets of a new service and stores them sealed: before
// the genesis block, so that no ledger ever lacks its keys.
func newBundle(f disk.FS, p *platform) (*keys.Bundle, error) {
	b, err := founding.NewBundle()
	if err != nil {
		return nil, err
	}
	sealed, err := b.Seal(p.sealer)
	if err != nil {
		return nil, err
	}
	return b, keys.Save(f, dirKeys, b.Number, sealed)
}

// founder is this process as one that founds or recovers the network.
func (n *Node) founder(ctx context.Context) *founding.Founder {
	return &founding.Founder{Bundle: n.bundle, Digest: n.bundle.Digest(), Process: n.own, Address: n.peers.advertise, Client: n.config.Client,
		Evidence: func(report attest.ReportData) ([]byte, error) { return evidence(ctx, n.machine, report) }}
}

// found writes the genesis block.
func (n *Node) found(ctx context.Context) error {
	policy, err := n.machine.policy.Encode()
	if err != nil {
		return err
	}
	f, now := n.founder(ctx), n.config.Clock()
	doc, err := f.Genesis(policy)
	if err != nil {
		return err
	}
	random, err := envelope.Random(n.bundle.Ring(), 0, format.Hash{})
	if err != nil {
		return err
	}
	writes, section := n.rooms.genesis(genesisSlot(now, random))
	return f.Found(n.log, doc, writes, section, uint64(now.UnixNano()))
}

func evidence(ctx context.Context, p *platform, report attest.ReportData) ([]byte, error) {
	e, err := p.Evidence(ctx, report)
	if err != nil {
		return nil, err
	}
	return e.Encode()
}
