package evm

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"

	"github.com/coco-consortium/coco/internal/kv"
)

// AccessList gives the message the access list (EIP-2930) of what it touches on
// the state that reader shows, and the result of running it with that list. It
// begins with the list that the message has. Sender, recipient, precompiled
// contracts and those who authorize are left out, for they are warm anyway.
func (m *Machine) AccessList(ctx context.Context, reader kv.Reader, b *Block, msg *Message) (*Result, error) {
	if err := m.affords(b, msg); err != nil {
		return nil, err
	}
	to := crypto.CreateAddress(msg.From, msg.Nonce)
	if msg.To != nil {
		to = *msg.To
	}
	warm := map[common.Address]struct{}{msg.From: {}, to: {}}
	for _, address := range vm.ActivePrecompiles(m.blockRules(b)) {
		warm[address] = struct{}{}
	}
	for i := range msg.Authorizations {
		if ctx.Err() != nil {
			return nil, ErrCallTimeout.From(context.Cause(ctx))
		}
		a := &msg.Authorizations[i]
		if !a.ChainID.IsZero() && a.ChainID.CmpBig(m.rules.Config.ChainID) != 0 || a.Nonce+1 == 0 {
			continue
		}
		if authority, err := a.Authority(); err == nil {
			warm[authority] = struct{}{}
		}
	}
	// What a message touches may depend on the gas it has left, and that on what
	// is warm: once the list does not grow any more, it is the one.
	known := logger.NewAccessListTracer(msg.AccessList, warm)
	for {
		msg.AccessList = known.AccessList()
		touched := logger.NewAccessListTracer(msg.AccessList, warm)
		r, err := m.call(ctx, newState(m.ids, m.codes, touched.Hooks()), reader, b, msg, msg.Gas)
		if err != nil || touched.Equal(known) {
			return r, err
		}
		known = touched
	}
}

// affords refuses a message whose gas does not pay for its parts, before they are
// worked on: as running it would.
func (m *Machine) affords(b *Block, msg *Message) error {
	gas, err := core.IntrinsicGas(msg.Data, msg.AccessList, msg.Authorizations, msg.From, msg.To, &msg.Value, m.blockRules(b))
	if err == nil && gas > msg.Gas {
		err = fmt.Errorf("%w: have %d, want %d", core.ErrIntrinsicGas, msg.Gas, gas)
	}
	if err != nil {
		return refusal(err)
	}
	return nil
}
