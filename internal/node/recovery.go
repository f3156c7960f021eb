package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/consensus/transport"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// openBundle opens, by platform sealing, the key bundle that the ledger names,
// and checks that it is of the service whose ledger lies beside it. Secrets are
// not renewed yet: every recovery names the bundle of genesis.
func openBundle(f disk.FS, log *ledger.Log, p *platform) (*keys.Bundle, error) {
	first, err := log.Entry(1)
	if err != nil {
		return nil, err
	}
	service, err := genesisService(first)
	if err != nil {
		return nil, err
	}
	sealed, err := keys.Read(f, dirKeys, service.Secrets.Bundle, service.Secrets.Digest)
	if err != nil {
		return nil, err
	}
	b, err := keys.OpenBundle(sealed, p.sealer)
	if err != nil {
		return nil, keys.ErrBundle.From(fmt.Errorf("%s: %w", keys.Name(service.Secrets.Bundle), cmp.Or(errors.Unwrap(err), err)))
	}
	if b.Service.ID != service.Service || b.Service.Mode != service.Mode {
		return nil, ErrForeign.From(errors.New("the ledger and the keys are of two networks"))
	}
	return b, nil
}

// named checks that a bundle is the one that a verified ledger names.
func named(b *keys.Bundle, of *lineage.Identity) error {
	if b.Digest() != of.Secrets.Digest || b.Service.ID != of.Genesis.Service || b.Service.Mode != of.Genesis.Mode {
		return keys.ErrBundle.From(errors.New("it is not the bundle that the ledger names"))
	}
	return nil
}

// genesisService reads the genesis document of entry 1; lineage verifies it later.
func genesisService(first *format.Entry) (*format.Genesis, error) {
	var g format.Genesis
	return &g, readDocument(first, format.KeyGenesis, &g)
}

// readDocument reads a public document of a block's first record.
func readDocument(e *format.Entry, key string, into any) error {
	raw, _, err := format.DecodeBlock(e.Body)
	if err != nil {
		return err
	}
	r, _, err := format.DecodeRecord(raw.Records[0])
	if err != nil {
		return err
	}
	return document(r, key, into)
}

// document reads a public document of a record.
func document(r *format.Record, key string, into any) error {
	writes, err := r.PublicWrites()
	if err != nil {
		return err
	}
	for _, w := range writes {
		if w.Table == format.TableService && string(w.Key) == key {
			return format.Decode(w.Value, into)
		}
	}
	return format.ErrFormat.From(errors.New("the record has no " + key + " document"))
}

// recovery is the record with which this process continues a network none of
// whose nodes is left.
func (n *Node) recovery(ctx context.Context, line *lineage.Lineage, raftID uint64) (*envelope.Draft, error) {
	if err := named(n.bundle, &line.Identity); err != nil {
		return nil, err
	}
	doc, draft, err := n.founder(ctx).Recovery(line, n.log.Head().Prefix, raftID)
	if err != nil {
		return nil, err
	}
	n.evidence = doc.Evidence
	return draft, nil
}

// alone makes sure, as far as it can, that no node of the network runs: whoever
// recovers it beside them makes two networks of one. Force skips it, for an
// operator who knows better.
func (n *Node) alone(ctx context.Context, members lineage.Members) error {
	if n.config.Force {
		return nil
	}
	certificate, err := transport.SelfSigned(n.own.Signer, n.config.Clock())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	ids := members.IDs(format.NodeVoter)
	answers := make(chan string, len(ids))
	for _, id := range ids {
		go func(address string) {
			session, err := transport.DialJoin(ctx, address, n.pem, certificate)
			if err != nil { // nobody is there, or somebody else
				answers <- ""
				return
			}
			session.Close()
			answers <- address
		}(members.Get(id).Address)
	}
	for range ids {
		if address := <-answers; address != "" {
			return ErrRuns.From(fmt.Errorf("a node of it answers at %s", address))
		}
	}
	return nil
}
