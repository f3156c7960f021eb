package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// Problems of taking a place in a network.
var (
	ErrNoLedger = problem.New("NO_LEDGER", "there is no ledger to recover in the data directory",
		"give the directory of a node of the network, or found a network with coco node start")
	ErrHasLedger = problem.New("HAS_LEDGER", "the data directory holds a ledger already",
		"join its network again, or recover it when none of its nodes is left; an empty directory founds another")
	ErrOfMany = problem.New("NETWORK_OF_MANY", "the ledger is of a network of several nodes, which may be running",
		"join the network again with coco node join; recover it with coco node recover only when none of its nodes is left")
	ErrRuns = problem.New("NETWORK_ALIVE", "the network is not to be recovered while nodes of it run",
		"join it with coco node join; to recover it nevertheless, stop those nodes for good or give --force, and never start them again")
	ErrNoPeers = problem.New("NO_PEERS", "no node of the network could be asked to let this one in",
		"check the addresses of join.peers, and that one of those nodes runs and has a majority")
	ErrStrangers = problem.New("JOIN_UNTRUSTED", "what answers at join.peers is no node of the network that join.service names",
		"check that the addresses are of this network, that service.pem is a copy of its nodes' own, and this machine's clock")
	ErrJoinService = problem.New("NODE_SERVICE", "the service's certificate cannot be used",
		"copy service.pem of a node of the network by a way that you trust, and name it in join.service")
)

// enter joins a running network: it is admitted, brings its ledger up to what
// the network has committed, verifies it as every start does, and takes part as a
// learner. It becomes a voter later, see rise.
func (n *Node) enter(ctx context.Context) error {
	service, spki, err := serviceOf(n.config.Join.Service, n.config.Clock())
	if err != nil {
		return err
	}
	usable, err := n.openLedger(true)
	if err != nil {
		return err
	}
	if err := n.belongs(service, spki); err != nil {
		return err
	}
	n.arrival.learns(func(s *operations.Status) { s.Service = hex.EncodeToString(service[:]) })
	n.arrival.asks(operations.StageAdmission, nil)
	answer, err := n.admission(ctx, service)
	if err != nil {
		return err
	}
	n.arrival.admitted(answer)
	if n.bundle, err = keys.Import(answer.Secrets, n.own.HPKE, membership.SecretsContext(service, n.own.SPKI())); err != nil {
		return err
	}
	if n.bundle.Service.ID != service || !bytes.Equal(keys.SPKI(&n.bundle.ServiceKey.PublicKey), spki) {
		return membership.ErrRefused.From(errors.New("the secrets are of another service than its certificate says"))
	}
	if err := n.remember(answer.RaftID); err != nil {
		return err
	}
	known := make(map[uint64]membership.Peer, len(answer.Peers))
	for _, p := range answer.Peers {
		known[p.RaftID] = p
	}
	n.peers.known.Store(&known)
	n.pem = n.config.Join.Service
	if err := n.be(answer.RaftID); err != nil {
		return err
	}
	n.target, n.floor = answer.Height, answer.Index
	if err := n.fetch(ctx, usable); err != nil {
		return err
	}
	if usable, err = n.reopen(); err != nil {
		return err
	}
	line, err := n.recall(ctx, usable)
	if err != nil {
		return err
	}
	if err := n.keep(&line.Identity); err != nil {
		return err
	}
	begin := n.beginning(line)
	begin.ID = answer.RaftID
	voted, _ := n.log.Vote()
	begin.Term = max(begin.Term, voted) // the vote file never goes back
	if err := n.log.ResetVote(begin.Term); err != nil {
		return err
	}
	if err := n.run(ctx, line, begin, nil, answer.Index); err != nil {
		return err
	}
	run := n.running
	n.group.Go(func() { n.rise(run) })
	return nil
}

// belongs checks, before anybody is asked, that what is in the directory is of the
// network to join: another network's ledger and secrets would be replaced.
func (n *Node) belongs(service format.ServiceID, spki []byte) error {
	foreign := func(what string) error {
		return ErrForeign.From(fmt.Errorf("%s of another network than the one to join", what))
	}
	f := n.config.FS
	pem, err := disk.ReadFile(f, fileService, 64<<10)
	if err == nil {
		known, err := proof.ParseService(pem)
		if err != nil {
			return ErrServiceFile.From(err)
		}
		if !bytes.Equal(known.SPKI, spki) {
			return foreign(fileService + " is")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ErrUnwritable.From(err)
	}
	sealed, err := disk.ReadFile(f, path.Join(dirKeys, keys.Name(1)), 1<<20) // the only number yet, see openBundle
	if err == nil {
		if owner, err := keys.Owner(sealed); err == nil && owner != service {
			return foreign("its secrets are")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ErrUnwritable.From(err)
	}
	if n.log.First() > 1 || !n.log.Head().HasBlock {
		return nil
	}
	first, err := n.log.Entry(1)
	if err != nil {
		return err
	}
	g, err := genesisService(first)
	if err == nil && g.Service != service {
		return foreign("its ledger is")
	}
	return err
}

// remember stores that a process of this directory had a raft id.
func (n *Node) remember(id uint64) error {
	was, err := readFormerly(n.config.FS)
	if err != nil {
		return err
	}
	return writeFormerly(n.config.FS, append(was, id)...)
}

// keep stores the service's secrets for this platform, once the ledger says that
// they are its own.
func (n *Node) keep(of *lineage.Identity) error {
	if err := named(n.bundle, of); err != nil {
		return err
	}
	sealed, err := n.bundle.Rewrap(n.machine.sealer)
	if err != nil {
		return err
	}
	return keys.Save(n.config.FS, dirKeys, n.bundle.Number, sealed)
}

// rise makes the learner a voter as soon as it holds the whole ledger.
func (n *Node) rise(ctx context.Context) {
	var was []uint64
	for wait := 2 * n.config.Timing.Tick; ; wait = min(2*wait, time.Minute) {
		err := n.backfill(ctx)
		if err == nil {
			was, err = readFormerly(n.config.FS) // a voter that replaces nobody would make dead voters more
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		n.config.Logger.Error("this node stays a learner for now", "err", err, "again in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
	for {
		next := n.members.next()
		switch info := n.members.get().Get(n.id); {
		case info != nil && info.Status == format.NodeVoter:
			if err := writeFormerly(n.config.FS, n.id); err != nil {
				n.config.Logger.Warn("nodes before this one may be retired twice", "err", err)
			}
			n.config.Logger.Info("this node is a voter", "node", n.id)
			return
		case info != nil && info.Status == format.NodeRetired:
			return
		}
		q := &membership.Promotion{Index: n.sequencer.Index(), Replaces: was}
		err := n.askPrimary(ctx, membership.PathPromote, q, func() error { return fmt.Errorf("a learner leads") })
		if err != nil && ctx.Err() == nil {
			n.config.Logger.Debug("not a voter yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		case <-time.After(4 * n.config.Timing.Tick):
		}
	}
}
