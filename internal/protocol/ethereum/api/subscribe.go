package api

import (
	"context"
	"encoding/json"
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
	Filter json.RawMessage `rpc:"optional"` // of logs and receipts
	Begin  json.RawMessage `rpc:"optional"` // see beginning; of heads, which have no filter, in its place
}) (any, error) {
	var kind string
	if json.Unmarshal(p.Kind, &kind) != nil {
		return nil, jsonrpc.InvalidParams("expected subscription name as first argument")
	}
	begin, place := p.Begin, 2
	if kind == "newHeads" {
		begin, place = p.Filter, 1
	}
	first, err := firstOf(place, begin, a.Chain.Number())
	if err != nil {
		return nil, err
	}
	var w wish
	switch kind {
	case "newHeads":
		w.tell = func(n *jsonrpc.Notifier, b *chain.News) error { return n.Notify(encodingsOf(b).head()) }
	case "logs":
		w, err = a.logsAhead(p.Filter, first)
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
	return a.follow(ctx, c.String(), w, first)
}

// follow opens a subscription to the blocks from first on.
func (a *API) follow(ctx context.Context, owner string, w wish, first uint64) (any, error) {
	if err := a.filters.hold(owner, w.terms, a.Now()); err != nil {
		return nil, err
	}
	f := &follower{api: a, next: first}
	id, err := jsonrpc.Subscribe(ctx, func(ctx context.Context, n *jsonrpc.Notifier) error {
		defer a.filters.release(owner, w.terms)
		n.Patient()
		f.tell = func(b *chain.News) error { return w.tell(n, b) }
		return f.run(ctx)
	})
	if err != nil {
		a.filters.release(owner, w.terms)
	}
	return opened(id, err)
}

func opened(id jsonrpc.ID, err error) (any, error) { return string(id), err }

// logsAhead tells of the logs of blocks from the first on.
func (a *API) logsAhead(text json.RawMessage, first uint64) (wish, error) {
	var f logFilter
	if text != nil {
		if err := jsonrpc.DecodeArgument(1, text, &f); err != nil {
			return wish{}, err
		}
	}
	from, to, err := f.future(first)
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
