package indexer

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
)

// target is a known contract, as far as reading blocks needs it.
type target struct {
	ref     reference
	address common.Address
	state   int // id of its state after the last block that was taken; 0: unknown
	*binding.Bound
}

// mostKnown bounds what known remembers: addresses of a connection.
const mostKnown = 1 << 17

// known answers which contract stands at an address. Contracts come and go with
// the blocks of their own connection only, which one goroutine takes in, so what
// is remembered is right, also that there is none.
type known struct {
	store      offchain.Reader
	book       *binding.Book
	connection int
	at         map[common.Address]*target // nil value: no contract of ours
}

func (k *known) find(ctx context.Context, a common.Address) (*target, error) {
	if t, ok := k.at[a]; ok {
		return t, nil
	}
	var t *target
	c, err := k.store.ContractByAddress(ctx, k.connection, a)
	switch {
	case err == nil:
		bound, err := k.book.Of(ctx, k.store, c.WorkflowID, c.CodeID)
		if err != nil {
			return nil, err
		}
		t = &target{ref: reference(c.ID), address: a, state: c.StateID, Bound: bound}
	case !errors.Is(err, offchain.ErrNotFound):
		return nil, err
	}
	k.keep(a, t)
	return t, nil
}

func (k *known) keep(a common.Address, t *target) {
	if len(k.at) >= mostKnown {
		clear(k.at)
	}
	k.at[a] = t
}

// forget is for after a reorganisation.
func (k *known) forget() { clear(k.at) }
