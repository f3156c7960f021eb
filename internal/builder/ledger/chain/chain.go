// Package chain is what the drivers have in common: a ledger that is read through
// Ethereum's JSON-RPC. Fees, proofs and finality are theirs.
package chain

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// Chain is a ledger behind a client.
type Chain struct {
	Client *client.Client
	known  identity
}

// Close gives the connections back.
func (c *Chain) Close() { c.Client.Close() }

// Head is the newest block.
func (c *Chain) Head(ctx context.Context) (ledger.Ref, error) {
	h, err := c.Client.Head(ctx)
	return ledger.Ref{Number: h.Number, Hash: h.Hash}, Explain(err)
}

// Watch implements ledger.Driver. Since it calls changed after every connection
// that was lost, there is nothing to begin from.
func (c *Chain) Watch(ctx context.Context, _ uint64, changed func()) error {
	return c.Client.Watch(ctx, changed)
}

// NextNonce implements ledger.Driver.
func (c *Chain) NextNonce(ctx context.Context, account common.Address) (uint64, error) {
	var n hexutil.Uint64
	err := Newest(func(block string) error {
		return c.Client.Retry(ctx, func(ctx context.Context) error {
			return c.Client.Call(ctx, &n, "eth_getTransactionCount", account, block)
		})
	})
	return uint64(n), Explain(err)
}

// Newest asks about the newest state with what is pending, or without while the node
// cannot make a block of that: geth after a start, until its chain goes on.
func Newest(ask func(block string) error) error {
	err := ask("pending")
	if err != nil && strings.Contains(err.Error(), "pending state is not available") {
		return ask("latest")
	}
	return err
}

// starting are the words in which a node says that it does not know its newest
// state: it is starting, or its database is damaged. Nothing is wrong with what was
// asked.
var starting = regexp.MustCompile(`(?i)indexing is in progress|state is not available|missing trie node|layer stale`)

// NonceAt is an account's next nonce after the newest block that has at least depth
// others upon it and no higher number than most. Block 0 is always deep enough.
func (c *Chain) NonceAt(ctx context.Context, account common.Address, depth, most uint64) (uint64, ledger.Ref, error) {
	head, err := c.Head(ctx)
	if err != nil {
		return 0, ledger.Ref{}, err
	}
	at := ledger.Ref{Number: min(head.Number-min(depth, head.Number), most)}
	calls := []client.Request{{Method: "eth_getBlockByNumber", Params: []any{hexutil.Uint64(at.Number), false}},
		{Method: "eth_getTransactionCount", Params: []any{account, hexutil.Uint64(at.Number)}}}
	var block *struct{ Hash common.Hash }
	var n hexutil.Uint64
	err = c.Client.Retry(ctx, func(ctx context.Context) error {
		if err := c.Client.Batch(ctx, calls); err != nil {
			return err
		}
		return cmp.Or(calls[0].Decode(&block), calls[1].Decode(&n))
	})
	var said *client.Error
	switch {
	case errors.As(err, &said) && gone.MatchString(said.Message):
		return 0, at, ledger.ErrStateGone.From(err)
	case err != nil:
		return 0, at, Explain(err)
	case block == nil:
		return 0, at, ledger.ErrReplaced
	}
	at.Hash = block.Hash
	return uint64(n), at, nil
}

// Message is a call or a transaction as nodes are asked about it.
type Message struct {
	From  common.Address  `json:"from"`
	To    *common.Address `json:"to,omitempty"`
	Input hexutil.Bytes   `json:"input"`
	Gas   hexutil.Uint64  `json:"gas,omitempty"`
	Value *hexutil.Big    `json:"value,omitempty"`
}

// Explain is a client's error in the words of this room.
func Explain(err error) error {
	var said *client.Error
	switch data, reverted := client.Reverted(err); {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ledger.ErrAnswer),
		errors.Is(err, ledger.ErrReplaced):
		return err
	case reverted:
		return &ledger.Reverted{Reason: Reason(data), Data: data}
	case client.Temporary(err), errors.As(err, &said) && starting.MatchString(said.Message):
		return ledger.ErrUnavailable.From(err)
	case errors.As(err, &said):
		return ledger.ErrRefused.From(err)
	}
	return ledger.ErrAnswer.From(err)
}

// maxReason is the longest of a contract's words that is kept, in bytes.
const maxReason = 4096

// Reason is what revert data says in words, empty when it is an error of the
// contract's interface, or nothing.
func Reason(data []byte) string {
	reason, err := abi.UnpackRevert(data)
	if err != nil {
		return ""
	}
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	return strings.ToValidUTF8(reason, "\uFFFD")
}

// Blocks implements ledger.Driver.
func (c *Chain) Blocks(ctx context.Context, from uint64, limit int, want client.Want) ([]ledger.Block, error) {
	list, err := c.Client.Blocks(ctx, from, limit, want)
	if err != nil {
		if errors.Is(err, client.ErrTooLarge) {
			return nil, ledger.ErrBlockTooLarge.From(err)
		}
		return nil, Explain(err)
	}
	blocks := make([]ledger.Block, len(list))
	for i := range list {
		blocks[i] = blockOf(&list[i])
	}
	return blocks, nil
}

func blockOf(b *client.Block) ledger.Block {
	out := ledger.Block{Ref: ledger.Ref{Number: b.Number, Hash: b.Hash}, Parent: b.Parent, Time: b.Time, Traced: true,
		Transactions: make([]ledger.Transaction, len(b.Transactions))}
	for i := range b.Transactions {
		out.Transactions[i] = transactionOf(&b.Transactions[i])
		out.Traced = out.Traced && b.Transactions[i].Traced
	}
	return out
}

func transactionOf(t *client.Transaction) ledger.Transaction {
	out := ledger.Transaction{Hash: t.Hash, From: t.From, To: t.To, Value: t.Value, Nonce: t.Nonce, Input: t.Input,
		Failed: t.Failed, Created: t.Created, TxID: t.TxID}
	if t.Failed {
		Fail(&out, t.Failure, t.Output)
	}
	out.Calls = callsOf(t)
	return out
}

// reverted is the interpreter's word for a contract that refused by itself.
const reverted = "execution reverted"

// maxData is how much of what a transaction reverted with is kept: as much as coco
// keeps without a trace, so that a block says the same with and without one.
const maxData = 1 << 10

// Fail says why a transaction failed: the interpreter's word and what came back.
func Fail(t *ledger.Transaction, word string, data []byte) {
	if word != "" && !strings.HasPrefix(word, reverted) { // such as out of gas
		t.RevertReason = word
		return
	}
	data = data[:min(len(data), maxData)]
	t.RevertReason = Reason(data)
	if len(data) > 0 {
		t.RevertData = data
	}
}

// callsOf are a transaction's calls: without a trace its own alone.
func callsOf(t *client.Transaction) []ledger.CallFrame {
	if !t.Traced {
		f := ledger.CallFrame{Kind: "CALL", From: t.From, Input: t.Input, Failed: t.Failed}
		if t.To != nil {
			f.To = *t.To
			return []ledger.CallFrame{f}
		}
		f.Kind, f.Code, f.Input = "CREATE", t.Input, nil
		if t.Created != nil {
			f.To = *t.Created
		}
		return []ledger.CallFrame{f}
	}
	list := make([]ledger.CallFrame, len(t.Calls))
	for i := range t.Calls {
		f := &t.Calls[i]
		list[i] = ledger.CallFrame{Depth: f.Depth, Kind: f.Type, From: f.From, To: f.To, Input: f.Input, Failed: f.Undone}
		if f.Type == "CREATE" || f.Type == "CREATE2" {
			list[i].Code, list[i].Input = f.Input, nil
		}
	}
	return list
}

// CallGas is the gas of a call that reads: as much as a transaction may use at
// most (EIP-7825). A getter without end is out of gas then, on every node alike,
// instead of out of time on one that has much to do.
const CallGas = 1 << 24

// gone are the words in which nodes other than coco's say that they have the
// block and not the state after it; away those for no such block.
var (
	gone = regexp.MustCompile(`(?i)historical state|missing trie node|state .*(not|un)available|pruned`)
	away = regexp.MustCompile(`(?i)not currently canonical|header (for hash )?not found|block not found|unknown block`)
)

// Read implements ledger.Driver.
func (c *Chain) Read(ctx context.Context, at ledger.Ref, calls []ledger.Call) ([]ledger.Result, error) {
	block := map[string]any{"blockHash": at.Hash, "requireCanonical": true}
	asked := make([]client.Request, len(calls))
	for i := range calls {
		asked[i] = client.Request{Method: "eth_call", Params: []any{
			Message{From: calls[i].From, To: &calls[i].To, Input: calls[i].Data, Gas: CallGas}, block}}
	}
	results := make([]ledger.Result, len(calls))
	err := c.Client.Retry(ctx, func(ctx context.Context) error {
		if err := c.Client.Batch(ctx, asked); err != nil {
			return err
		}
		for i := range asked {
			if slow(asked[i].Err) { // perhaps because of the others
				if err := c.Client.Batch(ctx, asked[i:i+1]); err != nil {
					return err
				}
			}
			var err error
			if results[i], err = result(&asked[i]); err != nil {
				return err
			}
		}
		return nil
	})
	var known *ledger.Reverted
	switch {
	case err == nil:
		return results, nil
	case errors.As(err, &known), errors.Is(err, ledger.ErrStateGone), errors.Is(err, ledger.ErrReplaced):
		return nil, err
	}
	return nil, Explain(err)
}

// slow reports whether a call of a batch was out of time or room.
func slow(err error) bool {
	var said *client.Error
	return errors.As(err, &said) && (said.Code == -32002 || said.Code == -32003)
}

// result is what a call gave. Its error is about all calls.
func result(r *client.Request) (ledger.Result, error) {
	var said *client.Error
	switch data, refused := client.Reverted(r.Err); {
	case r.Err == nil:
		var data hexutil.Bytes
		if err := data.UnmarshalJSON(r.Result); err != nil {
			return ledger.Result{}, ledger.ErrAnswer.From(err)
		}
		return ledger.Result{Data: data}, nil
	case refused:
		return ledger.Result{Err: &ledger.Reverted{Reason: Reason(data), Data: data}}, nil
	case client.Temporary(r.Err) || !errors.As(r.Err, &said):
		return ledger.Result{}, r.Err
	case said.Name == "STATE_UNAVAILABLE" || gone.MatchString(said.Message):
		return ledger.Result{}, ledger.ErrStateGone.From(r.Err)
	case away.MatchString(said.Message):
		return ledger.Result{}, ledger.ErrReplaced.From(r.Err)
	}
	return ledger.Result{Err: ledger.ErrCall.From(r.Err)}, nil
}

// Gas is how much a transaction is given of which a node estimates that it needs
// so much: a quarter more, because the state moves on, and not more than EIP-7825
// allows.
func Gas(estimate uint64) uint64 {
	return max(estimate, min(estimate+estimate/4+5000, 1<<24))
}

// Number reads a quantity that is a call's result.
func Number(r *client.Request) (*big.Int, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	var n hexutil.Big
	if err := n.UnmarshalJSON(r.Result); err != nil {
		return nil, ledger.ErrAnswer.From(err)
	}
	return n.ToInt(), nil
}
