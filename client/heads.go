package client

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// Head is the beginning of a block.
type Head struct {
	Number uint64
	Hash   common.Hash
	Parent common.Hash
	Time   time.Time
}

func (s *cursor) head() Head {
	b := s.block()
	return Head{b.Number, b.Hash, b.Parent, b.Time}
}

// Head is the newest block's.
func (c *Client) Head(ctx context.Context) (Head, error) {
	h, err := c.headAt(ctx, "latest")
	if err == nil {
		c.heard(h.Number)
	}
	return h, err
}

// HeadAt is the head of the block of a number. ErrNoBlock: there is none.
func (c *Client) HeadAt(ctx context.Context, number uint64) (Head, error) {
	return c.headAt(ctx, hexutil.Uint64(number))
}

func (c *Client) headAt(ctx context.Context, name any) (h Head, err error) {
	err = c.Retry(ctx, func(ctx context.Context) error {
		none := false
		err := c.read(ctx, func(s *cursor) {
			if none = s.null(); !none {
				h = s.head()
			}
		}, "eth_getBlockByNumber", name, false)
		if none {
			return ErrNoBlock
		}
		return err
	})
	return h, err
}

const (
	firstPause  = 250 * time.Millisecond
	longPause   = 15 * time.Second // between two attempts to connect
	headsAtOnce = 256
)

// Heads calls each for every block from a number on, in order, each once, until
// ctx ends or each gives an error. It connects again by itself, to go on where it
// was, and asks at intervals where there are no subscriptions. It is for ledgers
// that are final.
func (c *Client) Heads(ctx context.Context, from uint64, each func(Head) error) error {
	next := from
	tell := func(h Head) error {
		if h.Number > next { // what a subscription leaves out
			if err := c.pastHeads(ctx, &next, h.Number, each); err != nil {
				return err
			}
		}
		if h.Number != next {
			return nil
		}
		next++
		return ended(each(h))
	}
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		began := next
		err := c.pastHeads(ctx, &next, 0, each)
		if err == nil {
			err = c.listen(ctx, []any{"newHeads", map[string]any{"fromBlock": hexutil.Uint64(next)}}, func() error { return nil },
				func(text []byte) error {
					s := &cursor{text: text}
					h := s.head()
					if s.err != nil {
						return ErrAnswer.From(s.err)
					}
					return tell(h)
				})
		}
		var end *endError
		if errors.As(err, &end) {
			return end.error
		}
		if next > began {
			pause = firstPause
		}
		// What cannot be subscribed to is asked for.
		for until := time.Now().Add(pause); ctx.Err() == nil && time.Now().Before(until); {
			if wait(ctx, c.options.Poll) == nil {
				if err := c.pastHeads(ctx, &next, 0, each); errors.As(err, &end) {
					return end.error
				}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// endError is the error with which whoever is told ends the telling.
type endError struct{ error }

func ended(err error) error {
	if err == nil {
		return nil
	}
	return &endError{err}
}

// pastHeads tells of the blocks from next to before end, or to the head when end
// is 0.
func (c *Client) pastHeads(ctx context.Context, next *uint64, end uint64, each func(Head) error) error {
	if end == 0 {
		head, err := c.BlockNumber(ctx)
		if err != nil {
			return err
		}
		end = head + 1
	}
	for *next < end {
		calls := make([]Request, min(headsAtOnce, end-*next))
		for i := range calls {
			calls[i] = Request{Method: "eth_getHeaderByNumber", Params: []any{hexutil.Uint64(*next + uint64(i))}}
		}
		if err := c.Batch(ctx, calls); err != nil {
			return err
		}
		for i := range calls {
			var h Head
			if err := calls[i].decode(func(s *cursor) { h = s.head() }); err != nil {
				return err
			}
			if h.Number != *next {
				return ErrAnswer.From(errors.New("another block than was asked for"))
			}
			*next++
			if err := each(h); err != nil {
				return ended(err)
			}
		}
	}
	return nil
}

// Watch calls changed at once, and then whenever the head may be another one, one
// call at a time, until ctx ends. Whoever looks at the head after each call misses
// nothing: after a lost connection, and when one has been silent for two seconds, it
// is called too. It works with nodes of every kind.
func (c *Client) Watch(ctx context.Context, changed func()) error {
	tell := func() error {
		changed()
		return ctx.Err()
	}
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		opened := false
		c.listen(ctx, []any{"newHeads"}, func() error {
			opened = true
			return tell()
		}, func(text []byte) error {
			if text != nil {
				s := &cursor{text: text}
				if h := s.head(); s.err == nil {
					c.heard(h.Number)
				}
			}
			return tell()
		})
		if opened {
			pause = firstPause
		}
		if err := c.poll(ctx, pause, tell); err != nil {
			return err
		}
	}
}

// poll looks at the head for a while.
func (c *Client) poll(ctx context.Context, d time.Duration, tell func() error) error {
	var last common.Hash
	for until := time.Now().Add(d); ; {
		var h Head
		err := c.read(ctx, func(s *cursor) { h = s.head() }, "eth_getBlockByNumber", "latest", false)
		if err == nil && h.Hash != last {
			last = h.Hash
			c.heard(h.Number)
			if err := tell(); err != nil {
				return err
			}
		}
		if err := wait(ctx, c.options.Poll); err != nil {
			return err
		}
		if time.Now().After(until) {
			return nil
		}
	}
}
