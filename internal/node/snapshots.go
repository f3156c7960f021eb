package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// snapshots takes snapshots in the background: write, record the digest in the
// ledger, store the receipt. Until then a snapshot does not count.
type snapshots struct {
	node    *Node
	due     chan pinned // at most one waits
	records uint64      // since the last one
	bytes   uint64
	size    atomic.Uint64 // of the last one on disk
	changed lineage.TxID  // the last record that changed the nodes
	config  lineage.Config
}

// pinned is the state after a block, held for a snapshot.
type pinned struct {
	view *kv.View
	meta snapshot.Meta
}

func newSnapshots(n *Node, changed lineage.TxID, config lineage.Config) *snapshots {
	return &snapshots{node: n, due: make(chan pinned, 1), changed: changed, config: config}
}

// Committed pins the state when a snapshot is due. It is told after the tiles.
func (s *snapshots) Committed(c *sequencer.Committed) {
	s.records += uint64(len(c.Records))
	for i := range c.Records {
		s.bytes += uint64(len(c.Records[i].Stored))
		if p := c.Records[i].Prelude; lineage.Changes(p.Kind) {
			s.changed = lineage.TxID{View: p.View, Seqno: p.Seqno}
		}
	}
	// A snapshot writes the whole state: as much ledger as that comes in between,
	// so that snapshots at most double what is written, however large the state.
	cadence := s.node.config.Snapshot
	if s.records < cadence.Records || s.bytes < max(cadence.Bytes, s.size.Load()) || len(s.due) > 0 {
		return
	}
	h := c.Header
	p := pinned{view: s.node.state.Pin(), meta: snapshot.Meta{Height: h.Height, View: h.View, Seqno: h.LastSeqno(), Time: h.Time,
		Block: c.Hash, Index: c.Index, Edge: s.node.tiles.Edge(), Changed: s.changed, Config: s.config}}
	select {
	case s.due <- p:
		s.records, s.bytes = 0, 0
	default:
		p.view.Release()
	}
}

// run takes the snapshots that are due until the context ends.
func (s *snapshots) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			select {
			case p := <-s.due:
				p.view.Release()
			default:
			}
			return
		case p := <-s.due:
			usage, err := s.take(ctx, p)
			if err == nil {
				s.size.Store(usage.Bytes)
				s.node.config.Logger.Info("snapshot", "height", p.meta.Height, "rows", usage.Rows, "bytes", usage.Bytes, "memory", usage.Memory)
			} else if ctx.Err() == nil {
				s.node.config.Logger.Warn("no snapshot", "height", p.meta.Height, "err", err)
			}
		}
	}
}

func (s *snapshots) take(ctx context.Context, p pinned) (snapshot.Usage, error) {
	n := s.node
	defer p.view.Release()
	var err error
	if p.meta.Prefix, err = n.log.Prefix(p.meta.Index); err != nil {
		return snapshot.Usage{}, err
	}
	w, err := n.store.Write(ctx, n.state, p.view, n.bundle.Ring(), p.meta)
	if err != nil {
		return snapshot.Usage{}, err
	}
	evidence := w.Evidence()
	ticket, err := n.sequencer.SubmitRecord(&envelope.Draft{Kind: format.KindSnapshot, Public: []format.Write{
		{Table: format.TableService, Key: []byte(format.KeySnapshot), Value: format.Encode(&evidence)},
	}})
	if err == nil {
		err = ticket.Wait(ctx)
	}
	if err != nil {
		return w.Usage, err
	}
	tx, _ := ticket.TxID()
	receipt, err := n.Receipt(ctx, tx)
	if err != nil {
		return w.Usage, err
	}
	encoded, err := receipt.EncodeCOSE()
	if err != nil {
		return w.Usage, err
	}
	if err := n.index.Flush(ctx); err != nil {
		n.config.Logger.Warn("the next start feeds the history index from further back", "err", err)
	}
	if err := n.past.Flush(ctx); err != nil {
		n.config.Logger.Warn("old state may be kept anew after the next start", "err", err)
	}
	return w.Usage, n.store.SetReceipt(w.Height, encoded)
}

// openSnapshots lists the snapshots before the log is open, so that the log
// need not read every byte before the newest one.
func openSnapshots(f disk.FS, logger *slog.Logger) (store *snapshot.Store, usable []*snapshot.Snapshot, err error) {
	if store, err = snapshot.Open(f, dirSnapshot); err != nil {
		return nil, nil, err
	}
	usable, damaged := store.List()
	for _, d := range damaged {
		logger.Warn("a snapshot is not used", "err", d)
	}
	return store, usable, nil
}

// errUnsound says that a snapshot is not one of this ledger, and never will be.
var errUnsound = errors.New("it does not belong to this ledger")

// restore loads the newest snapshot whose receipt holds, or begins before
// genesis. A snapshot that cannot be used is deleted only when it is damaged or
// not of this ledger.
func (n *Node) restore(ctx context.Context, ring *keys.Ring, usable []*snapshot.Snapshot) (*base, error) {
	for _, s := range usable {
		err := n.vouched(s)
		if err == nil {
			_, err = n.store.Load(ctx, s, ring, n.state)
		}
		if err == nil {
			return n.resume(s.Manifest.Meta)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n.config.Logger.Warn("a snapshot is not used", "height", s.Manifest.Meta.Height, "err", err)
		if errors.Is(err, errUnsound) || errors.Is(err, snapshot.ErrDamaged) {
			if err := n.store.Delete(s.Manifest.Meta.Height); err != nil {
				return nil, err
			}
		}
	}
	n.tiles = &tiles{ledger.NewTiles(n.config.FS, dirLedger), n.config.Logger}
	return &base{line: lineage.New(authorities()...)}, nil
}

// resume continues from the state that a snapshot filled.
func (n *Node) resume(m snapshot.Meta) (*base, error) {
	identity, err := n.identity(m.Changed, m.Config)
	if err != nil {
		return nil, err
	}
	head := lineage.Head{Height: m.Height, Hash: m.Block, View: m.View, Seqno: m.Seqno, Time: m.Time, Tree: m.Edge.Frontier()}
	line, err := lineage.Resume(head, identity, authorities()...)
	if err != nil {
		return nil, err
	}
	t, err := ledger.ResumeTiles(n.config.FS, dirLedger, m.Edge)
	if err != nil {
		return nil, err
	}
	n.tiles = &tiles{t, n.config.Logger}
	return &base{line: line, at: m.Index}, nil
}

// identity is the service as the public tables of the published state have it.
func (n *Node) identity(changed lineage.TxID, config lineage.Config) (lineage.Identity, error) {
	view := n.state.Pin()
	defer view.Release()
	return lineage.IdentityOf(func(table string) iter.Seq2[[]byte, []byte] {
		return func(yield func(key, value []byte) bool) {
			if id, ok := n.state.Table(table); ok {
				_ = view.Each(id, yield) // fails for tables that are not there only
			}
		}
	}, changed, config)
}

// vouched checks that the ledger names the snapshot's digest, by the receipt of
// the record that does.
func (n *Node) vouched(s *snapshot.Snapshot) error {
	m := s.Manifest.Meta
	if prefix, err := n.log.Prefix(m.Index); errors.Is(err, ledger.ErrAbsent) {
		return fmt.Errorf("%w, which ends before it", errUnsound)
	} else if err != nil {
		return err
	} else if prefix != m.Prefix {
		return fmt.Errorf("%w: it was taken of other entries", errUnsound)
	}
	receipt, err := proof.DecodeReceipt(s.Receipt)
	if err != nil {
		return errors.Join(errUnsound, err)
	}
	service, err := proof.ParseKey(keys.SPKI(&n.bundle.ServiceKey.PublicKey))
	if err != nil {
		return err
	}
	h, err := receipt.Verify(proof.Trust{Service: service, AllowSimulated: n.bundle.Service.Mode == format.ModeSimulated})
	if err != nil {
		return errors.Join(errUnsound, err)
	}
	index, ok := n.log.IndexOf(h.Height)
	if !ok {
		return fmt.Errorf("%w, which ends before block %d that vouches for it", errUnsound, h.Height)
	}
	e, err := n.log.Entry(index)
	if err != nil {
		return err
	}
	raw, _, err := format.DecodeBlock(e.Body)
	if err != nil {
		return err
	}
	at := receipt.Seqno - h.FirstSeqno
	if at >= uint64(len(raw.Records)) || sha256.Sum256(raw.Records[at]) != receipt.Record {
		return fmt.Errorf("%w: its receipt is of another record", errUnsound)
	}
	record, _, err := format.DecodeRecord(raw.Records[at])
	if err != nil {
		return err
	}
	var evidence format.SnapshotEvidence
	if err := document(record, format.KeySnapshot, &evidence); err != nil {
		return err
	}
	if evidence.Height != m.Height || evidence.Manifest != s.Digest {
		return fmt.Errorf("%w, which names another digest", errUnsound)
	}
	return nil
}
