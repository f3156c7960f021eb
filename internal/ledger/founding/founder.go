package founding

import (
	"crypto/sha256"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// Founder is a process that founds a network or recovers one.
type Founder struct {
	Bundle   *keys.Bundle
	Digest   format.Hash // of the bundle as it is sealed
	Process  *Process
	Address  string // for other nodes
	Client   string // for clients; may be empty
	Evidence func(report attest.ReportData) ([]byte, error)
}

// Genesis is the document of a new network with a policy (CBOR).
func (f *Founder) Genesis(policy []byte) (*format.Genesis, error) {
	b := f.Bundle
	g := &format.Genesis{Format: format.Founding, Service: b.Service.ID, Mode: b.Service.Mode, ServiceKey: keys.SPKI(&b.ServiceKey.PublicKey),
		Checkpoint: checkpoint(b), Policy: policy, Sealing: true, Address: f.Address, Client: f.Client}
	var err error
	if g.CheckpointEndorsement, err = endorse(b, proof.PurposeCheckpoint, g.Checkpoint, 0); err != nil {
		return nil, err
	}
	if g.Node, err = f.Process.node(b, 1); err != nil {
		return nil, err
	}
	if g.Evidence, err = f.Evidence(f.Process.binding(b).ReportData()); err != nil {
		return nil, err
	}
	g.Secrets, err = secrets(b, f.Digest)
	return g, err
}

// Found writes the genesis block to an empty log: entry 1 of term 1, before Raft
// starts. Writes are the first private state and section what protocols add to the
// block, nil for nothing; now is in nanoseconds.
func (f *Founder) Found(log *ledger.Log, g *format.Genesis, writes []format.Write, section envelope.Section, now uint64) error {
	place := envelope.Place{Format: format.Founding, View: 1, Writer: f.Process.Writer()}
	sealer, err := envelope.KeysOf(f.Bundle.Ring(), 0, place)
	if err != nil {
		return err
	}
	record := sealer.Seal(1, &envelope.Draft{Kind: format.KindGenesis, Private: format.Private{Writes: writes}, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(g)},
		{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(uint64(format.Founding))},
	}, lineage.GenesisNodes(g)...)})
	tree := &proof.Frontier{}
	tree.Append(record.Leaf)
	header := &format.Header{Format: format.Founding, View: 1, FirstSeqno: 1, Count: 1, TreeSize: 1, Root: tree.Root(), Time: now, Writer: place.Writer}
	raw := &format.Block{Records: [][]byte{record.Stored}}
	if section != nil {
		raw.Section = sealer.SealSection(section)
		digest := sha256.Sum256(raw.Section)
		header.Section = digest[:]
	}
	raw.Header = header.Encode()
	if raw.Signature, err = proof.SignRoot(f.Process.Signer, header.Writer, g.Service, raw.Header, header.Root); err != nil {
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

// Recovery is the record with which the process continues a network none of whose
// nodes is left, by platform sealing and so under the same service key. Prefix is the
// log's hash after the line.
func (f *Founder) Recovery(line *lineage.Lineage, prefix format.Hash, raftID uint64) (*format.Recovery, *envelope.Draft, error) {
	head := line.Head
	r := &format.Recovery{Count: line.Identity.Recoveries + 1, Height: head.Height, Header: head.Hash, Prefix: prefix,
		Root: head.Tree.Root(), Route: format.RouteSealing, Address: f.Address, Client: f.Client}
	var err error
	if r.Secrets, err = secrets(f.Bundle, f.Digest); err != nil {
		return nil, nil, err
	}
	if r.Node, err = f.Process.node(f.Bundle, raftID); err != nil {
		return nil, nil, err
	}
	binding := attest.RecoveryBinding{GenesisBinding: f.Process.binding(f.Bundle), OldHead: head.Hash}
	if r.Evidence, err = f.Evidence(binding.ReportData()); err != nil {
		return nil, nil, err
	}
	return r, &envelope.Draft{Kind: format.KindRecovery, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyRecovery), Value: format.Encode(r)},
	}, lineage.RecoveryNodes(line.Identity.Nodes, r)...)}, nil
}
