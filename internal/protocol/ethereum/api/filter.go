package api

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// registerFilters adds filters that clients poll. A filter is a place in the
// chain: a poll answers with what was committed from there on. So events take no
// memory, however seldom a client polls, and none is lost; what is too much for
// one answer comes with the next.
func (a *API) registerFilters(d *jsonrpc.Dispatcher) {
	heavy, logs := jsonrpc.Heavy, jsonrpc.Within(logsTime)
	jsonrpc.Handle(d, "eth_newFilter", a.newFilter, jsonrpc.Prompt)
	jsonrpc.Handle(d, "eth_newBlockFilter", a.newBlockFilter, jsonrpc.Prompt)
	jsonrpc.Handle(d, "eth_newPendingTransactionFilter", a.newPendingFilter, jsonrpc.Prompt)
	jsonrpc.Handle(d, "eth_getFilterChanges", a.filterChanges, heavy, logs)
	jsonrpc.Handle(d, "eth_getFilterLogs", a.filterLogs, heavy, logs)
	jsonrpc.Handle(d, "eth_uninstallFilter", a.uninstallFilter, jsonrpc.Prompt)
}

// Limits of the answer to one poll.
const (
	pollHashes = 10_000
	pollBytes  = 8 << 20 // of logs in JSON, about; a single log is always answered
)

func (a *API) newFilter(_ context.Context, c *caller.Caller, p *struct{ Filter logFilter }) (any, error) {
	from, to, err := p.Filter.future(a.Chain.Number() + 1)
	if err != nil {
		return nil, err
	}
	return a.filters.add(&filter{owner: c.String(), kind: logFilters, logs: p.Filter, place: place{next: from}, to: to}, a.Now())
}

func (a *API) newBlockFilter(_ context.Context, c *caller.Caller, _ *none) (any, error) {
	return a.filters.add(&filter{owner: c.String(), kind: blockFilters, place: place{next: a.Chain.Number() + 1}, to: forever}, a.Now())
}

// newPendingFilter makes a filter that never has anything: transactions are told
// of when they are committed.
func (a *API) newPendingFilter(_ context.Context, c *caller.Caller, _ *struct {
	Full bool `rpc:"optional"`
}) (any, error) {
	return a.filters.add(&filter{owner: c.String(), kind: pendingFilters}, a.Now())
}

var errNoFilter = jsonrpc.Errorf("filter not found")

// polled is the answer to a poll. Once it is answered the filter goes on after it;
// until then no other poll does.
type polled struct {
	jsonrpc.Appender
	filter *filter
	place  place // after it
}

// Settle implements jsonrpc.Settler.
func (p *polled) Settle(answered bool) {
	if answered {
		p.filter.place = p.place
	}
	p.filter.mu.Unlock()
}

func (a *API) filterChanges(ctx context.Context, c *caller.Caller, p *struct{ ID jsonrpc.ID }) (any, error) {
	f := a.filters.get(p.ID, c.String(), a.Now())
	if f == nil {
		return nil, errNoFilter
	}
	if f.kind == pendingFilters || !f.mu.TryLock() { // another poll is at work and answers with what there is
		return logsShape{}, nil
	}
	answer, kept := &polled{filter: f, place: f.place}, false
	defer func() {
		if !kept {
			f.mu.Unlock() // with nothing lost: the filter stays where it is
		}
	}()
	var err error
	if f.kind == blockFilters {
		answer.Appender, err = a.newBlocks(ctx, &answer.place)
	} else {
		answer.Appender, err = a.newLogs(ctx, f, &answer.place, pollBytes)
	}
	if err != nil {
		return nil, err
	}
	kept = true // until it is settled
	return answer, nil
}

// newBlocks are the hashes of the blocks from a place on, which it moves.
func (a *API) newBlocks(ctx context.Context, p *place) (hashesShape, error) {
	hashes := []common.Hash{}
	for head := a.Chain.Number(); p.next <= head && len(hashes) < pollHashes && ctx.Err() == nil; p.next++ {
		hash, err := a.Chain.Hash(p.next)
		if err != nil && len(hashes) == 0 {
			return nil, err
		} else if err != nil {
			break
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// newLogs are a filter's logs from a place on, which it moves: all, or as many as
// fit into about so many bytes.
func (a *API) newLogs(ctx context.Context, f *filter, p *place, most int) (logsShape, error) {
	q := chain.Filter{From: p.next, To: min(f.to, a.Chain.Number()), Addresses: f.logs.addresses, Topics: f.logs.topics}
	if q.From > q.To {
		return logsShape{}, nil
	}
	logs, err := a.Chain.Logs(ctx, q)
	if wide := (*chain.TooWide)(nil); errors.As(err, &wide) {
		q.To = wide.To // the next poll goes on there
	} else if err != nil {
		return nil, err
	}
	for len(logs) > 0 && logs[0].BlockNumber == p.next && logs[0].Index < p.index {
		logs = logs[1:]
	}
	*p = place{next: q.To + 1}
	bytes := 0
	for i, l := range logs {
		if bytes += logBytes(l); bytes > most && i > 0 {
			*p = place{l.BlockNumber, l.Index}
			return logsShape(logs[:i]), nil
		}
	}
	return logsShape(logs), nil
}

// logBytes is about the length of a log in JSON.
func logBytes(l *types.Log) int { return 500 + 70*len(l.Topics) + 2*len(l.Data) }

// filterLogs answers as eth_getLogs does, whatever was polled.
func (a *API) filterLogs(ctx context.Context, c *caller.Caller, p *struct{ ID jsonrpc.ID }) (any, error) {
	f := a.filters.get(p.ID, c.String(), a.Now())
	if f == nil || f.kind != logFilters {
		return nil, errNoFilter
	}
	return a.logsOf(ctx, f.logs)
}

func (a *API) uninstallFilter(_ context.Context, c *caller.Caller, p *struct{ ID jsonrpc.ID }) (any, error) {
	return a.filters.remove(p.ID, c.String(), a.Now()), nil
}

// forever is beyond every block.
const forever = 1<<64 - 1

// future is the blocks that a filter is for of those from the first on, which are
// yet to come unless its client wants some that have been.
func (f *logFilter) future(first uint64) (from, to uint64, err error) {
	from, to = first, forever
	if f.to.exact {
		to = f.to.number
	}
	switch {
	case f.from.pending || f.to.pending:
		return 0, 0, jsonrpc.InvalidParams("pending logs are not supported")
	case !f.from.exact && f.to.exact, f.from.exact && f.from.number > to:
		return 0, 0, jsonrpc.InvalidParams("invalid block range params")
	case f.from.exact:
		from = max(from, f.from.number)
	}
	if f.hash != nil {
		to = 0 // that block has been
	}
	return from, to, nil
}
