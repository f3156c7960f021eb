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
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/catchup"
	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server"
)

// Node is a running node.
type Node struct {
	config    Config
	lock      io.Closer
	machine   *platform
	own       *founding.Process
	bundle    *keys.Bundle
	genesis   *format.Genesis
	pem       []byte // service.pem
	state     *kv.Store
	log       *ledger.Log
	tiles     *tiles
	store     *snapshot.Store
	archive   *archive
	index     *indexer
	past      *history.Past
	rooms     *rooms
	pool      *pool.Pool
	server    *server.Server
	peers     *peers
	keeper    *membership.Keeper
	forwarder *forward.Forwarder
	intake    *forward.Intake
	fetcher   *catchup.Fetcher // of a node that joined
	fetched   format.Hash      // digest of the snapshot's manifest that it fetched

	id         uint64 // raft id of this process
	followers  []sequencer.Follower
	sequencer  *sequencer.Sequencer
	consensus  *consensus.Loop
	snapshots  *snapshots
	members    members
	recoveries uint64
	restored   uint64 // height of the snapshot that this process began from, 0 for none
	covered    uint64 // seqno of the last record before it
	started    uint64 // height at which this process began
	target     uint64 // height of the network when it let this node in
	floor      uint64 // index of what it had committed then
	evidence   []byte // of this node
	standing   standing
	arrival    arrival

	dismissed context.Context // ends when the network lets this node go
	dismiss   context.CancelFunc

	running context.Context // ends when the node stops
	cancel  context.CancelFunc
	group   sync.WaitGroup
}

// Start takes a place in the network as the configuration says, and returns when
// the node serves: its opening record, if there is one, is committed, or it has
// caught up with the network that it joined.
func Start(ctx context.Context, c Config) (_ *Node, err error) {
	n := &Node{config: c}
	n.standing.began = c.Clock()
	n.arrival.config = c
	n.dismissed, n.dismiss = context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.dismissed, cancel)()
	defer func() {
		if err != nil && n.Retired() {
			err = ErrRetired.From(err)
		}
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
	if err = n.arrives(); err != nil {
		return nil, err
	}
	if n.machine, err = simulated(c.FS, dirKeys, c.Clock()); err != nil {
		return nil, err
	}
	if n.own, err = founding.NewProcess(); err != nil {
		return nil, err
	}
	if n.rooms, err = newRooms(); err != nil {
		return nil, err
	}
	n.state = n.rooms.state
	if n.peers, err = openPeers(n); err != nil {
		return nil, err
	}
	if c.Founding == Joins {
		return n, n.enter(ctx)
	}
	return n, n.open(ctx)
}

// open begins alone: with a new network, or by recovering the one whose ledger
// is in the directory.
func (n *Node) open(ctx context.Context) error {
	usable, err := n.openLedger(false)
	if err != nil {
		return err
	}
	founded := !n.log.Head().HasBlock
	c := n.config
	switch {
	case founded && c.Founding == Recovers:
		return ErrNoLedger
	case !founded && c.Founding == Founds:
		return ErrHasLedger
	case founded:
		if n.bundle, err = newBundle(c.FS, n.machine); err == nil {
			err = n.found(ctx)
		}
	default:
		n.bundle, err = openBundle(c.FS, n.log, n.machine)
	}
	if err != nil {
		return err
	}
	line, err := n.recall(ctx, usable)
	if err != nil {
		return err
	}
	n.evidence = n.genesis.Evidence
	begin := n.beginning(line)
	var opening *envelope.Draft
	if begin.Recovers = !founded; begin.Recovers {
		if voters := line.Identity.Nodes.IDs(format.NodeVoter); c.Founding == Continues && len(voters) > 1 {
			return ErrOfMany.From(fmt.Errorf("its ledger names %d voters", len(voters)))
		}
		if err := n.alone(ctx, line.Identity.Nodes); err != nil {
			return err
		}
		voted, _ := n.log.Vote()
		begin.Term = max(begin.Term, voted) + 1
		begin.ID = line.Identity.Nodes.Highest() + 1
		n.recoveries++
		if opening, err = n.recovery(ctx, line, begin.ID); err != nil {
			return err
		}
	}
	if err := writeFormerly(n.config.FS, begin.ID); err != nil {
		return err
	}
	if err := n.be(begin.ID); err != nil {
		return err
	}
	return n.run(ctx, line, begin, opening, 0)
}

// openLedger opens snapshots and log. Of the log the end is verified, or everything
// that a replay will read: for who acts on it before that.
func (n *Node) openLedger(before bool) (usable []*snapshot.Snapshot, err error) {
	c := n.config
	if n.store, usable, err = openSnapshots(c.FS, c.Logger); err != nil {
		return nil, err
	}
	options := ledger.Options{Vote: fileVote, VerifyFrom: math.MaxUint64, Now: c.Clock}
	if before && len(usable) > 0 {
		options.VerifyFrom = usable[0].Manifest.Meta.Index
	} else if before {
		options.VerifyFrom = 0
	}
	n.log, err = ledger.Open(c.FS, dirLedger, options)
	return usable, err
}

// reopen lists the snapshots again, after one was fetched.
func (n *Node) reopen() (usable []*snapshot.Snapshot, err error) {
	n.store, usable, err = openSnapshots(n.config.FS, n.config.Logger)
	return usable, err
}

// recall brings state, tree and followers to the log's last block: from the
// newest usable snapshot, and the blocks behind it.
func (n *Node) recall(ctx context.Context, usable []*snapshot.Snapshot) (*lineage.Lineage, error) {
	ring := n.bundle.Ring()
	n.archive = &archive{log: n.log, open: func(e *format.Entry) (*envelope.Block, error) { return envelope.Open(ring, e) }}
	n.arrival.enters(operations.StageState, nil)
	base, err := n.restore(ctx, ring, usable)
	if err != nil {
		return nil, err
	}
	n.arrival.height.Store(base.line.Head.Height)
	n.index = openIndexer(ctx, n.config, ring, n.archive, chain.TermsOf, n.log.Head().Height)
	if err := n.rooms.attach(ctx, n.archive, n.index.of(), base.line.Head.Height); err != nil {
		return nil, err
	}
	n.index.moved = n.rooms.chain.IndexMoved
	n.openPast(ring, base.line.Head.Height)
	defer n.past.Live()
	n.restored, n.covered = base.line.Head.Height, base.line.Head.Seqno
	n.followers = []sequencer.Follower{n.tiles, &n.members, n.rooms.chain, n.rooms.recent, n.index, confirmer{n.past}}
	if err := n.replay(ctx, base); err != nil {
		return nil, err
	}
	if n.fetcher != nil {
		if err := n.tail(ctx, base); err != nil {
			return nil, err
		}
	}
	line := base.line
	n.genesis, n.recoveries = line.Identity.Genesis, line.Identity.Recoveries
	n.members.set(line.Identity.Nodes)
	n.pem, err = serviceFile(n.config.FS, n.bundle.ServiceKey, n.bundle.Service.ID, n.bundle.Service.Mode, n.config.Clock())
	return line, err
}

// beginning is where this process starts in the log.
func (n *Node) beginning(line *lineage.Lineage) consensus.Start {
	head := n.log.Head()
	return consensus.Start{ID: line.Identity.Nodes.Highest(), Term: head.LastTerm, First: n.log.First(), Line: line,
		Last: consensus.Position{Index: head.LastIndex, Term: head.LastTerm, Prefix: head.Prefix}}
}

// run starts sequencer and consensus and waits until the node serves: when the
// opening record is committed, or, for a node that joined, everything up to an
// index is published.
func (n *Node) run(ctx context.Context, line *lineage.Lineage, begin consensus.Start, opening *envelope.Draft, serveFrom uint64) error {
	head, config := line.Head.Clone(), line.Identity.Config
	if begin.Recovers {
		config = lineage.Alone(begin.ID)
	}
	n.snapshots = newSnapshots(n, line.Identity.Changed)
	n.followers = append(n.followers, n.snapshots, &n.standing.counters)
	n.started = head.Height
	c := n.config
	n.sequencer = sequencer.New(sequencer.Config{
		Store: n.state, Ring: n.bundle.Ring(), Signer: n.own.Signer, Writer: n.own.Writer(), Head: head,
		ViewAt: n.viewAt, Protocols: n.rooms.protocols(), Followers: n.followers, Clock: c.Clock, Logger: c.Logger,
		Limits: c.Limits, ChunkUsed: func() uint64 { return uint64(n.log.ChunkUsed()) }, Opening: opening, Index: begin.Last.Index, Raft: config,
		Watch: n.watchBlock,
	})
	driver, err := consensus.New(n.log, begin, consensus.Options{ElectionTicks: c.Timing.Election, HeartbeatTicks: c.Timing.Heartbeat, Clock: c.Clock, Logger: c.Logger})
	if err != nil {
		return err
	}
	if c.Founding != Joins {
		if err := driver.Campaign(); err != nil {
			return err
		}
	}
	var others consensus.Transport
	if n.peers.transport != nil {
		others = n.peers.transport
	}
	n.consensus = consensus.NewLoop(driver, timedLog{n.log, c.Metrics}, n.sequencer, others, c.Logger)
	n.forwarder = n.newForwarder()
	n.pool = n.newPool()
	n.sequencer.Attach(n.consensus, n.forwarder, n.pool)
	if serveFrom > 0 {
		n.sequencer.ServeFrom(serveFrom)
	}
	n.keeper = n.newKeeper()
	n.server = n.newServer()

	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.running, n.cancel = run, cancel
	n.group.Go(func() { n.sequencer.Run(run) })
	n.group.Go(func() {
		if err := n.consensus.Run(c.Timing.Tick); err != nil {
			n.sequencer.Fail(err)
		} else {
			n.sequencer.Fail(consensus.ErrStopped)
		}
	})
	n.group.Go(func() { n.forwarder.Run(run) })
	n.group.Go(func() { n.pool.Run(run) })
	n.group.Go(func() { n.index.run(run) })
	n.group.Go(func() { n.snapshots.run(run) })
	n.group.Go(func() { n.verifyOlder(run) })
	n.group.Go(func() { n.watch(run) })
	n.group.Go(func() { n.tidy(run) })
	context.AfterFunc(n.dismissed, n.consensus.Stop)
	n.peers.open()
	n.arrival.last(n, serveFrom > 0)
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
// durable, the index is flushed. When the next start would take long without, a
// snapshot is taken first.
func (n *Node) Stop(ctx context.Context) error {
	if n.cancel != nil {
		n.snapshots.last(ctx)
	}
	return n.close(ctx)
}

// drain lets what was submitted come to its end, for at most a second.
func (n *Node) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := errors.Join(n.forwarder.Drain(ctx), n.sequencer.Drain(ctx)); err != nil {
		n.config.Logger.Warn("the node stops although requests have no outcome yet", "err", err)
	}
}

func (n *Node) close(ctx context.Context) error {
	var errs []error
	if n.cancel != nil {
		n.drain(ctx)
		n.standing.stopping.Store(true)
		n.consensus.Stop()
		n.cancel()
		n.group.Wait()
	}
	if n.peers != nil {
		errs = append(errs, n.peers.close())
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
