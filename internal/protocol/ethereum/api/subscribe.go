package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// subscriptionQueue is how many blocks a subscription may lag behind.
const subscriptionQueue = 512

// maxReceiptHashes is the most transactions that a subscription to receipts may
// name; geth's limit.
const maxReceiptHashes = 200

// wish is what a subscriber wants to be told of each block.
type wish struct {
	tell  func(*jsonrpc.Notifier, *chain.News) error
	terms int // that it keeps
}

func (a *API) subscribe(ctx context.Context, c *caller.Caller, p *struct {
	Kind   json.RawMessage
	Filter json.RawMessage `rpc:"optional"`
}) (any, error) {
	var kind string
	if json.Unmarshal(p.Kind, &kind) != nil {
		return nil, jsonrpc.InvalidParams("expected subscription name as first argument")
	}
	var w wish
	var err error
	switch kind {
	case "newHeads":
		w.tell = func(n *jsonrpc.Notifier, b *chain.News) error { return n.Notify(encodingsOf(b).head()) }
	case "logs":
		w, err = a.logsAhead(p.Filter)
	case "transactionReceipts":
		w, err = receiptsOf(p.Filter)
	case "syncing":
		return opened(jsonrpc.Subscribe(ctx, a.tellSyncing))
	case "newPendingTransactions": // never anything: transactions are told of when they are committed
		return opened(jsonrpc.Subscribe(ctx, func(ctx context.Context, _ *jsonrpc.Notifier) error {
			<-ctx.Done()
			return nil
		}))
	default:
		err = &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("no %.100q subscription in eth namespace", kind)}
	}
	if err != nil {
		return nil, err
	}
	return a.follow(ctx, c.String(), w)
}

// follow opens a subscription to blocks.
func (a *API) follow(ctx context.Context, owner string, w wish) (any, error) {
	if err := a.filters.hold(owner, w.terms, a.Now()); err != nil {
		return nil, err
	}
	// From here on, so that no block is missed between the answer and the first
	// notification. The run below always comes and ends it.
	blocks := a.Chain.Subscribe(subscriptionQueue)
	end := func() {
		blocks.Close()
		a.filters.release(owner, w.terms)
	}
	id, err := jsonrpc.Subscribe(ctx, func(ctx context.Context, n *jsonrpc.Notifier) error {
		defer end()
		return follow(ctx, blocks, func(b *chain.News) error { return w.tell(n, b) })
	})
	if err != nil {
		end()
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

// logsAhead tells of the logs of blocks yet to come.
func (a *API) logsAhead(text json.RawMessage) (wish, error) {
	var f logFilter
	if text != nil {
		if err := jsonrpc.DecodeArgument(1, text, &f); err != nil {
			return wish{}, err
		}
	}
	from, to, err := f.future(a.Chain.Head().Number())
	match := (&chain.Filter{Addresses: f.addresses, Topics: f.topics}).Matcher()
	return wish{terms: f.terms(), tell: func(n *jsonrpc.Notifier, b *chain.News) error {
		if number := b.Number(); number < from || number > to {
			return nil
		}
		return tellLogs(n, b, match)
	}}, err
}

func tellLogs(n *jsonrpc.Notifier, b *chain.News, match *chain.Matcher) error {
	for i, r := range b.Receipts {
		for j, l := range r.Logs {
			if !match.Matches(l) {
				continue
			}
			if err := n.Notify(encodingsOf(b).log(i, j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// receiptsOf tells of the receipts of transactions, those of a block in one list:
// of those that the client names, or of all when it names none.
func receiptsOf(text json.RawMessage) (wish, error) {
	var p struct{ TransactionHashes []common.Hash }
	if text != nil {
		if err := jsonrpc.DecodeArgument(1, text, &p); err != nil {
			return wish{}, err
		}
	}
	if len(p.TransactionHashes) > maxReceiptHashes {
		return wish{}, jsonrpc.Errorf("exceed max number of transaction hashes allowed per transactionReceipts subscription")
	}
	hashes := make(map[common.Hash]bool)
	for _, h := range p.TransactionHashes {
		hashes[h] = true
	}
	return wish{terms: 1 + len(hashes), tell: func(n *jsonrpc.Notifier, b *chain.News) error { return tellReceipts(n, b, hashes) }}, nil
}

// What a list consists of besides its elements.
var listStart, listNext, listEnd = []byte("["), []byte(","), []byte("]")

func tellReceipts(n *jsonrpc.Notifier, b *chain.News, hashes map[common.Hash]bool) error {
	texts := encodingsOf(b)
	if len(hashes) == 0 && len(b.Receipts) > 0 {
		return n.Notify(texts.receipts())
	}
	var list [][]byte
	before := listStart
	for i, r := range b.Receipts {
		if hashes[r.TxHash] {
			list = append(list, before, texts.receipt(i))
			before = listNext
		}
	}
	if list == nil {
		return nil
	}
	return n.Notify(append(list, listEnd)...)
}

func (a *API) unsubscribe(ctx context.Context, _ *caller.Caller, p *struct{ ID string }) (any, error) {
	ended, err := jsonrpc.Unsubscribe(ctx, jsonrpc.ID(p.ID))
	if err == nil && !ended {
		err = jsonrpc.Errorf("subscription not found")
	}
	return ended, err
}
