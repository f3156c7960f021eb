package api

import (
	"context"
	"errors"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// subscriptionQueue is how many blocks a subscription may lag behind.
const subscriptionQueue = 512

func (a *API) subscribe(ctx context.Context, _ *caller.Caller, p *struct {
	Kind   string
	Filter logFilter `rpc:"optional"`
}) (any, error) {
	var tell func(*jsonrpc.Notifier, *ethereum.Block) error
	switch p.Kind {
	case "newHeads":
		tell = func(n *jsonrpc.Notifier, b *ethereum.Block) error { return n.Notify(a.encodeHead(b)) }
	case "logs":
		if p.Filter.from.pending || p.Filter.to.pending {
			return nil, jsonrpc.InvalidParams("pending logs are not supported")
		}
		filter := chain.Filter{Addresses: p.Filter.addresses, Topics: p.Filter.topics}
		tell = func(n *jsonrpc.Notifier, b *ethereum.Block) error { return tellLogs(n, b, &filter) }
	default:
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "no \"" + p.Kind + "\" subscription in eth namespace"}
	}
	// From here on, so that no block is missed between the answer and the first
	// notification. The run below always comes and closes it.
	blocks := a.Chain.Subscribe(subscriptionQueue)
	id, err := jsonrpc.Subscribe(ctx, func(ctx context.Context, n *jsonrpc.Notifier) error {
		defer blocks.Close()
		return follow(ctx, blocks, func(b *ethereum.Block) error { return tell(n, b) })
	})
	if err != nil {
		blocks.Close()
	}
	return string(id), err
}

// follow tells of blocks until ctx ends. The error of a subscriber that does not
// keep up is jsonrpc.ErrSlow.
func follow(ctx context.Context, blocks *chain.Subscription, tell func(*ethereum.Block) error) error {
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

func tellLogs(n *jsonrpc.Notifier, b *ethereum.Block, filter *chain.Filter) error {
	for _, r := range b.Receipts {
		for _, l := range r.Logs {
			if !filter.Matches(l) {
				continue
			}
			if err := n.Notify(appendLog(nil, l)); err != nil {
				return err
			}
		}
	}
	return nil
}

// encodeHead encodes a block's header once for all subscribers.
func (a *API) encodeHead(b *ethereum.Block) []byte {
	if last := a.head.Load(); last != nil && last.block == b {
		return last.json
	}
	encoded := &encodedHead{b, appendHead(nil, b)}
	a.head.Store(encoded)
	return encoded.json
}

func (a *API) unsubscribe(ctx context.Context, _ *caller.Caller, p *struct{ ID string }) (any, error) {
	ended, err := jsonrpc.Unsubscribe(ctx, jsonrpc.ID(p.ID))
	if err == nil && !ended {
		err = jsonrpc.Errorf("subscription not found")
	}
	return ended, err
}
