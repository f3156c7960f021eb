package simulation

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// found writes the genesis block to a machine's empty log, as coco start does:
// entry 1 of term 1, before Raft starts.
func (s *service) found(log *ledger.Log, i *identity, address string, clock *clock) error {
	now := uint64(clock.Now().UnixNano())
	g := &format.Genesis{Format: format.Founding, Service: s.bundle.Service.ID, Mode: s.bundle.Service.Mode,
		ServiceKey: keys.SPKI(&s.bundle.ServiceKey.PublicKey), Checkpoint: s.checkpoint(), Policy: s.policy, Sealing: true, Address: address}
	var err error
	if g.CheckpointEndorsement, err = s.endorse(proof.PurposeCheckpoint, g.Checkpoint, 0); err != nil {
		return err
	}
	if g.Node, err = s.node(i, 1); err != nil {
		return err
	}
	if g.Evidence, err = s.evidence(s.binding(i).ReportData()); err != nil {
		return err
	}
	if g.Secrets, err = s.secrets(); err != nil {
		return err
	}
	sealer, err := envelope.KeysOf(s.ring, 0, envelope.Place{Format: format.Founding, View: 1, Writer: i.writer()})
	if err != nil {
		return err
	}
	public := append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: format.Encode(g)},
		{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(uint64(format.Founding))},
	}, lineage.GenesisNodes(g)...)
	record := sealer.Seal(1, &envelope.Draft{Kind: format.KindGenesis, Public: public})
	tree := &proof.Frontier{}
	tree.Append(record.Leaf)
	header := &format.Header{Format: format.Founding, View: 1, FirstSeqno: 1, Count: 1, TreeSize: 1, Root: tree.Root(), Time: now, Writer: i.writer()}
	raw := &format.Block{Header: header.Encode(), Records: [][]byte{record.Stored}}
	if raw.Signature, err = proof.SignRoot(i.signer, header.Writer, s.bundle.Service.ID, raw.Header, header.Root); err != nil {
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

// recovery is the record with which a process continues a network none of whose
// nodes is left.
func (s *service) recovery(line *lineage.Lineage, prefix format.Hash, i *identity, raftID uint64, address string) (*envelope.Draft, error) {
	head := line.Head
	r := &format.Recovery{Count: line.Identity.Recoveries + 1, Height: head.Height, Header: head.Hash, Prefix: prefix,
		Root: head.Tree.Root(), Route: format.RouteSealing, Address: address}
	var err error
	if r.Secrets, err = s.secrets(); err != nil {
		return nil, err
	}
	if r.Node, err = s.node(i, raftID); err != nil {
		return nil, err
	}
	binding := attest.RecoveryBinding{GenesisBinding: s.binding(i), OldHead: head.Hash}
	if r.Evidence, err = s.evidence(binding.ReportData()); err != nil {
		return nil, err
	}
	public := append([]format.Write{{Table: format.TableService, Key: []byte(format.KeyRecovery), Value: format.Encode(r)}},
		lineage.RecoveryNodes(line.Identity.Nodes, r)...)
	return &envelope.Draft{Kind: format.KindRecovery, Public: public}, nil
}

// address is where a machine would be reached.
func address(machine int) string { return fmt.Sprintf("machine-%d:7000", machine) }
