// Package ethereum drives an Ethereum node from elsewhere, such as geth. Its gas
// is paid for, from an account that is configured: it gives people's accounts what
// they need. Its newest blocks may be replaced. It proves nothing, and tells the calls
// inside transactions only if the node serves debug_ methods; else the outer ones are
// known alone.
package ethereum

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/chain"
)

// Options say how a node is asked, and who pays.
type Options struct {
	client.Options
	// Funder is the key of the account that pays for people's gas. Without one people's
	// accounts must have funds.
	Funder *ecdsa.PrivateKey
	// Grants is for how many transactions, of the size of the one that wants funds, an
	// account is given funds at once: 20.
	Grants int64
	// Confirmations is how many blocks upon a block make it final: 32, an epoch of
	// Ethereum's. The node must keep the state of so many blocks.
	Confirmations uint64
}

// Driver implements ledger.Driver.
type Driver struct {
	chain.Chain
	funder *ecdsa.PrivateKey
	grants int64
	depth  uint64
	traces atomic.Int32 // 0: not asked yet, 1: yes, 2: no
	funds  sync.Mutex   // one grant at a time: they share a nonce
	given  map[common.Address]common.Hash
}

var _ ledger.Driver = (*Driver)(nil)

// Open makes a driver of the node at an address. It does not connect.
func Open(address string, o Options) (*Driver, error) {
	c, err := client.Dial(address, o.Options)
	if err != nil {
		return nil, err
	}
	return &Driver{Chain: chain.Chain{Client: c}, funder: o.Funder, grants: cmp.Or(o.Grants, 20), depth: cmp.Or(o.Confirmations, 32), given: map[common.Address]common.Hash{}}, nil
}

// Info implements ledger.Driver.
func (d *Driver) Info(ctx context.Context) (ledger.Info, error) {
	id, software, err := d.Identify(ctx)
	if err != nil {
		return ledger.Info{}, err
	}
	traces, err := d.tracing(ctx)
	return ledger.Info{ChainID: id, Client: software, Traces: traces, Fees: true}, err
}

// tracing finds out whether the node traces.
func (d *Driver) tracing(ctx context.Context) (bool, error) {
	if known := d.traces.Load(); known != 0 {
		return known == 1, nil
	}
	var said *client.Error
	err := d.Client.Retry(ctx, func(ctx context.Context) error {
		return d.Client.Call(ctx, nil, "debug_traceBlockByNumber", "latest", map[string]string{"tracer": "callTracer"})
	})
	switch {
	case err == nil || errors.As(err, &said) && said.Code != -32601: // it traces, though not this block
		d.traces.Store(1)
		return true, nil
	case said != nil:
		d.traces.Store(2)
		return false, nil
	}
	return false, chain.Explain(err)
}

// Blocks implements ledger.Driver.
func (d *Driver) Blocks(ctx context.Context, from uint64, limit int) ([]ledger.Block, error) {
	traces, err := d.tracing(ctx)
	if err != nil {
		return nil, err
	}
	list, err := d.Chain.Blocks(ctx, from, limit, client.Want{Traces: traces})
	if err != nil {
		return nil, err
	}
	return list, d.reasons(ctx, list)
}

// reasons finds out why transactions without a trace failed, by calling the same
// again on the state before their block. Those before them in the block are missing
// there: where it succeeds then, or fails otherwise, no reason is known.
func (d *Driver) reasons(ctx context.Context, blocks []ledger.Block) error {
	var calls []client.Request
	var failed []*ledger.Transaction
	for i := range blocks {
		for j := range blocks[i].Transactions {
			t := &blocks[i].Transactions[j]
			if blocks[i].Traced || !t.Failed || blocks[i].Number == 0 || t.RevertReason != "" || t.RevertData != nil {
				continue
			}
			failed = append(failed, t)
			calls = append(calls, client.Request{Method: "eth_call", Params: []any{
				chain.Message{From: t.From, To: t.To, Input: t.Input, Gas: chain.CallGas, Value: (*hexutil.Big)(t.Value)}, hexutil.Uint64(blocks[i].Number - 1)}})
		}
	}
	if err := d.Client.Retry(ctx, func(ctx context.Context) error { return d.Client.Batch(ctx, calls) }); err != nil {
		return chain.Explain(err)
	}
	for i, t := range failed {
		if data, ok := client.Reverted(calls[i].Err); ok {
			chain.Fail(t, "", data)
		}
	}
	return nil
}

// FinalNonce implements ledger.Driver.
func (d *Driver) FinalNonce(ctx context.Context, account common.Address, most uint64) (uint64, ledger.Ref, error) {
	return d.NonceAt(ctx, account, d.depth, most)
}

// Submit implements ledger.Driver.
func (d *Driver) Submit(ctx context.Context, tx *types.Transaction) error {
	err := d.Client.Send(ctx, tx)
	// A pool learns of a block a moment after everybody else, and so of funds.
	for end := time.Now().Add(poolTime); err != nil && strings.Contains(err.Error(), "insufficient funds") && time.Now().Before(end); {
		if has, failed := d.funded(ctx, tx); failed != nil || !has {
			break
		}
		err = d.Client.Send(ctx, tx)
	}
	var said *client.Error
	if !errors.As(err, &said) || client.Temporary(err) {
		return chain.Explain(err)
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said.Message, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("nonce too low", "replacement transaction underpriced"): // the latter: another one with that nonce is on its way
		return ledger.ErrNonceUsed.From(err)
	case has("underpriced", "less than block base fee", "below minimum", "fee too low"):
		return ledger.ErrUnderpriced.From(err)
	case has("insufficient funds"):
		return ledger.ErrUnfunded.From(err)
	case has("pool is full", "pool overflow", "limit exceeded", "nonce too high", "limit reached"):
		return ledger.ErrUnavailable.From(err)
	}
	return ledger.ErrRefused.From(err)
}

// poolTime is how long a pool may be behind.
const poolTime = 5 * time.Second

// funded reports, after a moment, whether who signed a transaction can pay for it.
func (d *Driver) funded(ctx context.Context, tx *types.Transaction) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(grantPause / 2):
	}
	from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx)
	if err != nil {
		return false, err
	}
	var balance hexutil.Big
	err = d.Client.Call(ctx, &balance, "eth_getBalance", from, "latest")
	return balance.ToInt().Cmp(tx.Cost()) >= 0, err
}

// Status implements ledger.Driver.
func (d *Driver) Status(ctx context.Context, hash common.Hash) (ledger.Status, error) {
	calls := []client.Request{{Method: "eth_getTransactionReceipt", Params: []any{hash}}, {Method: "eth_getTransactionByHash", Params: []any{hash}}}
	var receipt *struct{ Status hexutil.Uint64 }
	var pending *struct{ Hash common.Hash }
	err := d.Client.Retry(ctx, func(ctx context.Context) error {
		if err := d.Client.Batch(ctx, calls); err != nil {
			return err
		}
		return cmp.Or(calls[0].Decode(&receipt), calls[1].Decode(&pending))
	})
	switch {
	case err != nil:
		return ledger.Status{}, chain.Explain(err)
	case receipt != nil && receipt.Status == 0:
		return ledger.Status{State: ledger.Committed, Reason: "the transaction failed"}, nil
	case receipt != nil:
		return ledger.Status{State: ledger.Committed}, nil
	case pending != nil:
		return ledger.Status{State: ledger.Pending}, nil
	}
	return ledger.Status{State: ledger.Unknown}, nil
}

// Proof implements ledger.Driver: there is none.
func (d *Driver) Proof(context.Context, common.Hash) (json.RawMessage, error) {
	return nil, ledger.ErrNoProof
}

// Prepare implements ledger.Driver.
func (d *Driver) Prepare(ctx context.Context, r ledger.Request) (*types.Transaction, error) {
	id, err := d.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	p, err := d.price(ctx, r)
	if err != nil {
		return nil, chain.Explain(err)
	}
	if cost := p.cost(); p.balance.Cmp(cost) < 0 {
		if err := d.grant(ctx, id, r.From, cost, p); err != nil {
			return nil, err
		}
	}
	return p.transaction(id, r.Nonce, r.To, r.Data, common.Big0, p.gas), nil
}
