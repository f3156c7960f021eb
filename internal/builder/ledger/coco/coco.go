// Package coco drives a node of coco. Its ledger is final and free, proves what it
// holds, and tells the calls inside transactions for as long as the node keeps old
// state (coco start --state-blocks).
package coco

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/chain"
	"github.com/coco-consortium/coco/internal/problem"
)

// Driver implements ledger.Driver.
type Driver struct{ chain.Chain }

var _ ledger.Driver = (*Driver)(nil)

// Open makes a driver of the node at an address. It does not connect. With a
// Service in the options every proof is checked against it before it is given;
// without one proofs are passed on as the node gives them.
func Open(address string, o client.Options) (*Driver, error) {
	c, err := client.Dial(address, o)
	if err != nil {
		return nil, err
	}
	return &Driver{chain.Chain{Client: c}}, nil
}

// Info implements ledger.Driver.
func (d *Driver) Info(ctx context.Context) (ledger.Info, error) {
	id, software, err := d.Identify(ctx)
	if err != nil {
		return ledger.Info{}, err
	}
	return ledger.Info{ChainID: id, Client: software, Traces: true, Proofs: true, Final: true}, nil
}

// Blocks implements ledger.Driver.
func (d *Driver) Blocks(ctx context.Context, from uint64, limit int) ([]ledger.Block, error) {
	return d.Chain.Blocks(ctx, from, limit, client.Want{Traces: true, TxIDs: true})
}

// Prepare implements ledger.Driver. Gas is free.
func (d *Driver) Prepare(ctx context.Context, r ledger.Request) (*types.Transaction, error) {
	id, err := d.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	var gas hexutil.Uint64
	err = d.Client.Retry(ctx, func(ctx context.Context) error {
		return d.Client.Call(ctx, &gas, "eth_estimateGas", chain.Message{From: r.From, To: r.To, Input: r.Data}, "pending")
	})
	if err != nil {
		return nil, chain.Explain(err)
	}
	return types.NewTx(&types.DynamicFeeTx{ChainID: id, Nonce: r.Nonce, Gas: chain.Gas(uint64(gas)), To: r.To, Data: r.Data,
		GasFeeCap: common.Big0, GasTipCap: common.Big0, Value: common.Big0}), nil
}

// FinalNonce implements ledger.Driver: what is committed stays.
func (d *Driver) FinalNonce(ctx context.Context, account common.Address, most uint64) (uint64, ledger.Ref, error) {
	return d.NonceAt(ctx, account, 0, most)
}

// Submit implements ledger.Driver.
func (d *Driver) Submit(ctx context.Context, tx *types.Transaction) error {
	err := d.Client.Send(ctx, tx)
	var said *client.Error
	if !errors.As(err, &said) || client.Temporary(err) {
		return chain.Explain(err)
	}
	switch said.Name {
	case "NONCE_TOO_LOW", "REPLACEMENT_UNDERPRICED": // the latter: another one waits for its turn with that nonce
		return ledger.ErrNonceUsed.From(err)
	case "NONCE_TOO_HIGH", "WAITING_ROOM_FULL": // earlier ones have to go first
		return ledger.ErrUnavailable.From(err)
	case "INSUFFICIENT_FUNDS":
		return ledger.ErrUnfunded.From(err)
	}
	return ledger.ErrRefused.From(err)
}

// Status implements ledger.Driver.
func (d *Driver) Status(ctx context.Context, hash common.Hash) (ledger.Status, error) {
	s, err := d.Client.Status(ctx, hash.Hex())
	if err != nil {
		return ledger.Status{}, chain.Explain(err)
	}
	out := ledger.Status{State: ledger.State(s.State), TxID: s.TxID, Reason: s.Reason}
	if s.Failure != "" {
		var t ledger.Transaction
		chain.Fail(&t, s.Failure, s.Output)
		out.Reason = t.RevertReason
		if out.Reason == "" {
			out.Reason = s.Failure
		}
	}
	return out, nil
}

// disclosed are the fields that a proof shows besides hash and status: who did
// what to which contract, without its arguments.
var disclosed = []string{"ethereum.from", "ethereum.to", "ethereum.nonce", "ethereum.created"}

// Proof implements ledger.Driver: a receipt of coco in JSON.
func (d *Driver) Proof(ctx context.Context, hash common.Hash) (json.RawMessage, error) {
	p, err := d.Client.Receipt(ctx, hash.Hex(), disclosed...)
	var said *client.Error
	switch {
	case err == nil:
		return p.Receipt, nil
	case errors.As(err, &said) && said.Name == "NO_RECEIPT":
		return nil, ledger.ErrNoProof.From(err)
	case client.Temporary(err), errors.As(err, &said), errors.Is(err, client.ErrAnswer), problem.CodeOf(err) == "INTERNAL":
		return nil, chain.Explain(err)
	}
	return nil, ledger.ErrProof.From(err)
}
