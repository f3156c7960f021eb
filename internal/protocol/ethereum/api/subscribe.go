package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// subscriptionQueue is how many blocks a subscription may lag behind.
const subscriptionQueue = 512

// maxReceiptHashes is the most transactions that a subscription to receipts may
// name; geth's limit.
const maxReceiptHashes = 200

func (a *API) subscribe(ctx context.Context, _ *caller.Caller, p *struct {
	Kind   json.RawMessage
	Filter json.RawMessage `rpc:"optional"`
}) (any, error) {
	var kind string
	if json.Unmarshal(p.Kind, &kind) != nil {
		return nil, jsonrpc.InvalidParams("expected subscription name as first argument")
	}
	var tell func(*jsonrpc.Notifier, *chain.News) error
	switch kind {
	case "newHeads":
		tell = func(n *jsonrpc.Notifier, b *chain.News) error { return n.Notify(encodingsOf(b).head()) }
	case "logs":
		filter, err := a.logsAhead(p.Filter)
		if err != nil {
			return nil, err
		}
		tell = func(n *jsonrpc.Notifier, b *chain.News) error { return tellLogs(n, b, filter) }
	case "transactionReceipts":
		hashes, err := receiptHashes(p.Filter)
		if err != nil {
			return nil, err
		}
		tell = func(n *jsonrpc.Notifier, b *chain.News) error { return tellReceipts(n, b.Block, hashes) }
	case "syncing":
		return opened(jsonrpc.Subscribe(ctx, a.tellSyncing))
	case "newPendingTransactions": // never anything: transactions are told of when they are committed
		return opened(jsonrpc.Subscribe(ctx, func(ctx context.Context, _ *jsonrpc.Notifier) error {
			<-ctx.Done()
			return nil
		}))
	default:
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("no %.100q subscription in eth namespace", kind)}
	}
	// From here on, so that no block is missed between the answer and the first
	// notification. The run below always comes and closes it.
	blocks := a.Chain.Subscribe(subscriptionQueue)
	id, err := jsonrpc.Subscribe(ctx, func(ctx context.Context, n *jsonrpc.Notifier) error {
		defer blocks.Close()
		return follow(ctx, blocks, func(b *chain.News) error { return tell(n, b) })
	})
	if err != nil {
		blocks.Close()
	}
	return opened(id, err)
}

func opened(id jsonrpc.ID, err error) (any, error) { return string(id), err }

// follow tells of blocks until ctx ends. The error of a subscriber that does not
// keep up is jsonrpc.ErrSlow.
func follow(ctx context.Context, blocks *chain.Subscription, tell func(*chain.News) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b, ok := <-blocks.Blocks():
			if !ok {
				err := blocks.Err()
				if errors.Is(err, chain.ErrSlow) {
					return jsonrpc.ErrSlow
				}
				return err
			}
			if err := tell(b); err != nil {
				return err
			}
		}
	}
}

// logsAhead is a subscriber's filter, for the blocks yet to come.
func (a *API) logsAhead(text json.RawMessage) (*chain.Filter, error) {
	var f logFilter
	if text != nil {
		if err := jsonrpc.DecodeArgument(1, text, &f); err != nil {
			return nil, err
		}
	}
	from, to, err := f.future(a.Chain.Head().Number())
	return &chain.Filter{From: from, To: to, Addresses: f.addresses, Topics: f.topics}, err
}

func tellLogs(n *jsonrpc.Notifier, b *chain.News, f *chain.Filter) error {
	if number := b.Number(); number < f.From || number > f.To {
		return nil
	}
	for i, r := range b.Receipts {
		for j, l := range r.Logs {
			if !f.Matches(l) {
				continue
			}
			if err := n.Notify(encodingsOf(b).log(i, j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// receiptHashes are the transactions whose receipts are wanted, none for all.
func receiptHashes(text json.RawMessage) ([]common.Hash, error) {
	var p struct{ TransactionHashes []common.Hash }
	if text != nil {
		if err := jsonrpc.DecodeArgument(1, text, &p); err != nil {
			return nil, err
		}
	}
	if len(p.TransactionHashes) > maxReceiptHashes {
		return nil, jsonrpc.Errorf("exceed max number of transaction hashes allowed per transactionReceipts subscription")
	}
	return p.TransactionHashes, nil
}

// tellReceipts sends the receipts of a block that are wanted in one list.
func tellReceipts(n *jsonrpc.Notifier, b *ethereum.Block, hashes []common.Hash) error {
	var wanted []int
	for i, r := range b.Receipts {
		if len(hashes) == 0 || slices.Contains(hashes, r.TxHash) {
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return n.Notify(appendList(nil, len(wanted), func(dst []byte, i int) []byte { return receiptShape{b, wanted[i]}.AppendJSON(dst) }))
}

func (a *API) unsubscribe(ctx context.Context, _ *caller.Caller, p *struct{ ID string }) (any, error) {
	ended, err := jsonrpc.Unsubscribe(ctx, jsonrpc.ID(p.ID))
	if err == nil && !ended {
		err = jsonrpc.Errorf("subscription not found")
	}
	return ended, err
}
