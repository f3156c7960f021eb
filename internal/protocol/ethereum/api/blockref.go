package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// blockNumber names a block by its number or by a tag. The zero value is the
// last committed block.
type blockNumber struct {
	exact   bool // number counts
	number  uint64
	pending bool
}

// UnmarshalJSON reads a tag or a quantity.
func (n *blockNumber) UnmarshalJSON(text []byte) error {
	if len(text) < 2 || text[0] != '"' {
		return errors.New("block number must be a string: a tag or a hexadecimal quantity")
	}
	return n.parse(string(text[1 : len(text)-1]))
}

func (n *blockNumber) parse(s string) error {
	switch s {
	case "latest", "safe", "finalized":
		*n = blockNumber{}
	case "pending":
		*n = blockNumber{pending: true}
	case "earliest":
		*n = blockNumber{exact: true}
	default:
		number, err := parseQuantity(s)
		if err != nil {
			return err
		}
		*n = blockNumber{exact: true, number: number}
	}
	return nil
}

// parseQuantity reads a hexadecimal quantity.
func parseQuantity(s string) (uint64, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	switch {
	case !ok:
		return 0, errors.New("hex string without 0x prefix")
	case digits == "":
		return 0, errors.New("hex string \"0x\"")
	case len(digits) > 1 && digits[0] == '0':
		return 0, errors.New("hex number with leading zero digits")
	case len(digits) > 16:
		return 0, errors.New("hex number > 64 bits")
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, errors.New("invalid hex string")
	}
	return n, nil
}

// blockRef names a block by number, tag or hash (EIP-1898).
type blockRef struct {
	blockNumber
	hash *common.Hash
}

// UnmarshalJSON reads a tag, a quantity, a hash, or an object with one of them.
func (r *blockRef) UnmarshalJSON(text []byte) error {
	if len(text) == 68 && text[0] == '"' {
		r.hash = new(common.Hash)
		return r.hash.UnmarshalJSON(text)
	}
	if text[0] != '{' {
		return r.blockNumber.UnmarshalJSON(text)
	}
	var o struct {
		BlockNumber      *blockNumber
		BlockHash        *common.Hash
		RequireCanonical bool // there is no other chain
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	switch {
	case o.BlockNumber != nil && o.BlockHash != nil:
		return errors.New("cannot specify both BlockHash and BlockNumber, choose one or the other")
	case o.BlockHash != nil:
		r.hash = o.BlockHash
	case o.BlockNumber != nil:
		r.blockNumber = *o.BlockNumber
	}
	return nil
}

// ErrOldState says that the state after a block is no longer there.
var ErrOldState = problem.New("STATE_UNAVAILABLE", "historical state is not available",
	"ask for the latest state; blocks, transactions, receipts and logs are available for the whole chain")

// block gives the block that a number or tag names, nil if there is none. The
// pending block is the last committed one: what may come is not shown as a block.
func (a *API) block(ctx context.Context, n blockNumber) (*ethereum.Block, error) {
	if !n.exact {
		return a.Chain.Head(), nil
	}
	return found(a.Chain.ByNumber(ctx, n.number))
}

// blockOf is block for references, which may name a hash.
func (a *API) blockOf(ctx context.Context, r blockRef) (*ethereum.Block, error) {
	if r.hash != nil {
		return found(a.Chain.ByHash(ctx, *r.hash))
	}
	return a.block(ctx, r.blockNumber)
}

// found turns "there is none" into nil.
func found(b *ethereum.Block, err error) (*ethereum.Block, error) {
	if errors.Is(err, chain.ErrUnknown) {
		return nil, nil
	}
	return b, err
}

// moment is a state and the block in which it is looked at.
type moment struct {
	kv.Reader
	block *evm.Block
}

// at gives the state that a reference names. release is to be called at its end.
func (a *API) at(ctx context.Context, r blockRef) (m moment, release func(), err error) {
	if r.pending {
		return moment{a.Store.Speculative(), a.Chain.Pending(uint64(a.Now().Unix()))}, func() {}, nil
	}
	b, err := a.blockOf(ctx, r)
	switch {
	case err != nil:
		return m, nil, err
	case b == nil && r.hash != nil:
		return m, nil, jsonrpc.Errorf("header for hash not found")
	case b == nil:
		return m, nil, jsonrpc.Errorf("header not found")
	}
	view := a.Store.Pin() // not older than the head, which is told of a block after the state is published
	if (r.exact || r.hash != nil) && b.Number() != view.Height() {
		view.Release()
		return m, nil, problem.Newf(ErrOldState.Code, ErrOldState.Next,
			"%s: block %d was asked for, the latest is %d", ErrOldState.What, b.Number(), view.Height())
	}
	return moment{view, a.Chain.At(b)}, view.Release, nil
}
