package api

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// registerRaw adds what gives things as Ethereum encodes them. As with geth
// nothing is "0x".
func (a *API) registerRaw(d *jsonrpc.Dispatcher) {
	jsonrpc.Handle(d, "eth_getRawTransactionByHash", a.rawTransaction)
	jsonrpc.Handle(d, "eth_getRawTransactionByBlockHashAndIndex", a.rawByBlockHash)
	jsonrpc.Handle(d, "eth_getRawTransactionByBlockNumberAndIndex", a.rawByBlockNumber)
	jsonrpc.Handle(d, "debug_getRawTransaction", a.rawTransaction)
	jsonrpc.Handle(d, "debug_getRawHeader", a.rawHeader)
	jsonrpc.Handle(d, "debug_getRawBlock", a.rawBlock)
	jsonrpc.Handle(d, "debug_getRawReceipts", a.rawReceipts)
}

func (a *API) rawTransaction(ctx context.Context, _ *caller.Caller, p *byHash) (any, error) {
	b, i, admitted, err := a.transaction(ctx, p.Hash)
	switch {
	case errors.Is(err, chain.ErrUnknown):
		return data(nil), nil
	case err != nil:
		return nil, err
	case admitted != nil:
		return encoded(admitted.MarshalBinary())
	}
	return encoded(b.Transactions[i].MarshalBinary())
}

// encoded is what a library's encoder gave.
func encoded(b []byte, err error) (any, error) { return data(b), err }

func (a *API) rawByBlockHash(ctx context.Context, _ *caller.Caller, p *struct {
	Hash  common.Hash
	Index hexutil.Uint
}) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	if err != nil {
		return nil, err
	}
	return rawAt(b, p.Index)
}

func (a *API) rawByBlockNumber(ctx context.Context, _ *caller.Caller, p *struct {
	Number blockNumber
	Index  hexutil.Uint
}) (any, error) {
	b, err := a.block(ctx, p.Number)
	if err != nil {
		return nil, err
	}
	return rawAt(b, p.Index)
}

func rawAt(b *ethereum.Block, index hexutil.Uint) (any, error) {
	if b == nil || uint64(index) >= uint64(len(b.Transactions)) {
		return data(nil), nil
	}
	return encoded(b.Transactions[index].MarshalBinary())
}

// ofBlock asks for something of one block.
type ofBlock struct{ Block blockRef }

func (a *API) rawHeader(ctx context.Context, _ *caller.Caller, p *ofBlock) (any, error) {
	b, err := a.blockOf(ctx, p.Block)
	switch {
	case err != nil:
		return nil, err
	case b == nil && p.Block.hash != nil:
		return nil, jsonrpc.Errorf("header %v not found", p.Block.hash)
	case b == nil:
		return data(nil), nil
	}
	return encoded(rlp.EncodeToBytes(b.Header))
}

func (a *API) rawBlock(ctx context.Context, _ *caller.Caller, p *ofBlock) (any, error) {
	b, err := a.blockOf(ctx, p.Block)
	switch {
	case err != nil:
		return nil, err
	case b == nil && p.Block.hash != nil:
		return nil, jsonrpc.Errorf("block %v not found", p.Block.hash)
	case b == nil:
		return data(nil), nil
	}
	body := types.Body{Uncles: b.Uncles, Withdrawals: b.Withdrawals}
	for _, t := range b.Transactions {
		body.Transactions = append(body.Transactions, t.Transaction)
	}
	if b.Header.WithdrawalsHash != nil && body.Withdrawals == nil {
		body.Withdrawals = types.Withdrawals{}
	}
	return encoded(rlp.EncodeToBytes(types.NewBlockWithHeader(b.Header).WithBody(body)))
}

func (a *API) rawReceipts(ctx context.Context, _ *caller.Caller, p *ofBlock) (any, error) {
	b, err := a.blockOf(ctx, p.Block)
	if err != nil || b == nil && p.Block.hash == nil {
		return nil, err
	}
	list := []hexutil.Bytes{}
	if b == nil {
		return list, nil
	}
	for _, r := range b.Receipts {
		whole := *r
		whole.Bloom = types.CreateBloom(r)
		text, err := whole.MarshalBinary()
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}
