package api

import (
	"context"
	"math/big"
	"slices"
	"strconv"

	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// Fees are those of the blocks and of the chain's rules. Where gas is free, base
// fees, tips and prices are all zero.

// gasPrice is the base fee of the last block: no tip is needed.
func (a *API) gasPrice(context.Context, *caller.Caller, *none) (any, error) {
	return number{a.Chain.Header().BaseFee}, nil
}

func (a *API) tip(context.Context, *caller.Caller, *none) (any, error) { return quantity(0), nil }

// baseFee is that of the next block.
func (a *API) baseFee(context.Context, *caller.Caller, *none) (any, error) {
	return number{a.nextBaseFee(a.Chain.Header())}, nil
}

// blobBaseFee is what BLOBBASEFEE gives.
func (a *API) blobBaseFee(context.Context, *caller.Caller, *none) (any, error) {
	fee, _ := a.blobFees(a.Chain.Header())
	return number{fee}, nil
}

// nextBaseFee is the base fee of the block after one (EIP-1559).
func (a *API) nextBaseFee(h *types.Header) *big.Int {
	rules := a.Machine.Rules()
	if !rules.Paid || !rules.Config.IsLondon(new(big.Int).Add(h.Number, big.NewInt(1))) {
		return new(big.Int)
	}
	return eip1559.CalcBaseFee(rules.Config, h)
}

// blobFees are the base fees for blobs in a block and in the next one (EIP-4844),
// zero before there were blobs.
func (a *API) blobFees(h *types.Header) (fee, next *big.Int) {
	if h.ExcessBlobGas == nil {
		return new(big.Int), new(big.Int)
	}
	config := a.Machine.Rules().Config
	excess := eip4844.CalcExcessBlobGas(config, h, h.Time)
	return eip4844.CalcBlobFee(config, h), eip4844.CalcBlobFee(config, &types.Header{Number: h.Number, Time: h.Time, ExcessBlobGas: &excess})
}

// Limits of eth_feeHistory, as geth's.
const (
	maxFeeBlocks   = 1024
	maxPercentiles = 100
)

func (a *API) feeHistory(ctx context.Context, _ *caller.Caller, p *struct {
	Count       count
	Newest      blockNumber
	Percentiles []float64 `rpc:"optional"`
}) (any, error) {
	if p.Count == 0 {
		return feeShape{}, nil
	}
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
	head := a.Chain.Number()
	newest := head
	if p.Newest.exact {
		newest = p.Newest.number
	}
	if newest > head {
		return nil, jsonrpc.Errorf("request beyond head block: requested %d, head %d", newest, head)
	}
	f := feeShape{oldest: newest + 1 - min(uint64(p.Count), maxFeeBlocks, newest+1)}
	for n := f.oldest; n <= newest; n++ {
		b, err := a.Chain.ByNumber(ctx, n)
		if err != nil {
			return nil, err
		}
		f.blocks = append(f.blocks, a.feesOf(b, p.Percentiles))
	}
	return f, nil
}

// blockFees is what a block says about fees.
type blockFees struct {
	base, nextBase         *big.Int
	blobBase, nextBlobBase *big.Int
	used, blobUsed         float64    // of the gas there was, 0 to 1
	rewards                []*big.Int // tips, by percentile of the gas used
}

func (a *API) feesOf(b *ethereum.Block, percentiles []float64) blockFees {
	h := b.Header
	f := blockFees{base: h.BaseFee, nextBase: a.nextBaseFee(h)}
	if f.base == nil {
		f.base = new(big.Int)
	}
	f.blobBase, f.nextBlobBase = a.blobFees(h)
	f.used = ratio(h.GasUsed, h.GasLimit)
	if h.BlobGasUsed != nil {
		f.blobUsed = ratio(*h.BlobGasUsed, eip4844.MaxBlobGasPerBlock(a.Machine.Rules().Config, h.Time))
	}
	if len(percentiles) > 0 {
		f.rewards = rewards(b, f.base, percentiles)
	}
	return f
}

func ratio(used, limit uint64) float64 {
	if limit == 0 {
		return 0
	}
	return float64(used) / float64(limit)
}

// rewards are the tips below which the given percentages of a block's gas were
// used. Tips are what was paid, not what was offered.
func rewards(b *ethereum.Block, base *big.Int, percentiles []float64) []*big.Int {
	type paid struct {
		gas uint64
		tip *big.Int
	}
	list := make([]paid, len(b.Receipts))
	for i, r := range b.Receipts {
		list[i] = paid{r.GasUsed, new(big.Int)}
		if r.EffectiveGasPrice.Cmp(base) > 0 {
			list[i].tip.Sub(r.EffectiveGasPrice, base)
		}
	}
	slices.SortStableFunc(list, func(a, b paid) int { return a.tip.Cmp(b.tip) })
	tips := make([]*big.Int, len(percentiles))
	var at int
	var gas uint64 // of the transactions before at
	for i, p := range percentiles {
		enough := uint64(float64(b.Header.GasUsed) * p / 100)
		for at+1 < len(list) && gas+list[at].gas < enough {
			gas += list[at].gas
			at++
		}
		tips[i] = new(big.Int)
		if len(list) > 0 {
			tips[i] = list[at].tip
		}
	}
	return tips
}

// feeShape is the fees of a row of blocks.
type feeShape struct {
	oldest uint64
	blocks []blockFees
}

// AppendJSON implements jsonrpc.Appender.
func (f feeShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.quantity("oldestBlock", f.oldest)
	if len(f.blocks) == 0 {
		o.null("gasUsedRatio")
		return o.end()
	}
	if f.blocks[0].rewards != nil {
		o.name("reward")
		o.dst = appendList(o.dst, len(f.blocks), func(dst []byte, i int) []byte {
			return appendList(dst, len(f.blocks[i].rewards), func(dst []byte, j int) []byte { return appendBig(dst, f.blocks[i].rewards[j]) })
		})
	}
	o.fees("baseFeePerGas", f.blocks, func(b *blockFees) (*big.Int, *big.Int) { return b.base, b.nextBase })
	o.ratios("gasUsedRatio", f.blocks, func(b *blockFees) float64 { return b.used })
	o.fees("baseFeePerBlobGas", f.blocks, func(b *blockFees) (*big.Int, *big.Int) { return b.blobBase, b.nextBlobBase })
	o.ratios("blobGasUsedRatio", f.blocks, func(b *blockFees) float64 { return b.blobUsed })
	return o.end()
}

// fees writes a fee for each block, and for the one after them.
func (o *object) fees(name string, blocks []blockFees, of func(*blockFees) (fee, next *big.Int)) {
	o.name(name)
	o.dst = appendList(o.dst, len(blocks)+1, func(dst []byte, i int) []byte {
		if i == len(blocks) {
			_, next := of(&blocks[i-1])
			return appendBig(dst, next)
		}
		fee, _ := of(&blocks[i])
		return appendBig(dst, fee)
	})
}

func (o *object) ratios(name string, blocks []blockFees, of func(*blockFees) float64) {
	o.name(name)
	o.dst = appendList(o.dst, len(blocks), func(dst []byte, i int) []byte {
		return strconv.AppendFloat(dst, of(&blocks[i]), 'f', -1, 64)
	})
}

// number is a number without a bound as a result; none is zero.
type number struct{ *big.Int }

// AppendJSON implements jsonrpc.Appender.
func (n number) AppendJSON(dst []byte) []byte { return appendBig(dst, n.Int) }
