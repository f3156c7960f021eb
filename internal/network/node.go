package network

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"sync"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// Nodes makes real nodes. configure says what is the same for all of them: it
// changes the default configuration of a node.
func Nodes(configure func(*node.Config)) Launcher {
	var mu sync.Mutex
	metrics := map[int]*telemetry.Metrics{}
	return Launcher{
		Head: ledgerEnd,
		Launch: func(ctx context.Context, p Plan) (Member, error) {
			c := node.Default(p.Data)
			configure(&c)
			c.Logger = c.Logger.With("number", p.Number) // "node" is a Raft id
			c.Peer, c.Advertise, c.Client = "127.0.0.1:0", "", p.Client
			c.Metrics = telemetry.New()
			mu.Lock()
			metrics[p.Number] = c.Metrics
			mu.Unlock()
			switch p.Founding {
			case Found:
				c.Founding = node.Continues // a ledger without its first block is begun anew
			case Recover:
				c.Founding = node.Recovers
			case Join:
				c.Founding, c.Join = node.Joins, node.Join{Peers: p.Peers, Service: p.Service}
			}
			n, err := node.Start(ctx, c)
			if err != nil {
				return nil, err
			}
			return n, nil
		},
		Metrics: func(number int, m Member) http.Handler {
			mu.Lock()
			defer mu.Unlock()
			metrics[number].Register(operations.Collector(m))
			return metrics[number].Handler()
		},
	}
}

// ledgerEnd is where the ledger of a directory ends. One without a first block
// is none.
func ledgerEnd(data string) (p Position, err error) {
	f := disk.OS(data)
	if _, err := f.ReadDir("node/ledger"); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	lock, err := f.Lock("node/lock")
	if errors.Is(err, disk.ErrLocked) {
		return p, node.ErrLocked.From(err)
	}
	if err != nil {
		return p, node.ErrUnwritable.From(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	log, err := ledger.Open(f, "node/ledger", ledger.Options{Vote: "node/raft/vote", VerifyFrom: math.MaxUint64})
	if err != nil {
		return p, err
	}
	// A log that begins late is a learner's, which no commit ever counted on.
	if head := log.Head(); head.HasBlock && log.First() == 1 {
		p = Position{head.LastTerm, head.LastIndex}
	}
	return p, log.Close()
}
