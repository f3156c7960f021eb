package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// next is the nonce after everything that is signed or that the ledger has. Of a
// ledger that replaces blocks it is asked when everything was taken in: else an
// action may seem settled that lost its block and holds a nonce that looks free.
func (l *lane) next(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	n, ok := l.nonces[l.person]
	l.mu.Unlock()
	if ok {
		return n, nil
	}
	n, err := l.driver.NextNonce(ctx, l.from)
	if err != nil {
		return 0, err
	}
	if level, err := l.level(ctx); err != nil {
		return 0, err
	} else if !level {
		return 0, &blocked{}
	}
	pending, err := l.Store.Pending(ctx, l.id)
	if err != nil {
		return 0, stored(err)
	}
	for i := range pending {
		for _, signed := range pending[i].Signed {
			if pending[i].PersonID == l.person {
				n = max(n, signed.Nonce+1)
			}
		}
	}
	return n, nil
}

// release notes that an action's transactions can never take effect. The next nonce
// is asked for again.
func (l *lane) release(p *offchain.Pending) {
	delete(l.live, p.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nonces, l.person)
	l.memory(p.ID).lost = true
}

// lost says whether what was signed for an action can never take effect: a block
// that will never be replaced and was taken in used its nonces, and the action is
// in none until there. An action is signed anew only then, because a nonce that a
// block used is free again when a reorganisation replaces the block: the action would
// happen twice.
func (l *lane) lost(ctx context.Context, p *offchain.Pending) (bool, error) {
	cursor, err := l.Store.Cursor(ctx, l.id)
	if err != nil || cursor.Next == 0 {
		return false, stored(err)
	}
	next, at, err := l.driver.FinalNonce(ctx, l.from, cursor.Next-1)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(p.Signed, func(s offchain.SignedRow) bool { return s.Nonce >= next }) {
		return false, nil
	}
	b, err := l.Store.BlockByNumber(ctx, l.id, at.Number)
	if errors.Is(err, offchain.ErrNotFound) || err == nil && b.Hash != at.Hash {
		return false, nil // what was taken in is not that chain yet
	}
	if err != nil {
		return false, stored(err)
	}
	a, err := l.Store.Action(ctx, p.ID)
	return err == nil && a.Status < offchain.StatusCommitted, stored(err)
}

// withdraw makes sure that an action that was signed never happens, and then ends
// it: an empty transaction takes its nonce. If the action's own is in a block first,
// that is what became of it.
func (l *lane) withdraw(ctx context.Context, p *offchain.Pending, why error) error {
	l.mu.Lock()
	k := l.memory(p.ID)
	first := k.withdrawn == nil
	k.withdrawn = why
	l.mu.Unlock()
	if first {
		l.Log.Warn("an action that was signed is withdrawn", "action", p.ID, "why", why)
	}
	lost, err := l.lost(ctx, p)
	if lost {
		l.release(p)
		return l.fail(ctx, p, why)
	}
	if err == nil {
		var next uint64
		nonce := l.live[p.ID]
		if next, err = l.driver.NextNonce(ctx, l.from); err == nil && next == nonce {
			err = l.empty(ctx, nonce)
		}
	}
	if waits(err) || ctx.Err() != nil {
		return err
	}
	l.later(p.ID, why, nil)
	return nil
}

// fill gives nonces away that nobody holds and that those after them wait for: a
// transaction that was sent past the gateway used them, and is gone.
func (l *lane) fill(ctx context.Context) error {
	next, err := l.driver.NextNonce(ctx, l.from)
	if err != nil {
		return err
	}
	held := map[uint64]bool{}
	highest := uint64(0)
	for _, nonce := range l.live {
		held[nonce] = true
		highest = max(highest, nonce)
	}
	for nonce := next; nonce < highest; nonce++ {
		if held[nonce] {
			continue
		}
		if level, err := l.level(ctx); err != nil || !level {
			return err
		}
		l.Log.Warn("a nonce that no action uses is given away", "connection", l.id, "person", l.person, "nonce", nonce)
		if err := l.empty(ctx, nonce); err != nil {
			return err
		}
	}
	return nil
}

// level says whether what was taken in is all of the ledger as it is now. Else an
// action may seem settled whose block was just replaced: it still holds its nonce.
func (l *lane) level(ctx context.Context) (bool, error) {
	l.mu.Lock()
	final := l.final
	l.mu.Unlock()
	if final {
		return true, nil
	}
	cursor, err := l.Store.Cursor(ctx, l.id)
	if err != nil {
		return false, stored(err)
	}
	head, err := l.driver.Head(ctx)
	return err == nil && cursor.Next == head.Number+1 && cursor.Hash == head.Hash, err
}

// empty uses a nonce for nothing: it moves nothing from the account to itself.
func (l *lane) empty(ctx context.Context, nonce uint64) error {
	to := l.from
	tx, err := l.driver.Prepare(ctx, ledger.Request{From: l.from, To: &to, Nonce: nonce})
	if err != nil {
		return err
	}
	if tx, err = l.sign(ctx, tx, fmt.Sprintf("nothing, to use nonce %d on connection %d", nonce, l.id)); err != nil {
		return err
	}
	if err := l.driver.Submit(ctx, tx); err != nil && !errors.Is(err, ledger.ErrNonceUsed) {
		return err
	}
	return nil
}
