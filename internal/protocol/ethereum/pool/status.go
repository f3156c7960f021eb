package pool

import (
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Status is what the pool can say of a transaction hash.
type Status struct {
	Pending bool            // admitted, and not known to have ended
	TxID    *sequencer.TxID // once it was executed
	Refused error           // why it was not committed, for ten minutes
}

// Status gives what is known of a hash; the zero Status is nothing.
func (p *Pool) Status(hash common.Hash) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
	if e := p.entry(hash); e != nil {
		s := Status{Pending: true}
		if e.ticket != nil {
			if id, ok := e.ticket.TxID(); ok {
				s.TxID = &id
			}
		}
		return s
	}
	return Status{Refused: p.refusals.of[hash].why}
}

// refusals remembers why transactions were refused, in bounds of number and time.
type refusals struct {
	of       map[common.Hash]refusal
	order    []refused // oldest first; also some that were forgotten
	most     int
	remember time.Duration
}

type refusal struct {
	why error
	at  time.Time
}

type refused struct {
	hash common.Hash
	at   time.Time
}

func (r *refusals) add(hash common.Hash, why error, now time.Time) {
	r.of[hash] = refusal{why, now}
	r.order = append(r.order, refused{hash, now})
	for len(r.order) > r.most {
		r.drop()
	}
}

func (r *refusals) forget(hash common.Hash) { delete(r.of, hash) }

func (r *refusals) expire(now time.Time) {
	for len(r.order) > 0 && now.Sub(r.order[0].at) >= r.remember {
		r.drop()
	}
}

// drop forgets the oldest.
func (r *refusals) drop() {
	oldest := r.order[0]
	r.order = r.order[1:]
	if r.of[oldest.hash].at.Equal(oldest.at) {
		delete(r.of, oldest.hash)
	}
}

// Reason is what "refused: reason" says of an error to anybody who has the hash.
func Reason(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.What
	}
	return "internal error"
}
