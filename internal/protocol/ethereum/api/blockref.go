package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/kv"
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
	switch s := strings.Trim(string(text), `"`); s {
	case "latest", "safe", "finalized":
		*n = blockNumber{}
	case "pending":
		*n = blockNumber{pending: true}
	case "earliest":
		*n = blockNumber{exact: true}
	default:
		number, err := parseQuantity(s)
		switch {
		case err != nil:
			return err
		case number > math.MaxInt64:
			return errors.New("block number larger than int64")
		}
		*n = blockNumber{exact: true, number: number}
	}
	return nil
}

// parseQuantity reads a hexadecimal quantity, with either prefix, as geth.
func parseQuantity(s string) (uint64, error) {
	if !strings.HasPrefix(s, "0x") && !strings.HasPrefix(s, "0X") {
		return 0, errors.New("hex string without 0x prefix")
	}
	digits := s[2:]
	switch {
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
	default:
		return errors.New("must specify either BlockHash or BlockNumber")
	}
	return nil
}

// block gives the block that a number or tag names, nil if there is none. The
// pending block is the last committed one: what may come is not shown as a block.
func (a *API) block(ctx context.Context, n blockNumber) (*ethereum.Block, error) {
	if !n.exact {
		n.number = a.Chain.Number()
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

// moment is a state and the block in which it is looked at. Release it, and ask
// Err before what was read is answered.
type moment struct {
	kv.Reader
	base    *ethereum.Block // that was named; the last committed one where what is pending was
	block   *evm.Block
	past    *history.Moment // nil unless the state is an older one
	release func()
}

// Release ends the moment.
func (m *moment) Release() { m.release() }

// Err is why something read was not to be had: the state left the window
// meanwhile, or the index failed.
func (m *moment) Err() error {
	if m.past == nil {
		return nil
	}
	return m.past.Err()
}

// at gives the state that a reference names.
func (a *API) at(ctx context.Context, r blockRef) (*moment, error) {
	if r.pending {
		return &moment{Reader: a.Store.Speculative(), base: a.Chain.Head(), block: a.Chain.Pending(a.Machine, uint64(a.Now().Unix())), release: func() {}}, nil
	}
	if !r.exact && r.hash == nil {
		return a.latest(ctx)
	}
	b, err := a.blockOf(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case b == nil && r.hash != nil:
		return nil, jsonrpc.Errorf("header for hash not found")
	case b == nil:
		return nil, jsonrpc.Errorf("header not found")
	}
	return a.after(b)
}

// latest gives the state after the last committed block. The chain is told of a
// block a moment after its state is published; where the state before is not kept,
// that moment is waited for.
func (a *API) latest(ctx context.Context) (*moment, error) {
	for {
		view := a.Store.Pin()
		b := a.Chain.Head()
		if b.Number() == view.Height() {
			return &moment{Reader: view, base: b, block: a.Chain.At(a.Machine, b), release: view.Release}, nil
		}
		view.Release()
		m, err := a.after(b)
		if err == nil {
			return m, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Millisecond):
		}
	}
}

// after gives the state after a committed block.
func (a *API) after(b *ethereum.Block) (*moment, error) {
	past, err := a.Past.At(b.Number())
	if err != nil {
		return nil, err
	}
	return &moment{Reader: past, base: b, block: a.Chain.At(a.Machine, b), past: past, release: past.Release}, nil
}
