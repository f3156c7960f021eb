package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// follow looks after a transaction that is signed and in no block: the same bytes
// are handed over again, until the ledger says that it has them.
func (l *lane) follow(ctx context.Context, p *offchain.Pending) error {
	last := p.Signed[len(p.Signed)-1]
	l.mu.Lock()
	known := *l.memory(p.ID)
	l.mu.Unlock()
	if known.withdrawn != nil {
		return l.withdraw(ctx, p, known.withdrawn)
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(last.Raw); err != nil {
		return fmt.Errorf("the transaction that was signed for action %d: %w", p.ID, err)
	}
	if known.hash == last.Hash { // handed over, and should be in a block by now
		status, err := l.driver.Status(ctx, last.Hash)
		if err != nil {
			return err
		}
		if status.State == ledger.Committed || status.State == ledger.Pending {
			l.noted(p, tx)
			return nil
		}
	}
	switch then, err := l.deliver(ctx, p, tx); {
	case err != nil:
		return err
	case then == anew:
		return l.perform(ctx, p, nil)
	case then == dearer:
		return l.perform(ctx, p, &last.Nonce)
	}
	return nil
}

// then is what is to be done after a transaction was handed over.
type then int

const (
	nothing then = iota
	anew         // sign with another nonce: what was signed can never take effect
	dearer       // sign with the same nonce: what was signed costs more than it pays, and one of both at most takes effect
)

// deliver hands a transaction over.
func (l *lane) deliver(ctx context.Context, p *offchain.Pending, tx *types.Transaction) (then, error) {
	err := l.driver.Submit(ctx, tx)
	switch {
	case err == nil:
		l.noted(p, tx)
	case errors.Is(err, ledger.ErrUnderpriced), errors.Is(err, ledger.ErrUnfunded):
		return dearer, nil
	case errors.Is(err, ledger.ErrNonceUsed):
		if used, err := l.used(ctx, p); err != nil {
			return nothing, err
		} else if used {
			l.noted(p, tx)
			return nothing, nil
		}
		lost, err := l.lost(ctx, p)
		if err != nil {
			return nothing, err
		}
		if !lost {
			l.later(p.ID, ErrContested, nil)
			return nothing, nil
		}
		l.Log.Info("another transaction took the nonce for ever; the action is signed again", "action", p.ID, "nonce", tx.Nonce())
		l.release(p)
		return anew, nil
	default:
		return nothing, err
	}
	return nothing, nil
}

// used says whether the ledger has, or may have, any transaction of an action.
func (l *lane) used(ctx context.Context, p *offchain.Pending) (bool, error) {
	for i := range p.Signed {
		s, err := l.driver.Status(ctx, p.Signed[i].Hash)
		if err != nil {
			return false, err
		}
		if s.State == ledger.Committed || s.State == ledger.Pending {
			return true, nil
		}
	}
	return false, nil
}

// noted remembers that the ledger has a transaction.
func (l *lane) noted(p *offchain.Pending, tx *types.Transaction) {
	l.did = true
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.memory(p.ID)
	*k = kept{hash: tx.Hash(), due: l.Clock().Add(l.Again), withdrawn: k.withdrawn}
}
