package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// Want says what Blocks finds out besides what receipts tell.
type Want struct {
	Traces bool // the calls inside transactions, where the node still can tell them
	TxIDs  bool // coco's names of transactions, and why they failed; of a node of coco only
}

// How much one batch of Blocks asks for: bytes of answers aimed at, blocks at most,
// and blocks while nothing is known of their size.
const (
	aimedBytes  = 4 << 20
	mostBlocks  = 300
	firstBlocks = 32
)

// Blocks gives blocks from a number on, complete and in order, at most limit of
// them and about 4 MiB of what the node answers: fewer than there are, when they
// are large or many. Each is the next one's parent. There are none when from is beyond
// the head. What is wrong with a later block shows when it is asked for first.
//
// A transaction is not Traced when the node no longer keeps the state that a trace
// needs, keeps no traces, or cannot trace it for a reason that stays.
func (c *Client) Blocks(ctx context.Context, from uint64, limit int, want Want) (list []Block, err error) {
	n := c.span(from, limit)
	for n > 0 {
		err = c.Retry(ctx, func(ctx context.Context) error {
			if want.Traces && want.TxIDs {
				list, err = c.askPlain(ctx, from, n)
			} else {
				list, err = c.ask(ctx, from, n, want)
			}
			return err
		})
		if err == nil || n == 1 || !heavy(err) {
			break
		}
		n = max(1, n/4)
	}
	if err == nil && want.TxIDs {
		err = c.Retry(ctx, func(ctx context.Context) error { return c.name(ctx, list) })
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// span is how many blocks to ask for.
func (c *Client) span(from uint64, limit int) int {
	n := min(limit, mostBlocks)
	if head := c.head.Load(); head < from {
		n = min(n, 1)
	} else if more := head - from + 1; more < uint64(n) {
		n = int(more)
	}
	if size := c.blocks.Load(); size > 0 {
		return min(n, max(1, int(aimedBytes/size)))
	}
	return min(n, firstBlocks)
}

// heavy reports whether an answer was too much to give or to take.
func heavy(err error) bool {
	var e *Error
	return errors.Is(err, ErrTooLarge) || errors.As(err, &e) && (e.Code == codeTooLarge || e.Code == codeTimeout)
}

// blockCalls are the calls that tell of one block: what a trace says of a
// transaction includes what is wanted of its receipt, so one of both is asked for.
type blockCalls struct{ block, outcome *Request }

var callTracer = map[string]string{"tracer": "callTracer"}

// ask asks for n blocks in one batch.
func (c *Client) ask(ctx context.Context, from uint64, n int, want Want) ([]Block, error) {
	calls := make([]Request, 0, 2*n+1)
	of := make([]blockCalls, n)
	add := func(method string, params ...any) *Request {
		calls = append(calls, Request{Method: method, Params: params})
		return &calls[len(calls)-1]
	}
	for i := range of {
		number := hexutil.Uint64(from + uint64(i))
		of[i].block = add("eth_getBlockByNumber", number, true)
		if want.Traces {
			of[i].outcome = add("debug_traceBlockByNumber", number, callTracer)
		} else {
			of[i].outcome = add("eth_getBlockReceipts", number)
		}
	}
	behind := c.head.Load() < from+uint64(n)
	if behind {
		add("eth_blockNumber")
	}
	err := c.Batch(ctx, calls)
	if err != nil && (n > 1 || !heavy(err)) {
		return nil, err
	}
	if err != nil { // one block alone: perhaps its parts
		for i := range calls {
			calls[i].Err = c.one(ctx, &calls[i])
		}
	}
	if behind {
		calls[len(calls)-1].decode(func(s *cursor) { c.heard(s.quantity()) })
	}
	var list []Block
	bytes := 0
	for i := range of {
		b, err := of[i].block.block(from + uint64(i))
		if err == nil && b != nil {
			if want.Traces {
				err = c.follow(ctx, b, of[i].outcome, i == 0)
			} else {
				err = b.settle(of[i].outcome)
			}
		}
		if err != nil && i == 0 {
			return nil, err
		}
		if err != nil || b == nil || i > 0 && b.Parent != list[i-1].Hash {
			break // it is asked for again, as the first one
		}
		bytes += len(of[i].block.Result) + len(of[i].outcome.Result)
		list = append(list, *b)
	}
	if len(list) > 0 {
		c.blocks.Store(uint64(bytes/len(list)) + 1)
	}
	return c.settle(ctx, list, want)
}

// settle adds the receipts of blocks that could not be traced whole, and gives the
// blocks that are complete.
func (c *Client) settle(ctx context.Context, list []Block, want Want) ([]Block, error) {
	var calls []Request
	var of []int
	for i := range list {
		if want.Traces && !list[i].traced() {
			of = append(of, i)
			calls = append(calls, Request{Method: "eth_getBlockReceipts", Params: []any{hexutil.Uint64(list[i].Number)}})
		}
	}
	if err := c.Batch(ctx, calls); err != nil {
		return nil, err
	}
	for j, i := range of {
		if err := list[i].settle(&calls[j]); err != nil && i == 0 {
			return nil, err
		} else if err != nil {
			return list[:i], nil
		}
	}
	return list, nil
}

func (b *Block) traced() bool {
	for i := range b.Transactions {
		if !b.Transactions[i].Traced {
			return false
		}
	}
	return true
}

// block reads a block itself. It is nil when there is none.
func (r *Request) block(number uint64) (b *Block, err error) {
	err = r.decode(func(s *cursor) {
		if !s.null() {
			got := s.block()
			b = &got
		}
	})
	if err != nil || b == nil {
		return nil, err
	}
	if b.Number != number {
		return nil, ErrAnswer.From(fmt.Errorf("block %d was asked for and %d came", number, b.Number))
	}
	return b, nil
}

// settle adds the receipts.
func (b *Block) settle(r *Request) error {
	var list []receipt
	if err := r.decode(func(s *cursor) {
		if !s.null() {
			list = s.receipts()
		}
	}); err != nil {
		return err
	}
	if err := b.add(list); err != nil {
		return replaced.From(fmt.Errorf("block %d: %w", b.Number, err))
	}
	return nil
}

// replaced is a block whose parts are of different blocks, as when another one took
// its place between two calls: it is worth asking again.
var replaced = ErrUnreachable

// follow adds the traces of a block. Of the first that is asked for it also tries
// what takes longer.
func (c *Client) follow(ctx context.Context, b *Block, r *Request, first bool) error {
	if len(b.Transactions) == 0 {
		return nil
	}
	var list []trace
	err := r.decode(func(s *cursor) { list = s.traces() })
	if err == nil {
		if err = b.follow(list); err != nil {
			err = replaced.From(fmt.Errorf("block %d: %w", b.Number, err))
		}
	}
	var said *Error
	switch {
	case !errors.As(err, &said) || Temporary(err) || !first:
		return err
	case gone(said):
		return nil
	}
	return c.followEach(ctx, b)
}

// pruned is how nodes other than coco's say that they do not have the state of
// which a trace begins.
var pruned = regexp.MustCompile(`(?i)historical state|missing trie node|state .*(not|un)available|pruned|not traceable`)

// gone reports whether a node will not trace a whole block, ever.
func gone(e *Error) bool {
	return e.Code == codeMethod || e.Name == "STATE_UNAVAILABLE" || e.Name == "" && pruned.MatchString(e.Message)
}

// followEach traces the transactions of a block one by one, so that one whose
// trace is too large, or does not come out, does not hide those of the others.
func (c *Client) followEach(ctx context.Context, b *Block) error {
	for i := range b.Transactions {
		t := &b.Transactions[i]
		err := c.followOne(ctx, t)
		var said *Error
		switch {
		case err == nil:
		case !errors.As(err, &said) || Temporary(err):
			return err
		case gone(said):
			return nil
		}
	}
	return nil
}

// followOne traces one transaction. An error without a name may be that of a node
// that is about to end, so it must be the same for as long as the client is patient.
func (c *Client) followOne(ctx context.Context, t *Transaction) error {
	for end := time.Now().Add(c.options.Patience); ; {
		err := c.Retry(ctx, func(ctx context.Context) error {
			return c.read(ctx, func(s *cursor) {
				if calls := s.calls(); calls != nil {
					t.follow(calls)
				}
			}, "debug_traceTransaction", t.Hash, callTracer)
		})
		var said *Error
		if !errors.As(err, &said) || said.Name != "" || heavy(err) || gone(said) || time.Now().After(end) {
			return err
		}
		if err := wait(ctx, c.options.Patience/4); err != nil {
			return err
		}
	}
}
