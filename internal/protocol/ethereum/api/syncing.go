package api

import (
	"context"
	"encoding/json"
	"time"

	goethereum "github.com/ethereum/go-ethereum"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// A node says that it is syncing while it catches up with the network, as one does
// that joins or was away, and while the index over its blocks is being made, as
// geth does while it indexes transactions: some questions about old blocks have no
// answer until then.

// progress is how far the node has come, in geth's terms, and whether it is busy.
func (a *API) progress() (goethereum.SyncProgress, bool) {
	p, busy := a.Chain.Indexing()
	s := goethereum.SyncProgress{
		StartingBlock: p.Start, CurrentBlock: p.Head, HighestBlock: p.Head,
		TxIndexFinishedBlocks: p.Indexed, TxIndexRemainingBlocks: p.Head + 1 - p.Indexed,
	}
	if a.Syncing != nil {
		if start, current, highest, behind := a.Syncing(); behind {
			s.StartingBlock, s.CurrentBlock, s.HighestBlock, busy = start, current, highest, true
		}
	}
	return s, busy
}

func (a *API) syncing(context.Context, *caller.Caller, *none) (any, error) {
	s, busy := a.progress()
	if !busy {
		return false, nil
	}
	return syncShape(s), nil
}

// syncShape is progress as eth_syncing shows it.
type syncShape goethereum.SyncProgress

// AppendJSON implements jsonrpc.Appender.
func (s syncShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.quantity("startingBlock", s.StartingBlock)
	o.quantity("currentBlock", s.CurrentBlock)
	o.quantity("highestBlock", s.HighestBlock)
	for _, name := range []string{ // what a node without a trie never has to fetch
		"syncedAccounts", "syncedAccountBytes", "syncedBytecodes", "syncedBytecodeBytes", "syncedStorage", "syncedStorageBytes",
		"healedTrienodes", "healedTrienodeBytes", "healedBytecodes", "healedBytecodeBytes", "healingTrienodes", "healingBytecode",
		"syncedAccessLists", "totalAccessLists", "trieGenProgress", "stateIndexRemaining", "trienodeIndexRemaining",
	} {
		o.quantity(name, 0)
	}
	o.quantity("txIndexFinishedBlocks", s.TxIndexFinishedBlocks)
	o.quantity("txIndexRemainingBlocks", s.TxIndexRemainingBlocks)
	return o.end()
}

// How often a subscription looks whether the node is syncing, where nothing tells
// it, and how often it says how far it is.
const (
	lookTime     = time.Second
	progressTime = 10 * time.Second
)

// tellSyncing tells a subscriber at once whether the node is syncing, when that
// changes, and from time to time how far it is.
func (a *API) tellSyncing(ctx context.Context, n *jsonrpc.Notifier) error {
	look, tell := time.NewTicker(lookTime), time.NewTicker(progressTime)
	defer look.Stop()
	defer tell.Stop()
	var was bool
	for due := true; ; {
		changed := a.Chain.IndexingChanged()
		if s, busy := a.progress(); due || busy != was {
			if err := n.Notify(syncNews(s, busy)); err != nil {
				return err
			}
			was = busy
		}
		due = false
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-look.C:
		case <-tell.C:
			due = was
		}
	}
}

// syncNews is a notification in geth's shape: false, or the progress, whose
// members have other names here than in eth_syncing.
func syncNews(s goethereum.SyncProgress, busy bool) []byte {
	if !busy {
		return []byte("false")
	}
	text, _ := json.Marshal(struct { // numbers can always be encoded
		Syncing bool                    `json:"syncing"`
		Status  goethereum.SyncProgress `json:"status"`
	}{true, s})
	return text
}
