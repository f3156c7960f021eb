package api

import (
	"context"
	"encoding/json"
	"time"

	goethereum "github.com/ethereum/go-ethereum"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// A node has every block that is committed. It says that it is syncing while the
// index over them is being made, as geth does while it indexes transactions: some
// questions about old blocks have no answer until then.

// progress is how far the index has come, in geth's terms.
func progress(p chain.Progress) goethereum.SyncProgress {
	return goethereum.SyncProgress{
		StartingBlock: p.Start, CurrentBlock: p.Head, HighestBlock: p.Head,
		TxIndexFinishedBlocks: p.Indexed, TxIndexRemainingBlocks: p.Head + 1 - p.Indexed,
	}
}

func (a *API) syncing(context.Context, *caller.Caller, *none) (any, error) {
	p, busy := a.Chain.Indexing()
	if !busy {
		return false, nil
	}
	return syncShape(progress(p)), nil
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

// indexingTime is how often subscribers hear how far the index has come.
const indexingTime = 10 * time.Second

// tellSyncing tells a subscriber at once whether the node is syncing, when that
// changes, and from time to time how far it is.
func (a *API) tellSyncing(ctx context.Context, n *jsonrpc.Notifier) error {
	tick := time.NewTicker(indexingTime)
	defer tick.Stop()
	for said := false; ; { // that it is not
		changed := a.Chain.IndexingChanged()
		p, busy := a.Chain.Indexing()
		if busy || !said {
			if err := n.Notify(syncNews(p, busy)); err != nil {
				return err
			}
		}
		said = !busy
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// syncNews is a notification in geth's shape: false, or the progress, whose
// members have other names here than in eth_syncing.
func syncNews(p chain.Progress, busy bool) []byte {
	if !busy {
		return []byte("false")
	}
	text, _ := json.Marshal(struct { // numbers can always be encoded
		Syncing bool                    `json:"syncing"`
		Status  goethereum.SyncProgress `json:"status"`
	}{true, progress(p)})
	return text
}
