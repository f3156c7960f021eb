package node

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// nodeKeys are the identity of one process: they are made when it starts and
// end with it.
type nodeKeys struct {
	signer *ecdsa.PrivateKey
	hpke   *ecdh.PrivateKey
}

func newNodeKeys() (*nodeKeys, error) {
	signer, err := keys.NewSigner()
	if err != nil {
		return nil, err
	}
	hpke, err := ecdh.X25519().GenerateKey(rand.Reader)
	return &nodeKeys{signer, hpke}, err
}

func (k *nodeKeys) spki() []byte        { return keys.SPKI(&k.signer.PublicKey) }
func (k *nodeKeys) writer() format.Hash { return sha256.Sum256(k.spki()) }

// introduce is the node as a genesis or recovery record introduces it.
func (k *nodeKeys) introduce(b *keys.Bundle, raftID uint64) (format.Node, error) {
	n := format.Node{RaftID: raftID, Key: k.spki(), HPKEKey: k.hpke.PublicKey().Bytes(), Reads: format.Highest}
	var err error
	n.Endorsement, err = proof.Endorse(b.ServiceKey, proof.Subject{
		Service: b.Service.ID, Mode: b.Service.Mode, Purpose: proof.PurposeNode, Key: n.Key, Number: raftID})
	return n, err
}

// binding is what the node's evidence is bound to.
func (k *nodeKeys) binding(b *keys.Bundle) attest.GenesisBinding {
	return attest.GenesisBinding{Service: b.Service.ID, Mode: b.Service.Mode, ServiceKey: keys.SPKI(&b.ServiceKey.PublicKey),
		NodeKey: k.spki(), NodeHPKEKey: k.hpke.PublicKey().Bytes(), CheckpointKey: b.Checkpoint.Public().(ed25519.PublicKey)}
}

// newBundle makes the secrets of a new service and stores them sealed: before
// the genesis block, so that no ledger ever lacks its keys.
func newBundle(f disk.FS, p *platform) (*keys.Bundle, error) {
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
	sealed, err := b.Seal(p.sealer)
	if err != nil {
		return nil, err
	}
	return b, keys.Save(f, dirKeys, b.Number, sealed)
}

// published is what a record says of a bundle without opening it.
func published(b *keys.Bundle) (format.Secrets, error) {
	s := format.Secrets{Bundle: b.Number, Digest: b.Digest()}
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

// found writes the genesis block: entry 1 of term 1, before Raft starts.
func (n *Node) found(ctx context.Context) error {
	log, b, k, now := n.log, n.bundle, n.own, n.config.Clock()
	doc, err := n.genesisDocument(ctx)
	if err != nil {
		return err
	}
	place := envelope.Place{Format: format.Founding, View: 1, Writer: k.writer()}
	sealer, err := envelope.KeysOf(b.Ring(), 0, place)
	if err != nil {
		return err
	}
	random, err := envelope.Random(b.Ring(), 0, format.Hash{})
	if err != nil {
		return err
	}
	writes, section := n.rooms.genesis(genesisSlot(now, random))
	record := sealer.Seal(1, &envelope.Draft{Kind: format.KindGenesis, Private: format.Private{Writes: writes}, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(doc)},
		{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(uint64(format.Founding))},
	}, lineage.GenesisNodes(doc)...)})
	tree := &proof.Frontier{}
	tree.Append(record.Leaf)
	sealed := sealer.SealSection(section)
	digest := sha256.Sum256(sealed)
	header := &format.Header{Format: format.Founding, View: 1, FirstSeqno: 1, Count: 1, TreeSize: 1, Root: tree.Root(),
		Time: uint64(now.UnixNano()), Writer: k.writer(), Section: digest[:]}
	raw := &format.Block{Header: header.Encode(), Section: sealed, Records: [][]byte{record.Stored}}
	if raw.Signature, err = proof.SignRoot(k.signer, header.Writer, b.Service.ID, raw.Header, header.Root); err != nil {
		return err
	}
	if err := log.SetVote(1, 0); err != nil {
		return err
	}
	if err := log.Append([]format.Entry{{Index: 1, Term: 1, Kind: format.EntryBlock, Body: raw.Encode()}}); err != nil {
		return err
	}
	return log.Sync()
}

func (n *Node) genesisDocument(ctx context.Context) (*format.Genesis, error) {
	p, b, k := n.machine, n.bundle, n.own
	g := &format.Genesis{Format: format.Founding, Service: b.Service.ID, Mode: b.Service.Mode, ServiceKey: keys.SPKI(&b.ServiceKey.PublicKey),
		Checkpoint: b.Checkpoint.Public().(ed25519.PublicKey), Sealing: true,
		Address: n.peers.advertise, Client: n.config.Client}
	var err error
	if g.CheckpointEndorsement, err = proof.Endorse(b.ServiceKey, proof.Subject{
		Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeCheckpoint, Key: g.Checkpoint}); err != nil {
		return nil, err
	}
	if g.Node, err = k.introduce(b, 1); err != nil {
		return nil, err
	}
	if g.Policy, err = p.policy.Encode(); err != nil {
		return nil, err
	}
	if g.Evidence, err = evidence(ctx, p, k.binding(b).ReportData()); err != nil {
		return nil, err
	}
	g.Secrets, err = published(b)
	return g, err
}

func evidence(ctx context.Context, p *platform, report attest.ReportData) ([]byte, error) {
	e, err := p.Evidence(ctx, report)
	if err != nil {
		return nil, err
	}
	return e.Encode()
}
