package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

func (a *API) clientVersion(context.Context, *caller.Caller, *none) (any, error) {
	return a.Version, nil
}

func (a *API) sha3(_ context.Context, _ *caller.Caller, p *struct{ Data hexutil.Bytes }) (any, error) {
	return data(crypto.Keccak256(p.Data)), nil
}

func (a *API) netVersion(context.Context, *caller.Caller, *none) (any, error) {
	return strconv.FormatUint(a.ChainID, 10), nil
}

func (a *API) listening(context.Context, *caller.Caller, *none) (any, error) { return true, nil }

func (a *API) chainID(context.Context, *caller.Caller, *none) (any, error) {
	return quantity(a.ChainID), nil
}

func (a *API) syncing(context.Context, *caller.Caller, *none) (any, error) { return false, nil }

// accounts is empty: nodes keep no keys.
func (a *API) accounts(context.Context, *caller.Caller, *none) (any, error) {
	return json.RawMessage("[]"), nil
}

func (a *API) blockNumber(context.Context, *caller.Caller, *none) (any, error) {
	return quantity(a.Chain.Head().Number()), nil
}

// gasPrice is zero, and so is every tip: gas is free.
func (a *API) gasPrice(context.Context, *caller.Caller, *none) (any, error) { return quantity(0), nil }

// blobBaseFee is what BLOBBASEFEE gives; there are no blobs.
func (a *API) blobBaseFee(context.Context, *caller.Caller, *none) (any, error) {
	return quantity(1), nil
}

// Limits of eth_feeHistory, as geth's.
const (
	maxFeeBlocks   = 1024
	maxPercentiles = 100
)

// feeHistory answers with zeros, the load of blocks too.
func (a *API) feeHistory(ctx context.Context, _ *caller.Caller, p *struct {
	Count       count
	Newest      blockNumber
	Percentiles []float64 `rpc:"optional"`
}) (any, error) {
	if len(p.Percentiles) > maxPercentiles {
		return nil, jsonrpc.Errorf("invalid reward percentile: over the query limit %d", maxPercentiles)
	}
	for i, x := range p.Percentiles {
		if x < 0 || x > 100 {
			return nil, jsonrpc.Errorf("invalid reward percentile: %f", x)
		}
		if i > 0 && x <= p.Percentiles[i-1] {
			return nil, jsonrpc.Errorf("invalid reward percentile: #%d:%f >= #%d:%f", i-1, p.Percentiles[i-1], i, x)
		}
	}
	head := a.Chain.Head().Number()
	newest := head
	if p.Newest.exact {
		newest = p.Newest.number
	}
	if newest > head {
		return nil, jsonrpc.Errorf("request beyond head block: requested %d, head %d", newest, head)
	}
	blocks := min(uint64(p.Count), maxFeeBlocks, newest+1)
	return feeShape{oldest: newest + 1 - blocks, blocks: int(blocks), rewards: len(p.Percentiles)}, nil
}

// feeShape is a history in which nobody paid.
type feeShape struct {
	oldest          uint64
	blocks, rewards int
}

// AppendJSON implements jsonrpc.Appender.
func (f feeShape) AppendJSON(dst []byte) []byte {
	each := func(text string) func([]byte, int) []byte {
		return func(dst []byte, _ int) []byte { return append(dst, text...) }
	}
	o := begin(dst)
	if f.blocks == 0 {
		o.quantity("oldestBlock", 0)
		o.null("gasUsedRatio")
		return o.end()
	}
	o.quantity("oldestBlock", f.oldest)
	if f.rewards > 0 {
		o.name("reward")
		o.dst = appendList(o.dst, f.blocks, func(dst []byte, _ int) []byte {
			return appendList(dst, f.rewards, each(`"0x0"`))
		})
	}
	o.name("baseFeePerGas")
	o.dst = appendList(o.dst, f.blocks+1, each(`"0x0"`))
	o.name("gasUsedRatio")
	o.dst = appendList(o.dst, f.blocks, each(`0`))
	o.name("baseFeePerBlobGas")
	o.dst = appendList(o.dst, f.blocks+1, each(`"0x1"`))
	o.name("blobGasUsedRatio")
	o.dst = appendList(o.dst, f.blocks, each(`0`))
	return o.end()
}

// count is a number that clients write as a quantity, in decimal, or as a JSON
// number.
type count uint64

// UnmarshalJSON reads any of the three.
func (c *count) UnmarshalJSON(text []byte) error {
	s := string(text)
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		if n, err = parseQuantity(s); err != nil {
			return fmt.Errorf("invalid hex or decimal integer %.40q", s)
		}
	}
	*c = count(n)
	return nil
}
