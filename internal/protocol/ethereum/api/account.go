package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// accountAt asks about an account at a block; without one, at the latest.
type accountAt struct {
	Address common.Address
	Block   blockRef `rpc:"optional"`
}

func (a *API) balance(ctx context.Context, _ *caller.Caller, p *accountAt) (any, error) {
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	account, _ := a.Machine.View(m).Account(p.Address)
	return wei(account.Balance), m.Err()
}

// wei is a 256-bit number as a result.
type wei uint256.Int

// AppendJSON implements jsonrpc.Appender.
func (w wei) AppendJSON(dst []byte) []byte {
	return jsonrpc.AppendString(dst, (*uint256.Int)(&w).Hex())
}

func (a *API) code(ctx context.Context, _ *caller.Caller, p *accountAt) (any, error) {
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	code := a.Machine.View(m).Code(p.Address)
	return data(code), m.Err()
}

func (a *API) storageAt(ctx context.Context, _ *caller.Caller, p *struct {
	Address common.Address
	Slot    string
	Block   blockRef `rpc:"optional"`
}) (any, error) {
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	slot, err := parseSlot(p.Slot)
	if err != nil {
		return nil, err
	}
	value := a.Machine.View(m).Storage(p.Address, slot)
	return data(value[:]), m.Err()
}

// parseSlot reads a storage key: up to 32 bytes of hexadecimal, with or without
// leading zeros and prefix, as geth takes them.
func parseSlot(text string) (common.Hash, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	if len(digits) > 2*common.HashLength {
		return common.Hash{}, jsonrpc.InvalidParams("storage key too long (want at most 32 bytes): %.100q", text)
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return common.Hash{}, jsonrpc.InvalidParams("invalid hex in storage key: %q", text)
	}
	return common.BytesToHash(b), nil
}

// Limits of eth_getStorageValues, as geth's.
const (
	maxSlots         = 1024
	codeTooManySlots = -38026
)

func (a *API) storageValues(ctx context.Context, _ *caller.Caller, p *struct {
	Slots map[common.Address][]common.Hash
	Block blockRef `rpc:"optional"`
}) (any, error) {
	n := 0
	for _, slots := range p.Slots {
		n += len(slots)
	}
	switch {
	case n > maxSlots:
		return nil, &jsonrpc.Error{Code: codeTooManySlots, Message: fmt.Sprintf("too many slots (max %d)", maxSlots)}
	case n == 0:
		return nil, jsonrpc.InvalidParams("empty request")
	}
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	view := a.Machine.View(m)
	values := make(map[common.Address][]common.Hash, len(p.Slots))
	for address, slots := range p.Slots {
		values[address] = make([]common.Hash, len(slots))
		for i, slot := range slots {
			values[address][i] = view.Storage(address, slot)
		}
	}
	return values, m.Err()
}

// transactionCount is a nonce. The pending one counts what was admitted on top
// of the speculative state without a gap.
func (a *API) transactionCount(ctx context.Context, _ *caller.Caller, p *accountAt) (any, error) {
	if p.Block.pending {
		return quantity(a.Pool.Next(p.Address)), nil
	}
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	account, _ := a.Machine.View(m).Account(p.Address)
	return quantity(account.Nonce), m.Err()
}
