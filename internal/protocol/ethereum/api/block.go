package api

import (
	"context"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/server/caller"
)

func (a *API) blockByNumber(ctx context.Context, _ *caller.Caller, p *struct {
	Number blockNumber
	Full   bool `rpc:"optional"`
}) (any, error) {
	b, err := a.block(ctx, p.Number)
	return orNull(b, err, func() any { return blockShape{b, p.Full} })
}

func (a *API) blockByHash(ctx context.Context, _ *caller.Caller, p *struct {
	Hash common.Hash
	Full bool `rpc:"optional"`
}) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	return orNull(b, err, func() any { return blockShape{b, p.Full} })
}

func (a *API) blockReceipts(ctx context.Context, _ *caller.Caller, p *ofBlock) (any, error) {
	b, err := a.blockOf(ctx, p.Block)
	return orNull(b, err, func() any { return receiptsShape{b} })
}

// headerByNumber has no answer for the pending block, as geth.
func (a *API) headerByNumber(ctx context.Context, _ *caller.Caller, p *atNumber) (any, error) {
	if p.Number.pending {
		return nil, nil
	}
	b, err := a.block(ctx, p.Number)
	return orNull(b, err, func() any { return headShape{b} })
}

func (a *API) headerByHash(ctx context.Context, _ *caller.Caller, p *atHash) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	return orNull(b, err, func() any { return headShape{b} })
}

// atNumber and atHash name a block.
type (
	atNumber struct{ Number blockNumber }
	atHash   struct{ Hash common.Hash }
)

func (a *API) countByNumber(ctx context.Context, _ *caller.Caller, p *atNumber) (any, error) {
	b, err := a.block(ctx, p.Number)
	return orNull(b, err, func() any { return quantity(len(b.Transactions)) })
}

func (a *API) countByHash(ctx context.Context, _ *caller.Caller, p *atHash) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	return orNull(b, err, func() any { return quantity(len(b.Transactions)) })
}

func (a *API) uncleCountByNumber(ctx context.Context, _ *caller.Caller, p *atNumber) (any, error) {
	b, err := a.block(ctx, p.Number)
	return orNull(b, err, func() any { return quantity(0) })
}

func (a *API) uncleCountByHash(ctx context.Context, _ *caller.Caller, p *atHash) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	return orNull(b, err, func() any { return quantity(0) })
}

// No block has uncles.

func (a *API) uncleByNumber(context.Context, *caller.Caller, *struct {
	Number blockNumber
	Index  hexutil.Uint
}) (any, error) {
	return json.RawMessage("null"), nil
}

func (a *API) uncleByHash(context.Context, *caller.Caller, *struct {
	Hash  common.Hash
	Index hexutil.Uint
}) (any, error) {
	return json.RawMessage("null"), nil
}

// orNull is what shape makes of a block, null if there is no block.
func orNull(b *ethereum.Block, err error, shape func() any) (any, error) {
	if b == nil || err != nil {
		return nil, err
	}
	return shape(), nil
}
