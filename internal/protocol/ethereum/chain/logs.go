package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// Limits of one question for logs. A block whose logs alone are more than an
// answer holds is answered whole, so that every block can be asked for.
const (
	// MaxLogs is the most logs that one answer holds.
	MaxLogs = 10_000
	// MaxLogBytes is about how many bytes they take in JSON, at most.
	MaxLogBytes = 16 << 20
	// MaxScan is the most blocks that are read for one question, when neither
	// index nor tail narrows it down.
	MaxScan = 1000
	// MaxAlternatives is the most addresses, and the most topics at one place,
	// that a filter may name; as geth's.
	MaxAlternatives = 1000
)

// limits are those constants, smaller ones in tests.
type limits struct {
	logs, bytes  int
	scan, behind uint64
	behindBytes  uint64
}

// ErrTooWide says that a question for logs has too large an answer.
var ErrTooWide = problem.New("LOGS_TOO_WIDE", "the filter covers too many blocks or logs",
	"narrow the block range, or name addresses or topics")

// TooWide is the ErrTooWide of a question whose beginning can be answered: the
// same filter from block From to block To.
type TooWide struct {
	Limit    string // which limit was reached, as what follows "the query "
	From, To uint64
}

// Error names the limit and the blocks.
func (e *TooWide) Error() string {
	return fmt.Sprintf("%v: it %s; blocks %d to %d can be asked for", ErrTooWide, e.Limit, e.From, e.To)
}

// Unwrap is ErrTooWide.
func (e *TooWide) Unwrap() error { return ErrTooWide }

// Filter asks for logs in a range of blocks, both ends included. Addresses and
// each list of topics are alternatives; an empty list lets everything pass.
type Filter struct {
	From, To  uint64
	Addresses []common.Address
	Topics    [][]common.Hash
}

// narrow reports whether the filter names anything that the index knows.
func (f *Filter) narrow() bool {
	return len(f.Addresses) > 0 || slices.ContainsFunc(f.Topics, func(topics []common.Hash) bool { return len(topics) > 0 })
}

// Logs gives the logs that pass a filter, in their order: all of them, or an
// error. A range beyond the head ends at the head. The errors are *TooWide, with
// which come all the logs up to its block To, ErrTooWide, history.ErrBehind, or of
// reading. A deadline of ctx that comes too soon is a *TooWide as long as
// something was found out.
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
	a := newAnswer(ctx, &f, c.limits)
	err := c.older(a, recent[0].Number())
	for _, b := range recent {
		if number := b.Number(); err == nil && number >= f.From && number <= f.To {
			err = a.addRecent(b)
		}
	}
	err = a.explain(err)
	if wide := (*TooWide)(nil); errors.As(err, &wide) {
		return a.until(wide.To), err
	} else if err != nil {
		return nil, err
	}
	return a.logs, nil
}

// older answers for the blocks below the tail, which begins at first: those that
// the index names, then those that it does not hold.
func (c *Chain) older(a *answer, first uint64) error {
	if a.f.From >= first || a.f.From > a.f.To {
		return nil
	}
	from, end := a.f.From, first
	if a.f.To < first {
		end = a.f.To + 1
	}
	narrow := a.f.narrow()
	if narrow {
		next := min(c.next(), end)
		if end-max(from, next) > c.limits.behind {
			return c.behind()
		}
		if from < next {
			if err := c.named(a, from, next-1); err != nil {
				return err
			}
			from = next
		}
	}
	for ; from < end; from++ {
		if most := c.limits.scan; !narrow && from-a.f.From == most {
			return &TooWide{fmt.Sprintf("reads more than %d blocks, which needs addresses or topics", most), a.f.From, from - 1}
		}
		if err := c.addOlder(a, from); err != nil {
			return err
		}
	}
	return nil
}

// named answers for the blocks in which the index names a log.
func (c *Chain) named(a *answer, from, to uint64) error {
	groups := c.groups(a.f, to)
	for s := (spot{height: from}); ; {
		at, ok, err := meet(groups, s, a.reached)
		if !ok || err != nil {
			return err
		}
		if err := c.addOlder(a, at.height); err != nil {
			return err
		}
		s = spot{height: at.height + 1}
	}
}

func (c *Chain) addOlder(a *answer, height uint64) error {
	if err := a.reached(height); err != nil {
		return err
	}
	b, err := c.read(a.ctx, height)
	if err != nil {
		return err
	}
	return a.add(b)
}

// addRecent answers for a block of the tail, which may have to be decoded first.
func (a *answer) addRecent(b *ethereum.LazyBlock) error {
	if err := a.reached(b.Number()); err != nil {
		return err
	}
	whole, err := b.Block()
	if err != nil {
		return err
	}
	return a.add(whole)
}

// answer is an answer in the making.
type answer struct {
	ctx    context.Context
	f      *Filter
	match  *Matcher
	limits limits
	logs   []*types.Log
	bytes  int
	at     uint64    // blocks below are answered
	half   time.Time // when half of the time is over, zero when there is no limit
	atHalf uint64    // what at was then
}

func newAnswer(ctx context.Context, f *Filter, l limits) *answer {
	a := &answer{ctx: ctx, f: f, match: f.Matcher(), limits: l, at: f.From, atHalf: f.From}
	if deadline, ok := ctx.Deadline(); ok {
		now := time.Now()
		a.half = now.Add(deadline.Sub(now) / 2)
	}
	return a
}

// reached notes that the blocks below a height are answered, and ends the work
// when its time is over.
func (a *answer) reached(height uint64) error {
	a.at = max(a.at, height)
	if time.Now().Before(a.half) {
		a.atHalf = a.at
	}
	return a.ctx.Err()
}

// add takes the logs of a block that pass.
func (a *answer) add(b *ethereum.Block) error {
	before := len(a.logs)
	for _, r := range b.Receipts {
		for _, l := range r.Logs {
			if a.match.Matches(l) {
				a.logs = append(a.logs, l)
				a.bytes += 600 + 70*len(l.Topics) + 2*len(l.Data)
			}
		}
	}
	if before == 0 || before == len(a.logs) {
		return nil
	}
	e := &TooWide{From: a.f.From, To: b.Number() - 1}
	switch {
	case len(a.logs) > a.limits.logs:
		e.Limit = fmt.Sprintf("returned more than %d results", a.limits.logs)
	case a.bytes > a.limits.bytes:
		e.Limit = fmt.Sprintf("returned more than %d MiB of results", a.limits.bytes>>20)
	default:
		return nil
	}
	return e
}

// until is the logs up to a block.
func (a *answer) until(block uint64) []*types.Log {
	for i, l := range a.logs {
		if l.BlockNumber > block {
			return a.logs[:i:i]
		}
	}
	return a.logs
}

// explain turns an end by time into a *TooWide. It proposes what was answered in
// half of the time, so that asking for that succeeds.
func (a *answer) explain(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || a.at == a.f.From {
		return err
	}
	to := a.atHalf
	if to == a.f.From {
		to = a.at
	}
	return &TooWide{"took too long", a.f.From, to - 1}
}
