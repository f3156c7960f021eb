// Package node is one node's life: it opens or founds a network in a directory,
// recovers what an ended process left, takes part in consensus, and stops.
//
// It is the only place that assembles rooms. A process that ended never comes
// back: every start verifies the ledger, makes a new node identity, and either
// founds the network or continues it with a recovery record that names the old
// head. Nothing is served before that record is committed.
package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server"
)

// Config is how a node runs. Data is required; Default fills the rest.
type Config struct {
	Data     string  // directory, for what lies outside FS
	FS       disk.FS // the files below Data
	Index    string  // directory of the history index, in IndexFS
	IndexFS  vfs.FS  // nil is the operating system's
	Past     Past
	Clock    func() time.Time
	Logger   *slog.Logger
	Version  string        // of the program, for clients that ask
	Tick     time.Duration // of consensus; elections take ten to twenty
	Limits   sequencer.Limits
	Snapshot Cadence
	Origins  []string // web origins whose pages may ask, see server.Options
	Hosts    []string // names under which the node answers, see server.Options
}

// Cadence says when a snapshot is taken: when so many records and so many bytes
// of them were committed since the last one, and as many bytes as it took.
type Cadence struct {
	Records uint64
	Bytes   uint64
}

// Default is the configuration of a development node in a directory.
func Default(data string) Config {
	return Config{Data: data, FS: disk.OS(data), Index: filepath.Join(data, filepath.FromSlash(dirIndex)), Clock: time.Now, Version: "coco",
		Logger: slog.New(slog.DiscardHandler), Tick: 100 * time.Millisecond, Limits: sequencer.DefaultLimits,
		Snapshot: Cadence{Records: 10_000, Bytes: 8 << 20},
		Past:     Past{Dir: filepath.Join(data, filepath.FromSlash(dirPast)), Blocks: 90_000, Bytes: 1 << 30}}
}

// Node is a running node.
type Node struct {
	config  Config
	lock    io.Closer
	bundle  *keys.Bundle
	genesis *format.Genesis
	pem     []byte // service.pem
	state   *kv.Store
	log     *ledger.Log
	tiles   *tiles
	store   *snapshot.Store
	archive *archive
	index   *indexer
	past    *history.Past
	rooms   *rooms
	pool    *pool.Pool
	server  *server.Server

	followers  []sequencer.Follower
	sequencer  *sequencer.Sequencer
	consensus  *consensus.Loop
	snapshots  *snapshots
	writers    writers
	recoveries uint64
	restored   uint64 // height of the snapshot that this process began from, 0 for none
	started    uint64 // height at which this process began
	evidence   []byte // of this node

	cancel context.CancelFunc
	group  sync.WaitGroup
}

// Start opens the network in the directory, or founds one, and returns when it
// serves: the opening record, if there is one, is committed.
func Start(ctx context.Context, c Config) (_ *Node, err error) {
	n := &Node{config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close(context.WithoutCancel(ctx)))
		}
	}()
	if !sim.Included { // before anything is touched
		return nil, ErrRelease
	}
	if n.lock, err = openDirectory(c.FS); err != nil {
		return nil, err
	}
	machine, err := simulated(c.FS, dirKeys, c.Clock())
	if err != nil {
		return nil, err
	}
	var usable []*snapshot.Snapshot
	if n.store, usable, err = openSnapshots(c.FS, c.Logger); err != nil {
		return nil, err
	}
	options := ledger.Options{Vote: fileVote, Now: c.Clock}
	if len(usable) > 0 {
		options.VerifyFrom = usable[0].Manifest.Meta.Index
	}
	if n.log, err = ledger.Open(c.FS, dirLedger, options); err != nil {
		return nil, err
	}
	own, err := newNodeKeys()
	if err != nil {
		return nil, err
	}
	if n.rooms, err = newRooms(); err != nil {
		return nil, err
	}
	n.state = n.rooms.state
	founded := !n.log.Head().HasBlock
	if founded {
		if n.bundle, err = newBundle(c.FS, machine); err == nil {
			err = found(ctx, n.log, machine, n.bundle, own, n.rooms, c.Clock())
		}
	} else {
		n.bundle, err = openBundle(c.FS, n.log, machine)
	}
	if err != nil {
		return nil, err
	}
	line, err := n.recall(ctx, usable)
	if err != nil {
		return nil, err
	}
	n.genesis, n.recoveries = line.Identity.Genesis, line.Identity.Recoveries
	n.evidence = n.genesis.Evidence
	if n.pem, err = serviceFile(c.FS, n.bundle.ServiceKey, n.bundle.Service.ID, n.bundle.Service.Mode, c.Clock()); err != nil {
		return nil, err
	}
	begin := n.beginning(line, founded)
	var opening *envelope.Draft
	if !founded {
		n.recoveries++
		if opening, err = n.recovery(ctx, machine, own, line, begin.ID); err != nil {
			return nil, err
		}
	}
	n.snapshots = newSnapshots(n, line.Identity.Changed, lineage.Alone(begin.ID))
	return n, n.run(ctx, own, line.Head, begin, opening)
}

// recall brings state, tree and followers to the log's last block: from the
// newest usable snapshot, and the blocks behind it.
func (n *Node) recall(ctx context.Context, usable []*snapshot.Snapshot) (*lineage.Lineage, error) {
	ring := n.bundle.Ring()
	n.archive = &archive{log: n.log, open: func(e *format.Entry) (*envelope.Block, error) { return envelope.Open(ring, e) }}
	base, err := n.restore(ctx, ring, usable)
	if err != nil {
		return nil, err
	}
	n.index = openIndexer(ctx, n.config, ring, n.archive, chain.TermsOf, n.log.Head().Height)
	if err := n.rooms.attach(ctx, n.archive, n.index, base.line.Head.Height); err != nil {
		return nil, err
	}
	n.index.moved = n.rooms.chain.IndexMoved
	n.openPast(ring, base.line.Head.Height)
	defer n.past.Live()
	n.restored = base.line.Head.Height
	n.followers = []sequencer.Follower{n.tiles, n.rooms.chain, n.index, confirmer{n.past}}
	return base.line, n.replay(ctx, base)
}

// beginning is where this process starts in the log: as a new voter, alone, at a
// term above all that the ledger and the vote file know.
func (n *Node) beginning(line *lineage.Lineage, founded bool) consensus.Start {
	head := n.log.Head()
	start := consensus.Start{ID: line.Identity.Nodes.Highest(), Term: head.LastTerm,
		Last: consensus.Position{Index: head.LastIndex, Term: head.LastTerm, Prefix: head.Prefix}, Line: line, Recovers: !founded}
	if !founded {
		voted, _ := n.log.Vote()
		start.ID++
		start.Term = max(head.LastTerm, voted) + 1
	}
	return start
}

// run starts sequencer and consensus and waits until the node serves.
func (n *Node) run(ctx context.Context, own *nodeKeys, head lineage.Head, begin consensus.Start, opening *envelope.Draft) error {
	n.followers = append(n.followers, n.snapshots)
	n.started = head.Height
	c := n.config
	n.sequencer = sequencer.New(sequencer.Config{
		Store: n.state, Ring: n.bundle.Ring(), Signer: own.signer, Writer: own.writer(), Head: head,
		ViewAt: n.viewAt, Protocols: n.rooms.protocols(), Followers: n.followers, Clock: c.Clock, Logger: c.Logger,
		Limits: c.Limits, ChunkUsed: func() uint64 { return uint64(n.log.ChunkUsed()) }, Opening: opening,
	})
	driver, err := consensus.New(n.log, begin, consensus.Options{ElectionTicks: 10, HeartbeatTicks: 1, Logger: c.Logger})
	if err != nil {
		return err
	}
	if err := driver.Campaign(); err != nil {
		return err
	}
	n.consensus = consensus.NewLoop(driver, n.log, n.sequencer, nil, c.Logger)
	n.sequencer.Attach(n.consensus)
	n.pool = n.newPool()
	n.server = n.newServer()

	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.group.Go(func() { n.sequencer.Run(run) })
	n.group.Go(func() {
		if err := n.consensus.Run(c.Tick); err != nil {
			n.sequencer.Fail(err)
		} else {
			n.sequencer.Fail(consensus.ErrStopped)
		}
	})
	n.group.Go(func() { n.pool.Run(run) })
	n.group.Go(func() { n.index.run(run) })
	n.group.Go(func() { n.snapshots.run(run) })
	n.group.Go(func() { n.verifyOlder(run) })
	select {
	case <-n.sequencer.Ready():
		return nil
	case <-n.sequencer.Failed():
		return n.sequencer.Fault()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// verifyOlder reads what the start did not: damage is named, and that range of
// the ledger is not served.
func (n *Node) verifyOlder(ctx context.Context) {
	damaged, err := n.log.VerifyOlder(ctx, func(int, int) {})
	for _, d := range damaged {
		n.config.Logger.Error("the ledger is damaged", "err", d)
	}
	if err != nil && ctx.Err() == nil {
		n.config.Logger.Error("the older ledger cannot be verified", "err", err)
	}
}

// Stop ends the node: requests under way are answered, what is committed is
// durable, the index is flushed.
func (n *Node) Stop(ctx context.Context) error { return n.close(ctx) }

// drain lets what was submitted come to its end, for at most a second.
func (n *Node) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := n.sequencer.Drain(ctx); err != nil {
		n.config.Logger.Warn("the node stops although requests have no outcome yet", "err", err)
	}
}

func (n *Node) close(ctx context.Context) error {
	var errs []error
	if n.cancel != nil {
		n.drain(ctx)
		n.consensus.Stop()
		n.cancel()
		n.group.Wait()
	}
	if n.index != nil {
		errs = append(errs, n.index.close(ctx))
	}
	if n.past != nil {
		errs = append(errs, n.closePast())
	}
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}
