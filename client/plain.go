package client

import (
	"context"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// A trace runs a transaction again, which costs a node as much as running it did,
// and needs old state. A transaction of which is certain that there are no calls
// inside it is plain: what became of it is all there is to know.

// codes remembers of contracts whether they can call. Code does not change once it
// is there; only an account's delegation does (EIP-7702), which is not remembered.
type codes struct {
	sync.Mutex
	calling map[common.Address]bool
}

// maxCodes bounds how many contracts are remembered. Then it begins anew.
const maxCodes = 1 << 14

func (c *codes) find(a common.Address) (calling, known bool) {
	c.Lock()
	defer c.Unlock()
	calling, known = c.calling[a]
	return calling, known
}

func (c *codes) keep(a common.Address, calling bool) {
	c.Lock()
	defer c.Unlock()
	if c.calling == nil || len(c.calling) >= maxCodes {
		c.calling = map[common.Address]bool{}
	}
	c.calling[a] = calling
}

// mayCall reports whether code can get to an instruction that calls, creates or ends
// a contract. What follows an end, up to the next place that can be jumped to, is
// never run: data and the compiler's notes mostly.
func mayCall(code []byte) bool {
	reached := true
	for at := 0; at < len(code); at++ {
		op := vm.OpCode(code[at])
		switch {
		case op == vm.JUMPDEST:
			reached = true
		case !reached:
		case op == vm.CREATE, op == vm.CREATE2, op == vm.CALL, op == vm.CALLCODE, op == vm.DELEGATECALL, op == vm.STATICCALL, op == vm.SELFDESTRUCT:
			return true
		case op == vm.STOP, op == vm.JUMP, op == vm.RETURN, op == vm.REVERT, op == vm.INVALID:
			reached = false
		}
		if vm.PUSH1 <= op && op <= vm.PUSH32 {
			at += int(op-vm.PUSH1) + 1
		}
	}
	return false
}

// plain reports whether it is certain that a transaction has no calls inside it.
// Of an account without code nobody knows whether it had some: it may have been
// delegated. With the gas of a transfer nothing runs.
func (c *Client) plain(t *Transaction) bool {
	if t.To == nil {
		return !mayCall(t.Input)
	}
	if t.Gas == params.TxGas {
		return true
	}
	calling, known := c.codes.find(*t.To)
	return known && !calling
}

func (c *Client) plainBlock(b *Block) bool {
	for i := range b.Transactions {
		if !c.plain(&b.Transactions[i]) {
			return false
		}
	}
	return true
}

// learn finds out of the contracts that blocks call whether they can call. That it
// is not known of one is no error.
func (c *Client) learn(ctx context.Context, list []Block) error {
	var calls []Request
	var of []common.Address
	asked := map[common.Address]bool{}
	for i := range list {
		for j := range list[i].Transactions {
			t := &list[i].Transactions[j]
			if t.To == nil || t.Gas == params.TxGas || asked[*t.To] {
				continue
			}
			asked[*t.To] = true
			if _, known := c.codes.find(*t.To); !known {
				of = append(of, *t.To)
				calls = append(calls, Request{Method: "eth_getCode", Params: []any{*t.To, "latest"}})
			}
		}
	}
	if err := c.Batch(ctx, calls); err != nil {
		return err
	}
	for i := range calls {
		var code []byte
		if err := calls[i].decode(func(s *cursor) { code = s.data() }); err != nil {
			continue
		}
		if _, delegated := types.ParseDelegation(code); len(code) > 0 && !delegated {
			c.codes.keep(of[i], mayCall(code))
		}
	}
	return nil
}

// askPlain is ask for a node of coco with traces and TxIDs: plain blocks are asked
// for by the status of their transactions.
func (c *Client) askPlain(ctx context.Context, from uint64, n int) ([]Block, error) {
	calls := make([]Request, n, n+1)
	for i := range calls {
		calls[i] = Request{Method: "eth_getBlockByNumber", Params: []any{hexutil.Uint64(from + uint64(i)), true}}
	}
	behind := c.head.Load() < from+uint64(n)
	if behind {
		calls = append(calls, Request{Method: "eth_blockNumber"})
	}
	if err := c.Batch(ctx, calls); err != nil {
		return nil, err
	}
	if behind {
		calls[n].decode(func(s *cursor) { c.heard(s.quantity()) })
	}
	var list []Block
	bytes := 0
	for i := range n {
		b, err := calls[i].block(from + uint64(i))
		if err != nil && i == 0 {
			return nil, err
		}
		if err != nil || b == nil || i > 0 && b.Parent != list[i-1].Hash {
			break
		}
		bytes += len(calls[i].Result)
		list = append(list, *b)
	}
	if err := c.learn(ctx, list); err != nil {
		return nil, err
	}
	return c.outcomes(ctx, list, bytes)
}

// part is where the answers about a block are among those about all.
type part struct {
	from, to int
	plain    bool
}

// outcomes finds out what became of the transactions of blocks, whose own answers
// took so many bytes, and gives those that are complete.
func (c *Client) outcomes(ctx context.Context, list []Block, bytes int) ([]Block, error) {
	var calls []Request
	parts := make([]part, len(list))
	for i := range list {
		p := part{from: len(calls), plain: c.plainBlock(&list[i])}
		if p.plain {
			for j := range list[i].Transactions {
				calls = append(calls, Request{Method: "coco_getTransactionStatus", Params: []any{list[i].Transactions[j].Hash}})
			}
		} else {
			calls = append(calls, Request{Method: "debug_traceBlockByNumber", Params: []any{hexutil.Uint64(list[i].Number), callTracer}})
		}
		p.to = len(calls)
		parts[i] = p
	}
	if err := c.Batch(ctx, calls); err != nil {
		return nil, err
	}
	for i, p := range parts {
		var err error
		if answers := calls[p.from:p.to]; p.plain {
			err = list[i].settlePlain(answers)
		} else {
			err = c.follow(ctx, &list[i], &answers[0], i == 0)
		}
		if err != nil && i == 0 {
			return nil, err
		} else if err != nil {
			list = list[:i] // the rest is asked for again
			break
		}
		for j := p.from; j < p.to; j++ {
			bytes += len(calls[j].Result)
		}
	}
	if len(list) > 0 {
		c.blocks.Store(uint64(bytes/len(list)) + 1)
	}
	return c.settle(ctx, list, Want{Traces: true})
}

// settlePlain adds what became of plain transactions, whose only call is their own.
func (b *Block) settlePlain(answers []Request) error {
	for i := range b.Transactions {
		var st Status
		if err := answers[i].decode(func(s *cursor) { st = s.status() }); err != nil {
			return err
		}
		t := &b.Transactions[i]
		if err := st.committed(t); err != nil {
			return err
		}
		f := Frame{Type: "CALL", From: t.From, Input: t.Input, Output: st.Output, Error: st.Failure, Undone: st.Failure != ""}
		switch {
		case t.To != nil:
			f.To = *t.To
		case st.Failure != "":
			f.Type = "CREATE"
		default:
			f.Type, f.To = "CREATE", crypto.CreateAddress(t.From, t.Nonce)
		}
		t.TxID = st.TxID
		t.follow([]Frame{f})
	}
	return nil
}
