package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// follow looks after a transaction that is signed and in no block: one that this
// process has not handed over, or that it handed over a while ago. late is set
// when it was handed over once and should be in a block by now.
func (l *lane) follow(ctx context.Context, p *offchain.Pending, late *bool) error {
	last := p.Signed[len(p.Signed)-1]
	l.mu.Lock()
	s, ok := l.sent[p.ID]
	l.mu.Unlock()
	if ok && s.hash == last.Hash && l.Clock().Sub(s.at) < l.Again {
		return nil
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(last.Raw); err != nil {
		return fmt.Errorf("the transaction that was signed for action %d: %w", p.ID, err)
	}
	*late = true
	if ok {
		status, err := l.driver.Status(ctx, last.Hash)
		if err != nil {
			return err
		}
		if status.State == ledger.Committed || status.State == ledger.Pending {
			l.noted(p, tx)
			return nil
		}
	}
	err := l.submit(ctx, p, tx)
	switch {
	case errors.Is(err, ledger.ErrNonceUsed):
		if used, err := l.used(ctx, p); used || err != nil {
			l.noted(p, tx)
			return err
		}
		l.Log.Info("another transaction took the nonce; the action is signed again", "action", p.ID, "nonce", tx.Nonce())
		delete(l.live, p.ID)
		l.forget(p.ID)
		return l.perform(ctx, p, nil)
	case errors.Is(err, ledger.ErrUnderpriced):
		return l.perform(ctx, p, &last.Nonce)
	}
	return err
}

// fill gives nonces away that nobody holds and that those after them wait for: of
// actions that were ended after later ones had been signed. What takes their
// place moves nothing from the account to itself.
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
	for ; next < highest; next++ {
		if held[next] {
			continue
		}
		to := l.from
		tx, err := l.driver.Prepare(ctx, ledger.Request{From: l.from, To: &to, Nonce: next})
		if err != nil {
			return err
		}
		if tx, err = l.sign(ctx, tx, fmt.Sprintf("nothing, to use nonce %d on connection %d", next, l.id)); err != nil {
			return err
		}
		l.Log.Warn("a nonce that no action uses is given away", "connection", l.id, "person", l.person, "nonce", next)
		if err := l.driver.Submit(ctx, tx); err != nil && !errors.Is(err, ledger.ErrNonceUsed) {
			return err
		}
	}
	return nil
}
