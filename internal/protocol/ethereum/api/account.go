package api

import (
	"context"
	"errors"
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
	Slot    slot
	Block   blockRef `rpc:"optional"`
}) (any, error) {
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	value := a.Machine.View(m).Storage(p.Address, common.Hash(p.Slot))
	return data(value[:]), m.Err()
}

// slot is a storage key: up to 32 bytes of hexadecimal, with or without leading
// zeros and prefix, as geth takes them.
type slot common.Hash

// UnmarshalJSON reads a slot.
func (s *slot) UnmarshalJSON(text []byte) error {
	if len(text) < 2 || text[0] != '"' {
		return errors.New("storage key must be a string of hexadecimal digits")
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(string(text[1:len(text)-1]), "0x"), "0X")
	if len(digits) > 64 {
		return errors.New("storage key too long (want at most 32 bytes)")
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b := common.FromHex(digits)
	if len(b)*2 != len(digits) {
		return errors.New("storage key is not hexadecimal")
	}
	*s = slot(common.BytesToHash(b))
	return nil
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

var errNoProof = &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "eth_getProof is not supported: this ledger keeps no state trie; " +
	"coco_getReceipt proves that a transaction is committed"}

// proof is refused whatever is asked.
func (a *API) proof(context.Context, *caller.Caller, *struct {
	Address any      `rpc:"optional"`
	Keys    any      `rpc:"optional"`
	Block   blockRef `rpc:"optional"`
}) (any, error) {
	return nil, errNoProof
}
