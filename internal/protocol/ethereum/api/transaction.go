package api

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
)

// byHash asks for what a hash names.
type byHash struct{ Hash common.Hash }

func (a *API) transactionByHash(ctx context.Context, _ *caller.Caller, p *byHash) (any, error) {
	b, i, admitted, err := a.transaction(ctx, p.Hash)
	switch {
	case errors.Is(err, chain.ErrUnknown):
		return nil, nil
	case err != nil:
		return nil, err
	case admitted != nil:
		return pendingShape{admitted}, nil
	}
	return minedShape{b, i}, nil
}

// transaction gives a committed transaction's block and place there, or one that
// was admitted.
func (a *API) transaction(ctx context.Context, hash common.Hash) (*ethereum.Block, int, *ethereum.Transaction, error) {
	if b, i := a.Chain.Recent(hash); b != nil {
		return b, i, nil, nil
	}
	if e, ok := a.Pool.Find(hash); ok {
		return nil, 0, &e.Transaction().Transaction, nil
	}
	// It may have been committed after the first look and left the pool before
	// the second.
	b, i, err := a.Chain.Transaction(ctx, hash)
	return b, i, nil, err
}

func (a *API) transactionByBlockHash(ctx context.Context, _ *caller.Caller, p *struct {
	Hash  common.Hash
	Index hexutil.Uint
}) (any, error) {
	b, err := found(a.Chain.ByHash(ctx, p.Hash))
	return transactionAt(b, p.Index), err
}

func (a *API) transactionByBlockNumber(ctx context.Context, _ *caller.Caller, p *struct {
	Number blockNumber
	Index  hexutil.Uint
}) (any, error) {
	b, err := a.block(ctx, p.Number)
	return transactionAt(b, p.Index), err
}

func transactionAt(b *ethereum.Block, index hexutil.Uint) any {
	if b == nil || uint64(index) >= uint64(len(b.Transactions)) {
		return nil
	}
	return minedShape{b, int(index)}
}

// patience is how long after its turn has come a transaction is waited for.
const patience = time.Second

// receipt waits for a transaction that is on its way: its commit is a matter of
// milliseconds, and clients that find no receipt ask again after a second or four.
func (a *API) receipt(ctx context.Context, _ *caller.Caller, p *byHash) (any, error) {
	if e, ok := a.Pool.Find(p.Hash); ok {
		a.Pool.Settle(ctx, e, patience)
	}
	return a.receiptOf(ctx, p.Hash)
}

// receiptOf asks memory first: whoever waits for a receipt costs no search, and
// gets null while the history index is being made too.
func (a *API) receiptOf(ctx context.Context, hash common.Hash) (any, error) {
	if b, i := a.Chain.Recent(hash); b != nil {
		return receiptShape{b, i}, nil
	}
	if _, ok := a.Pool.Find(hash); ok {
		return nil, nil
	}
	b, i, err := a.Chain.Transaction(ctx, hash)
	switch {
	case errors.Is(err, chain.ErrUnknown):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return receiptShape{b, i}, nil
}
