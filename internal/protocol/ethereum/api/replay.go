package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// Bounds of what a subscription goes back to.
const (
	maxReplay  = 10_000 // blocks behind the head
	nearReplay = 256    // a subscription that is not further behind goes live
	maxReplays = 4      // subscriptions that read an old block at once, at most
)

// ErrTooFarBack says that a subscription is to begin too far back.
var ErrTooFarBack = problem.New("REPLAY_TOO_LONG", "a subscription goes back at most 10,000 blocks",
	"ask eth_getLogs or eth_getBlockByNumber for the blocks before, page by page, then subscribe from the block behind them")

// newReplays makes the places of subscriptions that read old blocks.
func newReplays() jsonrpc.Places {
	return jsonrpc.NewPlaces(max(1, min(maxReplays, runtime.GOMAXPROCS(0)/2)))
}

// beginning is where a subscription begins, as its client writes it: an object
// whose fromBlock is the first block that it is told of. It is a parameter of its
// own, behind the filter of logs, since the filter's fromBlock means the same as
// with geth, nothing for blocks that have been: clients (web3) name a block there
// and ask eth_getLogs for the past themselves.
type beginning struct{ FromBlock *blockNumber }

// firstOf gives the first block that a subscription tells of: the one after the
// head, unless the parameter at a place says more.
func firstOf(place int, text json.RawMessage, head uint64) (uint64, error) {
	var b beginning
	if len(text) > 0 && text[0] == '{' { // other clients' parameters mean nothing here
		if err := jsonrpc.DecodeArgument(place, text, &b); err != nil {
			return 0, err
		}
	}
	switch {
	case b.FromBlock == nil || !b.FromBlock.exact && !b.FromBlock.pending:
		return head + 1, nil
	case b.FromBlock.pending:
		return 0, jsonrpc.InvalidParams("a subscription begins with a block that is committed or to come, not with the pending one")
	}
	from := b.FromBlock.number
	if head >= maxReplay && from <= head-maxReplay {
		earliest := hexutil.Uint64(head - maxReplay + 1)
		return 0, &jsonrpc.Error{Code: jsonrpc.CodeLimit,
			Message: fmt.Sprintf("a subscription goes back at most %d blocks, now to block %v", maxReplay, earliest),
			Data:    pageShape{ErrTooFarBack.Code, ErrTooFarBack.Next, earliest, hexutil.Uint64(head)}}
	}
	return from, nil
}

// follower tells one subscriber of blocks in their order, each once.
type follower struct {
	api  *API
	tell func(*chain.News) error
	next uint64 // the first block that was not told
}

// run follows from f.next on until ctx ends. It reads the blocks that have been
// until it is near the head, and then has them as they come; one that falls behind,
// in a burst of blocks or because its client reads slowly, reads again. The error
// of one that is hopelessly behind is jsonrpc.ErrSlow.
func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil {
		live, err := f.approach(ctx)
		if err == nil {
			if err = f.replay(ctx, live.After()); err == nil {
				err = f.listen(ctx, live)
			}
			live.Close()
		}
		if err != nil && !errors.Is(err, chain.ErrSlow) && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// approach reads until the head is near, and begins a subscription there.
func (f *follower) approach(ctx context.Context) (*chain.Subscription, error) {
	for {
		head := f.api.Chain.Number()
		switch {
		case f.near(head):
			return f.api.Chain.Subscribe(subscriptionQueue), nil
		case head-f.next > 2*maxReplay:
			return nil, jsonrpc.ErrSlow
		}
		if err := f.replay(ctx, head); err != nil {
			return nil, err
		}
	}
}

func (f *follower) near(head uint64) bool { return f.next > head || head-f.next < nearReplay }

// replay tells of the blocks from f.next to another, which have been.
func (f *follower) replay(ctx context.Context, to uint64) error {
	for f.next <= to {
		b, err := f.read(ctx)
		if err == nil {
			err = f.tell(&chain.News{Block: b})
		}
		if err != nil {
			return err
		}
		f.next++
	}
	return nil
}

// read reads the next block on one of the places that there are for it.
func (f *follower) read(ctx context.Context) (*ethereum.Block, error) {
	if err := f.api.replays.Wait(ctx); err != nil {
		return nil, err
	}
	defer f.api.replays.Leave()
	return f.api.Chain.ByNumber(ctx, f.next)
}

// listen tells of blocks as they are committed.
func (f *follower) listen(ctx context.Context, live *chain.Subscription) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b, ok := <-live.Blocks():
			if !ok {
				return live.Err()
			}
			if b.Number() < f.next {
				continue
			}
			if err := f.tell(b); err != nil {
				return err
			}
			f.next = b.Number() + 1
		}
	}
}
