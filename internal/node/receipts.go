package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/api"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// ErrNoReceipt says that there is nothing to prove.
var ErrNoReceipt = problem.New("NO_RECEIPT", "there is no receipt for that transaction",
	"ask for its status; a receipt exists once it is Committed")

// Receipt proves that a transaction is part of the ledger and committed. It
// discloses its hash and status, and the fields that are asked for.
func (n *Node) Receipt(ctx context.Context, tx sequencer.TxID, fields ...uint64) (*proof.Receipt, error) {
	if s := n.sequencer.StatusOf(tx); s != sequencer.StatusCommitted {
		return nil, ErrNoReceipt.From(fmt.Errorf("%v is %v", tx, s))
	}
	height, err := n.archive.heightOf(tx.Seqno, n.sequencer.Head().Height)
	if err != nil {
		return nil, err
	}
	b, err := n.archive.Block(ctx, height)
	if err != nil {
		return nil, err
	}
	writer, err := n.writerOf(b.Header)
	if err != nil {
		return nil, err
	}
	receipt, err := n.receipt(b, writer, tx.Seqno, fields)
	switch {
	case err == nil && n.holds(receipt):
		return receipt, nil
	case err != nil && !errors.Is(err, proof.ErrNodes):
		return nil, err
	}
	// The tiles are only a copy of what the ledger says: make them again.
	if err := n.rebuildTiles(ctx); err != nil {
		return nil, err
	}
	if receipt, err = n.receipt(b, writer, tx.Seqno, fields); err == nil && !n.holds(receipt) {
		err = errors.New("a receipt does not verify although the tiles were rebuilt")
	}
	return receipt, err
}

func (n *Node) receipt(b *envelope.Block, w proof.Writer, seqno uint64, fields []uint64) (*proof.Receipt, error) {
	r := &b.Records[seqno-b.Header.FirstSeqno]
	receipt, err := proof.NewReceipt(n.tiles, w, b.Encoded, b.Signature, seqno, sha256.Sum256(r.Stored), r.Evidence, r.Prelude.Claims)
	if err != nil {
		return nil, err
	}
	ours, err := ethereum.Disclose(b.Header.Height, r, fields...)
	if err != nil {
		return nil, err
	}
	theirs, err := keyvalue.Disclose(r, fields...)
	receipt.Disclosed = append(ours, theirs...)
	return receipt, err
}

func (n *Node) holds(r *proof.Receipt) bool {
	key, err := proof.ParseService(n.pem)
	if err != nil {
		return false
	}
	_, err = r.Verify(proof.Trust{Service: key, AllowSimulated: true})
	return err == nil
}

// service is the node as the protocols' interfaces see it.
type service struct{ *Node }

// Status is what this node can say of a TxID.
func (s service) Status(tx sequencer.TxID) sequencer.Status { return s.sequencer.StatusOf(tx) }

// Checkpoint is the service's signed statement of the committed ledger (C2SP
// tlog-checkpoint).
func (n *Node) Checkpoint(context.Context) ([]byte, error) {
	head := n.sequencer.Head()
	c := &proof.Checkpoint{Service: n.genesis.Service, Recoveries: n.recoveries, Size: head.Tree.Size(), Root: head.Tree.Root(),
		Mode: n.genesis.Mode, Height: head.Height, Key: n.bundle.Checkpoint.Public().(ed25519.PublicKey), Endorsement: n.genesis.CheckpointEndorsement}
	return c.Sign(n.bundle.Checkpoint)
}

// Identity is the service's identity and this node's evidence.
func (n *Node) Identity() api.Identity {
	return api.Identity{Service: fmt.Sprintf("%x", n.genesis.Service), Mode: n.genesis.Mode, PEM: string(n.pem), Evidence: n.evidence}
}

// writerOf is the node that signed a block, and why it may: the table
// of nodes has every node that ever was.
func (n *Node) writerOf(h *format.Header) (proof.Writer, error) {
	info := n.members.get().Writer(h.Writer)
	if info == nil {
		return proof.Writer{}, fmt.Errorf("block %d: its writer is not known", h.Height)
	}
	return proof.GenesisWriter(n.genesis).Joined(&info.Node), nil
}

// viewAt is the view of a committed seqno that was there when the node started.
func (n *Node) viewAt(seqno uint64) uint64 {
	height, err := n.archive.heightOf(seqno, n.started)
	if err != nil {
		return 0
	}
	h, err := n.archive.header(height)
	if err != nil || seqno < h.FirstSeqno || seqno > h.LastSeqno() {
		return 0
	}
	return h.View
}
