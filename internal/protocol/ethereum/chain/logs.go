package chain

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// Limits of one question for logs.
const (
	// MaxLogs is the most logs that one answer holds.
	MaxLogs = 10_000
	// MaxScan is the most blocks that are read for one question, when neither
	// index nor tail narrows it down.
	MaxScan = 1000
	// MaxAlternatives is the most addresses, and the most topics at one place,
	// that a filter may name.
	MaxAlternatives = 256
	// maxFound is the most occurrences of one term that are looked at.
	maxFound = 100_000
)

// ErrTooWide says that a question for logs has too large an answer.
var ErrTooWide = problem.New("LOGS_TOO_WIDE", "the filter covers too many blocks or logs",
	"narrow the block range, or name addresses or topics")

// Filter asks for logs in a range of blocks, both ends included. Addresses and
// each list of topics are alternatives; an empty list lets everything pass.
type Filter struct {
	From, To  uint64
	Addresses []common.Address
	Topics    [][]common.Hash
}

// Matches reports whether a log passes, whatever its block.
func (f *Filter) Matches(l *types.Log) bool {
	if len(f.Addresses) > 0 && !slices.Contains(f.Addresses, l.Address) || len(f.Topics) > len(l.Topics) {
		return false
	}
	for i, topics := range f.Topics {
		if len(topics) > 0 && !slices.Contains(topics, l.Topics[i]) {
			return false
		}
	}
	return true
}

// Logs gives the logs that pass a filter, in their order. A range beyond the
// head ends at the head. The errors are ErrTooWide and ErrIndexing, or of reading.
func (c *Chain) Logs(ctx context.Context, f Filter) ([]*types.Log, error) {
	if len(f.Topics) > 4 {
		return nil, nil
	}
	for _, topics := range f.Topics {
		if len(topics) > MaxAlternatives {
			return nil, ErrTooWide
		}
	}
	if len(f.Addresses) > MaxAlternatives {
		return nil, ErrTooWide
	}
	c.mu.RLock()
	recent := slices.Clone(c.tail.list)
	c.mu.RUnlock()
	first := recent[0].Number()
	var logs []*types.Log
	if f.From < first && f.From <= f.To {
		heights, err := c.candidates(&f, f.From, min(f.To, first-1), first)
		if err != nil {
			return nil, err
		}
		for _, height := range heights {
			b, err := c.read(ctx, height)
			if err != nil {
				return nil, err
			}
			if logs = f.collect(logs, b); len(logs) > MaxLogs {
				return nil, ErrTooWide
			}
		}
	}
	for _, b := range recent {
		if number := b.Number(); number >= f.From && number <= f.To {
			if logs = f.collect(logs, b); len(logs) > MaxLogs {
				return nil, ErrTooWide
			}
		}
	}
	return logs, nil
}

func (f *Filter) collect(logs []*types.Log, b *ethereum.Block) []*types.Log {
	for _, r := range b.Receipts {
		for _, l := range r.Logs {
			if f.Matches(l) {
				logs = append(logs, l)
			}
		}
	}
	return logs
}

// candidates gives the heights of the blocks below the tail that may have logs
// for the filter, in order: those that the index names, and those that the index
// does not hold.
func (c *Chain) candidates(f *Filter, from, to, first uint64) ([]uint64, error) {
	next, err := c.unindexed(first)
	if err != nil {
		return nil, err
	}
	var heights []uint64
	scan := from // blocks from here on are read one by one
	if groups := f.groups(); len(groups) > 0 && from < next {
		indexed := min(to, next-1)
		if heights, err = c.indexed(groups, from, indexed); err != nil {
			return nil, err
		}
		scan = indexed + 1
	}
	if scan <= to && to-scan >= MaxScan || len(heights) > MaxLogs {
		return nil, ErrTooWide
	}
	for ; scan <= to; scan++ {
		heights = append(heights, scan)
	}
	return heights, nil
}

// groups are the terms of the filter; a log has one term of each group.
func (f *Filter) groups() (groups [][][]byte) {
	if len(f.Addresses) > 0 {
		var terms [][]byte
		for _, address := range f.Addresses {
			terms = append(terms, addressTerm(address))
		}
		groups = append(groups, terms)
	}
	for i, topics := range f.Topics {
		if len(topics) > 0 {
			var terms [][]byte
			for _, topic := range topics {
				terms = append(terms, topicTerm(i, topic))
			}
			groups = append(groups, terms)
		}
	}
	return groups
}

// spot is where a log stands.
type spot struct {
	height   uint64
	position uint32
}

// indexed gives the heights at which logs have a term of every group. A group
// with too many occurrences does not count; at least one must.
func (c *Chain) indexed(groups [][][]byte, from, to uint64) ([]uint64, error) {
	var shared map[spot]bool
	for _, terms := range groups {
		spots, ok, err := c.spots(terms, from, to)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if shared != nil {
			for s := range spots {
				if !shared[s] {
					delete(spots, s)
				}
			}
		}
		shared = spots
	}
	if shared == nil {
		return nil, ErrTooWide
	}
	heights := make([]uint64, 0, len(shared))
	for s := range shared {
		heights = append(heights, s.height)
	}
	slices.Sort(heights)
	return slices.Compact(heights), nil
}

// spots gives where any of the terms occurs; ok is false if they are too many.
func (c *Chain) spots(terms [][]byte, from, to uint64) (spots map[spot]bool, ok bool, err error) {
	spots = make(map[spot]bool)
	for _, term := range terms {
		found, err := c.index.Find(term, from, to, maxFound+1, false)
		if err != nil {
			return nil, false, err
		}
		if len(spots)+len(found) > maxFound {
			return nil, false, nil
		}
		for _, o := range found {
			spots[spot{o.Height, o.Position}] = true
		}
	}
	return spots, true, nil
}
