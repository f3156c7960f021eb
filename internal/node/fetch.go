package node

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/coco-consortium/coco/internal/catchup"
	"github.com/coco-consortium/coco/internal/consensus/transport"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/operations"
)

// newFetcher fetches what this node lacks from the others.
func (n *Node) newFetcher() *catchup.Fetcher {
	return &catchup.Fetcher{Peers: n.sources, FS: n.config.FS, Snapshots: dirSnapshot, Logger: n.config.Logger, Trust: n.trust()}
}

// sources are the nodes that may have what this one lacks.
func (n *Node) sources() []catchup.Source {
	var all []catchup.Source
	for _, p := range n.peers.others() {
		all = append(all, catchup.Source{Name: p.Address, URL: "https://" + p.Address, Client: n.peers.transport.HTTP(p.RaftID)})
	}
	return all
}

// fetch brings log and snapshots so far that the node can verify them and begin:
// a ledger that is there is cut where the network's goes on differently; one that
// cannot be verified from its beginning, or is empty, begins with the newest
// snapshot, or with genesis when there is none.
func (n *Node) fetch(ctx context.Context, usable []*snapshot.Snapshot) error {
	n.fetcher = n.newFetcher()
	n.fetcher.Least = n.floor
	n.arrival.fetches(operations.StageEntries, n.fetcher)
	if n.log.Head().HasBlock {
		if err := n.agree(ctx); err != nil {
			return err
		}
		if n.founded(usable) {
			return nil
		}
		n.config.Logger.Info("the ledger that is here is of no use and is fetched again", "from", n.log.First(), "to", n.log.Head().LastIndex)
	}
	if err := catchup.Empty(n.log); err != nil {
		return err
	}
	n.arrival.fetches(operations.StageSnapshot, n.fetcher)
	s, err := n.fetcher.Snapshot(ctx)
	n.arrival.fetches(operations.StageEntries, n.fetcher)
	switch {
	case errors.Is(err, catchup.ErrNoSnapshot):
		return n.fetcher.Entries(ctx, n.log, checkFrom(lineage.New(authorities()...), format.Hash{}))
	case err != nil:
		return err
	}
	n.fetched = s.Digest
	return n.fetcher.Begin(ctx, n.log, &s.Manifest.Meta)
}

// founded reports whether the log can be verified: from genesis, or from a snapshot
// that it vouches for.
func (n *Node) founded(usable []*snapshot.Snapshot) bool {
	if n.log.First() == 1 {
		return n.log.Head().HasBlock
	}
	return slices.ContainsFunc(usable, func(s *snapshot.Snapshot) bool { return n.vouched(s) == nil })
}

// tail fetches what the network has committed behind the verified log, in large
// pieces; Raft brings what is committed meanwhile.
func (n *Node) tail(ctx context.Context, b *base) error {
	end := n.log.Head()
	n.arrival.fetches(operations.StageEntries, n.fetcher)
	if err := n.fetcher.Entries(ctx, n.log, checkFrom(b.line.Clone(), end.Prefix)); err != nil {
		return err
	}
	b.at, b.prefix = end.LastIndex, end.Prefix
	return n.replay(ctx, b)
}

// agree cuts the log behind what the network has committed too. What lies behind
// was never committed: the network would hold it.
func (n *Node) agree(ctx context.Context) error {
	shared, err := n.fetcher.Agree(ctx, n.log)
	if err != nil {
		return err
	}
	if shared < n.log.Head().LastIndex {
		n.config.Logger.Info("entries that the network did not commit are dropped", "from", shared+1, "to", n.log.Head().LastIndex)
		return n.log.Cut(max(shared, n.log.First()-1))
	}
	return nil
}

// checkFrom verifies entries that follow what a lineage was told, before they are
// appended. Entries of which one is refused leave it where it was, so that another
// node's are judged by what was appended.
func checkFrom(line *lineage.Lineage, prefix format.Hash) catchup.Check {
	return func(entries []format.Entry) error {
		next, behind := line.Clone(), prefix
		for i := range entries {
			follow := next.Pass
			if entries[i].Kind == format.EntryBlock {
				follow = next.Extend
			}
			if err := follow(&entries[i], behind); err != nil {
				return err
			}
			behind = format.NextPrefix(behind, &entries[i])
		}
		line, prefix = next, behind
		return nil
	}
}

// backfill fetches the older ledger that a node which began with a snapshot lacks.
func (n *Node) backfill(ctx context.Context) error {
	if n.log.First() == 1 {
		return nil
	}
	if err := n.fetcher.Backfill(ctx, n.log); err != nil {
		return err
	}
	n.consensus.Backfilled(n.log.First())
	// A voter needs the ledger, not the tiles: they are made while it becomes one.
	n.group.Go(func() {
		if err := n.rebuildTiles(ctx); err != nil && ctx.Err() == nil {
			n.config.Logger.Warn("the hash tiles are not complete; they are made again when a receipt needs them", "err", err)
		}
	})
	return nil
}

// catchingUp is what the node lacks, nil for nothing.
func (n *Node) catchingUp() *operations.CatchUp {
	if n.fetcher == nil || n.log.First() == 1 {
		return nil
	}
	c := &operations.CatchUp{Stage: operations.StageBackfill}
	fetched(n.fetcher, c)
	return c
}

// peerRoutes are what other nodes may ask of this one over HTTP.
func (n *Node) peerRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/membership/", n.keeper.Handler(identify))
	mux.Handle("/catchup/", catchup.NewServer(catchup.Config{
		Log: n.log, FS: n.config.FS, Snapshots: dirSnapshot, Limits: catchup.Limits{Rate: n.config.Transfer},
		Committed: func() (index, height uint64) { return n.sequencer.Index(), n.sequencer.Head().Height },
		Allow: func(r *http.Request) error {
			if id, ok := transport.IdentityOf(r); !ok || id.RaftID == 0 {
				return errors.New("only nodes of the network are served")
			}
			return nil
		},
	}))
	return mux
}
