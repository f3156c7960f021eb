package node

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/catchup"
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
// ledger, store the receipt. Until then a snapshot does not count. The primary
// takes them; the other nodes fetch them from one that has it.
type snapshots struct {
	node    *Node
	due     chan pinned // at most one waits
	records uint64      // since the last one
	bytes   uint64
	size    atomic.Uint64                // of the last one on disk
	changed atomic.Pointer[lineage.TxID] // the last record that changed the nodes
	offered chan catchup.Snapshot        // the newest that another node recorded and run has not seen
	taking  atomic.Bool
	taken   atomic.Int64 // when the newest was complete, nanoseconds since 1970 UTC
	took    atomic.Int64 // nanoseconds
	height  atomic.Uint64
	pending atomic.Uint64 // records committed since
	covered atomic.Uint64 // seqno of the newest; a start replays what is behind it
	latest  atomic.Pointer[sequencer.Committed]
	long    uint64 // records that a node does not leave to be replayed when it stops
}

// pinned is the state after a block, held for a snapshot.
type pinned struct {
	view *kv.View
	meta snapshot.Meta
	last chan struct{} // closed when it is done, if the node waits for it to stop; else nil
}

// A node that stops takes a snapshot when the next start would replay more records
// than longReplay, which takes some two seconds, and gives up after longStop.
const (
	longReplay = 50_000
	longStop   = 45 * time.Second
)

func newSnapshots(n *Node, changed lineage.TxID) *snapshots {
	s := &snapshots{node: n, due: make(chan pinned, 1), offered: make(chan catchup.Snapshot, 1), long: longReplay}
	s.changed.Store(&changed)
	s.height.Store(n.restored)
	s.covered.Store(n.covered)
	return s
}

// Committed pins the state when a snapshot is due. It is told after the tiles.
func (s *snapshots) Committed(c *sequencer.Committed) {
	s.records += uint64(len(c.Records))
	for i := range c.Records {
		s.bytes += uint64(len(c.Records[i].Stored))
		p := c.Records[i].Prelude
		if lineage.Changes(p.Kind) {
			s.changed.Store(&lineage.TxID{View: p.View, Seqno: p.Seqno})
		}
		if p.Kind == format.KindSnapshot && c.Header.Writer != s.node.own.Writer() {
			s.records, s.bytes = 0, 0
			s.offer(&c.Records[i])
		}
	}
	s.pending.Store(s.records)
	s.latest.Store(c)
	if c.Header.Writer != s.node.own.Writer() {
		return
	}
	// A snapshot writes the whole state: as much ledger as that comes in between,
	// so that snapshots at most double what is written, however large the state.
	cadence := s.node.config.Snapshot
	if s.records < cadence.Records || s.bytes < max(cadence.Bytes, s.size.Load()) || len(s.due) > 0 {
		return
	}
	p := s.pin(c)
	select {
	case s.due <- p:
		s.records, s.bytes = 0, 0
	default:
		p.view.Release()
	}
}

// pin holds the state after the last block that was committed.
func (s *snapshots) pin(c *sequencer.Committed) pinned {
	h := c.Header
	return pinned{view: s.node.state.Pin(), meta: snapshot.Meta{Height: h.Height, View: h.View, Seqno: h.LastSeqno(), Time: h.Time,
		Block: c.Hash, Index: c.Index, Edge: s.node.tiles.Edge(), Changed: *s.changed.Load(), Config: c.Raft}}
}

// last takes a snapshot before the node stops, when it leads and the next start
// would take long without. Nobody commits much any more: if a block comes in
// between, the state is another one, and so it is pinned again.
func (s *snapshots) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, longStop)
	defer cancel()
	for ctx.Err() == nil {
		c := s.latest.Load()
		if view, _ := s.node.sequencer.Serving(); view == 0 || c == nil || c.Header.LastSeqno()-s.covered.Load() < s.long {
			return
		}
		p := s.pin(c)
		p.last = make(chan struct{})
		if p.view.Height() != p.meta.Height || p.meta.Edge.Size() != p.meta.Seqno || s.latest.Load() != c {
			p.view.Release()
			continue
		}
		s.node.config.Logger.Info("a last snapshot before the node stops", "height", p.meta.Height)
		select {
		case s.due <- p:
		case <-ctx.Done():
			p.view.Release()
			return
		}
		select {
		case <-p.last:
		case <-ctx.Done():
			s.node.config.Logger.Warn("the node stops without a last snapshot; the next start takes longer")
		}
		return
	}
}

// offer lets run fetch the snapshot that a record names, instead of an older one.
func (s *snapshots) offer(r *envelope.Record) {
	var evidence format.SnapshotEvidence
	for _, w := range r.Public {
		if w.Table != format.TableService || string(w.Key) != format.KeySnapshot || format.Decode(w.Value, &evidence) != nil {
			continue
		}
		select {
		case <-s.offered:
		default:
		}
		s.offered <- catchup.Snapshot{Height: evidence.Height, Digest: evidence.Manifest} // nobody else sends
	}
}

// run takes the snapshots that are due and fetches those that are offered until
// the context ends.
func (s *snapshots) run(ctx context.Context) {
	s.prune()
	fetcher := s.node.newFetcher()
	fetcher.Rounds, fetcher.Placing = 1, s.settle
	var wanted catchup.Snapshot
	var again <-chan time.Time // when what is wanted is asked for; nil when nothing is
	var wait time.Duration
	for {
		select {
		case <-ctx.Done():
			select {
			case p := <-s.due:
				p.view.Release()
			default:
			}
			return
		case wanted = <-s.offered:
			wait = 2 * s.node.config.Timing.Tick
			again = time.After(wait)
		case <-again:
			// Whoever recorded it may not have it complete yet.
			err := s.fetch(ctx, fetcher, wanted)
			if again = nil; err != nil {
				s.node.config.Logger.Debug("a snapshot of another node is not here yet", "height", wanted.Height, "err", err)
				wait = min(2*wait, 10*time.Second)
				again = time.After(wait)
			}
		case p := <-s.due:
			if s.takes(ctx, p) == nil {
				again = nil
			}
		}
	}
}

// takes takes a snapshot and says so.
func (s *snapshots) takes(ctx context.Context, p pinned) error {
	began, logger := s.node.config.Clock(), s.node.config.Logger
	s.taking.Store(true)
	s.node.store.Hurry = p.last != nil
	usage, err := s.take(ctx, p)
	s.taking.Store(false)
	if p.last != nil {
		defer close(p.last)
	}
	if err == nil {
		s.note(p.meta.Height, p.meta.Seqno, usage.Bytes, began)
		logger.Info("snapshot", "height", p.meta.Height, "rows", usage.Rows, "bytes", usage.Bytes, "memory", usage.Memory)
	} else if ctx.Err() == nil {
		logger.Warn("no snapshot", "height", p.meta.Height, "err", err)
	}
	return err
}

// fetch fetches a snapshot that the primary took.
func (s *snapshots) fetch(ctx context.Context, f *catchup.Fetcher, wanted catchup.Snapshot) error {
	if wanted.Height <= s.height.Load() {
		return nil
	}
	began := s.node.config.Clock()
	fetched, err := f.SnapshotOf(ctx, wanted)
	if err != nil {
		return err
	}
	s.note(fetched.Manifest.Meta.Height, fetched.Manifest.Meta.Seqno, uint64(fetched.Manifest.Size()), began)
	s.prune()
	return nil
}

// prune deletes the snapshots that newer ones replace.
func (s *snapshots) prune() {
	if err := s.node.store.Prune(); err != nil {
		s.node.config.Logger.Warn("old snapshots are not deleted", "err", err)
	}
}

// settle makes durable what a start from a snapshot does not feed again: the
// history index and the old states up to its block.
func (s *snapshots) settle(ctx context.Context) error {
	n := s.node
	if err := n.index.Flush(ctx); err != nil {
		n.config.Logger.Warn("the next start feeds the history index from further back", "err", err)
	}
	if err := n.past.Flush(ctx); err != nil {
		n.config.Logger.Warn("old state may be kept anew after the next start", "err", err)
	}
	return ctx.Err()
}

// note takes down what the newest snapshot is.
func (s *snapshots) note(height, seqno, bytes uint64, began time.Time) {
	now := s.node.config.Clock()
	s.covered.Store(seqno)
	s.size.Store(bytes)
	s.height.Store(height)
	s.taken.Store(now.UnixNano())
	s.took.Store(int64(now.Sub(began)))
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
	view, _ := n.sequencer.Serving()
	if view == 0 {
		return w.Usage, errors.New("this node leads no more")
	}
	ticket, err := n.sequencer.Submit(&sequencer.Request{View: view, Decoded: &envelope.Draft{Kind: format.KindSnapshot, Public: []format.Write{
		{Table: format.TableService, Key: []byte(format.KeySnapshot), Value: format.Encode(&evidence)},
	}}})
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
	if err := s.settle(ctx); err != nil {
		return w.Usage, err
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
		if errors.Is(err, catchup.ErrUnsound) || errors.Is(err, snapshot.ErrDamaged) {
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
	return &base{line: line, at: m.Index, prefix: m.Prefix}, nil
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

// vouched checks that the ledger names the snapshot's digest. One that was fetched
// by this process was shown the record that does, see catchup.Fetcher: the log may
// not reach that far yet.
func (n *Node) vouched(s *snapshot.Snapshot) error {
	if n.fetched == s.Digest && n.fetcher != nil {
		return nil
	}
	return catchup.Vouched(s, n.log, n.trust())
}

// trust is what this node believes of receipts: its own service's.
func (n *Node) trust() proof.Trust {
	key, err := proof.ParseKey(keys.SPKI(&n.bundle.ServiceKey.PublicKey))
	if err != nil {
		panic(err) // it is a key that this process holds
	}
	return proof.Trust{Service: key, AllowSimulated: n.bundle.Service.Mode == format.ModeSimulated}
}
