package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/chain"
)

// price is what a transaction needs and what gas costs now.
type price struct {
	gas      uint64
	tip, cap *big.Int // EIP-1559; without a base fee cap is the gas price and tip nil
	balance  *big.Int
}

// price asks for everything together. As many do, the cap is twice the base fee,
// which so may rise for about six full blocks. Where no contract is to be called, for
// the ledger lost the block that made it, what a call needs cannot be known.
func (d *Driver) price(ctx context.Context, r ledger.Request) (*price, error) {
	calls := []client.Request{
		{Method: "eth_estimateGas", Params: []any{chain.Message{From: r.From, To: r.To, Input: r.Data}, "pending"}},
		{Method: "eth_getBlockByNumber", Params: []any{"latest", false}},
		{Method: "eth_maxPriorityFeePerGas"},
		{Method: "eth_gasPrice"},
		{Method: "eth_getBalance", Params: []any{r.From, "latest"}}, // what a pool looks at
	}
	contract := r.To != nil && len(r.Data) > 0
	if contract {
		calls = append(calls, client.Request{Method: "eth_getCode", Params: []any{r.To, "pending"}})
	}
	var p price
	err := chain.Newest(func(block string) error {
		calls[0].Params[1] = block
		if contract {
			calls[5].Params[1] = block
		}
		return d.Client.Retry(ctx, func(ctx context.Context) error {
			if err := d.Client.Batch(ctx, calls); err != nil {
				return err
			}
			estimate, err := chain.Number(&calls[0])
			if err != nil {
				return err
			}
			if contract {
				var code hexutil.Bytes
				if err := calls[5].Decode(&code); err != nil {
					return err
				}
				if len(code) == 0 {
					return ledger.ErrReplaced.From(fmt.Errorf("there is no contract at %s now", r.To))
				}
			}
			var head *struct{ BaseFeePerGas *hexutil.Big }
			if err := calls[1].Decode(&head); err != nil {
				return err
			}
			if head == nil || !estimate.IsUint64() {
				return ledger.ErrAnswer.From(errors.New("no newest block, or gas beyond 64 bits"))
			}
			p.gas = chain.Gas(estimate.Uint64())
			if head.BaseFeePerGas == nil {
				p.tip = nil
				p.cap, err = chain.Number(&calls[3])
			} else if p.tip, err = chain.Number(&calls[2]); err == nil {
				p.cap = new(big.Int).Add(new(big.Int).Lsh(head.BaseFeePerGas.ToInt(), 1), p.tip)
			}
			if err == nil {
				p.balance, err = chain.Number(&calls[4])
			}
			return err
		})
	})
	return &p, err
}

// cost is the most that the transaction may cost, in wei.
func (p *price) cost() *big.Int {
	return new(big.Int).Mul(p.cap, new(big.Int).SetUint64(p.gas))
}

func (p *price) transaction(id *big.Int, nonce uint64, to *common.Address, data []byte, value *big.Int, gas uint64) *types.Transaction {
	if p.tip == nil {
		return types.NewTx(&types.LegacyTx{Nonce: nonce, GasPrice: p.cap, Gas: gas, To: to, Value: value, Data: data})
	}
	return types.NewTx(&types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: p.tip, GasFeeCap: p.cap, Gas: gas, To: to, Value: value, Data: data})
}

// How long a grant is waited for at once, and how often it is looked for.
const (
	grantTime  = 20 * time.Second
	grantPause = 100 * time.Millisecond
)

// transferGas is what it costs to pay an account.
const transferGas = 21000

// grant gives an account funds from the funding account and waits until it has
// cost. A grant that takes long is not repeated: it is waited for the next time.
func (d *Driver) grant(ctx context.Context, id *big.Int, to common.Address, cost *big.Int, p *price) error {
	if d.funder == nil {
		return ledger.ErrUnfunded.From(fmt.Errorf("%s has %v wei, the transaction may cost %v, and no funding account is configured", to, p.balance, cost))
	}
	if err := d.give(ctx, id, to, new(big.Int).Mul(cost, big.NewInt(d.grants)), p); err != nil {
		return err
	}
	for end := time.Now().Add(grantTime); ; {
		var balance hexutil.Big
		err := d.Client.Retry(ctx, func(ctx context.Context) error {
			return d.Client.Call(ctx, &balance, "eth_getBalance", to, "latest")
		})
		switch {
		case err != nil:
			return chain.Explain(err)
		case balance.ToInt().Cmp(cost) >= 0:
			d.funds.Lock()
			delete(d.given, to)
			d.funds.Unlock()
			return nil
		case time.Now().After(end):
			return ledger.ErrUnavailable.From(fmt.Errorf("the funds for %s are on their way", to))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(grantPause):
		}
	}
}

// give sends a grant, unless one is on its way.
func (d *Driver) give(ctx context.Context, id *big.Int, to common.Address, amount *big.Int, p *price) error {
	d.funds.Lock()
	defer d.funds.Unlock()
	if hash, ok := d.given[to]; ok {
		if s, err := d.Status(ctx, hash); err != nil || s.State == ledger.Pending {
			return err
		}
		delete(d.given, to)
	}
	account := crypto.PubkeyToAddress(d.funder.PublicKey)
	nonce, err := d.NextNonce(ctx, account)
	if err != nil {
		return err
	}
	tx, err := types.SignTx(p.transaction(id, nonce, &to, nil, amount, transferGas), types.LatestSignerForChainID(id), d.funder)
	if err != nil {
		return err
	}
	switch err := d.Submit(ctx, tx); {
	case errors.Is(err, ledger.ErrNonceUsed): // another builder shares the account
		return ledger.ErrUnavailable.From(err)
	case err != nil:
		return err
	}
	d.given[to] = tx.Hash()
	return nil
}
