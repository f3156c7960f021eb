package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// words are an action's arguments as the binding wants them.
func words(args []offchain.Argument) []workflow.Argument {
	list := make([]workflow.Argument, len(args))
	for i, a := range args {
		list[i] = workflow.Argument{Name: a.Name, Value: a.Value}
	}
	return list
}

// mostSignings is how often an action is signed anew in one go, when others keep
// taking its nonce or the price keeps rising.
const mostSignings = 8

// perform prepares, signs, journals and hands over an action's transaction. same is
// the nonce that stays, when only the price of a transaction was wrong.
func (l *lane) perform(ctx context.Context, p *offchain.Pending, same *uint64) error {
	to, data, err := l.data(ctx, p)
	if err != nil {
		return err
	}
	for range mostSignings {
		tx, err := l.prepare(ctx, p, ledger.Request{From: l.from, To: to, Data: data}, same)
		if err != nil {
			return err
		}
		if tx, err = l.sign(ctx, tx, fmt.Sprintf("action %d on connection %d", p.ID, l.id)); err != nil {
			return err
		}
		done, err := l.journal(ctx, p, tx)
		if done || err != nil {
			return err
		}
		switch then, err := l.deliver(ctx, p, tx); {
		case err != nil || then == nothing:
			return err
		case then == anew:
			same = nil
		case then == dearer:
			same = new(tx.Nonce())
		}
	}
	return fmt.Errorf("action %d was signed %d times in vain", p.ID, mostSignings)
}

// prepare makes the transaction that is to be signed, if the person may still do
// that. It is asked before and after: what is slow here may be the ledger.
func (l *lane) prepare(ctx context.Context, p *offchain.Pending, request ledger.Request, same *uint64) (tx *types.Transaction, err error) {
	if err := l.allowed(ctx, p); err != nil {
		return nil, err
	}
	if same != nil {
		request.Nonce = *same
	} else if request.Nonce, err = l.next(ctx); err != nil {
		return nil, err
	}
	tx, err = l.driver.Prepare(ctx, request)
	if errors.Is(err, ledger.ErrReplaced) { // the contract's block, which comes again
		return nil, &blocked{}
	}
	var reverted *ledger.Reverted
	if errors.As(err, &reverted) {
		on, again := l.ahead(ctx, p)
		if again != nil {
			return nil, again
		}
		if len(on) > 0 {
			return nil, &blocked{on: on}
		}
	}
	if err != nil {
		return nil, err
	}
	return tx, l.allowed(ctx, p)
}

// sign makes the person's vault key sign a transaction.
func (l *lane) sign(ctx context.Context, tx *types.Transaction, purpose string) (*types.Transaction, error) {
	l.mu.Lock()
	signer := l.signer
	l.mu.Unlock()
	digest := signer.Hash(tx)
	signature, err := l.Vault.Sign(ctx, l.who.ExternalID, purpose, digest)
	if err != nil {
		return nil, err
	}
	if signature, err = vault.Recoverable(digest, signature, l.from); err != nil {
		return nil, err
	}
	return tx.WithSignature(signer, signature)
}

// journal writes down what is about to be sent. It gives true when the action is
// settled meanwhile: an older transaction of it is in a block.
func (l *lane) journal(ctx context.Context, p *offchain.Pending, tx *types.Transaction) (bool, error) {
	raw, err := tx.MarshalBinary()
	if err != nil {
		return false, err
	}
	e := &offchain.Signed{ActionID: p.ID, Hash: tx.Hash(), From: l.from, Nonce: tx.Nonce(), Raw: raw, At: l.Clock()}
	if _, err := l.Store.Do(ctx, e); err != nil {
		return errors.Is(err, offchain.ErrSettled), l.settled(offchain.Applied{}, err)
	}
	p.Signed = append(p.Signed, offchain.SignedRow{ActionID: p.ID, ConnectionID: l.id, PersonID: l.person, Hash: e.Hash,
		From: l.from, Nonce: e.Nonce, Raw: raw, At: e.At})
	l.live[p.ID] = e.Nonce
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory(p.ID).lost = false
	next := e.Nonce + 1
	for _, nonce := range l.live {
		next = max(next, nonce+1)
	}
	l.nonces[l.person] = next
	return false, nil
}
