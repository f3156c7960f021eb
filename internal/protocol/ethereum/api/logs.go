package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// logFilter is a filter for logs as clients write it.
type logFilter struct {
	hash      *common.Hash // one block; else the range
	from, to  blockNumber
	addresses []common.Address
	topics    [][]common.Hash
}

// UnmarshalJSON reads a filter: address is one or a list, each topic null, one,
// or a list of alternatives in which null is any.
func (f *logFilter) UnmarshalJSON(text []byte) error {
	type input struct {
		BlockHash *common.Hash
		FromBlock *blockNumber
		ToBlock   *blockNumber
		Address   alternatives[common.Address]
		Topics    []alternatives[common.Hash]
	}
	var o input
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	switch {
	case o.BlockHash != nil && (o.FromBlock != nil || o.ToBlock != nil):
		return errors.New("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
	case len(o.Topics) > 4:
		return errors.New("exceed max topics")
	case len(o.Address) > chain.MaxAlternatives:
		return errors.New("exceed max addresses or topics per search position")
	}
	f.hash, f.addresses = o.BlockHash, o.Address
	if o.FromBlock != nil {
		f.from = *o.FromBlock
	}
	if o.ToBlock != nil {
		f.to = *o.ToBlock
	}
	for _, topics := range o.Topics {
		if len(topics) > chain.MaxAlternatives {
			return errors.New("exceed max topics")
		}
		f.topics = append(f.topics, topics)
	}
	return nil
}

// alternatives is null or absent for anything, one value, or several.
type alternatives[T any] []T

// UnmarshalJSON reads any of these.
func (a *alternatives[T]) UnmarshalJSON(text []byte) error {
	*a = nil
	if text[0] != '[' {
		return a.add(text)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, one := range list {
		if string(one) == "null" {
			*a = nil
			return nil
		}
		if err := a.add(one); err != nil {
			return err
		}
	}
	return nil
}

func (a *alternatives[T]) add(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	*a = append(*a, value)
	return nil
}

// query is the filter with its blocks found.
func (f *logFilter) query(head uint64) (chain.Filter, error) {
	number := func(n blockNumber) uint64 {
		if n.exact {
			return n.number
		}
		return head
	}
	q := chain.Filter{From: number(f.from), To: number(f.to), Addresses: f.addresses, Topics: f.topics}
	switch {
	case f.from.pending || f.to.pending:
		return q, jsonrpc.InvalidParams("pending logs are not supported")
	case q.From > q.To:
		return q, jsonrpc.InvalidParams("invalid block range params")
	case q.To > head:
		return q, jsonrpc.InvalidParams("block range extends beyond current head block")
	}
	return q, nil
}

func (a *API) logs(ctx context.Context, _ *caller.Caller, p *struct{ Filter logFilter }) (any, error) {
	return a.logsOf(ctx, p.Filter)
}

// logsOf answers a filter, which may have come with another method.
func (a *API) logsOf(ctx context.Context, f logFilter) (any, error) {
	if f.hash != nil {
		b, err := found(a.Chain.ByHash(ctx, *f.hash))
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, jsonrpc.Errorf("unknown block")
		}
		n := blockNumber{exact: true, number: b.Number()}
		f.from, f.to = n, n
	}
	q, err := f.query(a.Chain.Number())
	if err != nil {
		return nil, err
	}
	logs, err := a.Chain.Logs(ctx, q)
	if wide := (*chain.TooWide)(nil); errors.As(err, &wide) {
		return nil, tooWide(wide)
	}
	return logsShape(logs), err
}

// pageShape tells a program which part of its query can be answered.
type pageShape struct {
	Code problem.Code   `json:"code"`
	Next string         `json:"next"`
	From hexutil.Uint64 `json:"from"`
	To   hexutil.Uint64 `json:"to"`
}

// tooWide says which limit a query met and how to page, in the words by which
// indexers find the blocks in the message.
func tooWide(e *chain.TooWide) error {
	from, to := hexutil.Uint64(e.From), hexutil.Uint64(e.To)
	return &jsonrpc.Error{Code: jsonrpc.CodeLimit,
		Message: fmt.Sprintf("query %s. Try with this block range [%v, %v].", e.Limit, from, to),
		Data:    pageShape{chain.ErrTooWide.Code, fmt.Sprintf("retry with toBlock %v, then go on with fromBlock %v", to, to+1), from, to},
	}
}
