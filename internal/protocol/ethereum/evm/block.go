package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
)

// Block is what a contract can learn about the block it runs in.
type Block struct {
	Number      uint64
	Time        uint64 // seconds since 1970 UTC
	GasLimit    uint64
	Random      common.Hash
	Difficulty  *big.Int // of a block of proof of work; else nil or zero, and Random counts
	Coinbase    common.Address
	BaseFee     *big.Int // nil is zero
	BlobBaseFee *big.Int // nil is the least there can be, 1
	// Hash gives the hash of one of the 256 blocks before.
	Hash func(number uint64) common.Hash
	// Precompiles are the precompiled contracts, nil for those of the rules.
	Precompiles vm.PrecompiledContracts
}

// Block is the block that a header describes.
func (m *Machine) Block(h *types.Header, hash func(number uint64) common.Hash) *Block {
	b := &Block{
		Number: h.Number.Uint64(), Time: h.Time, GasLimit: h.GasLimit, Random: h.MixDigest, Difficulty: h.Difficulty,
		Coinbase: h.Coinbase, BaseFee: h.BaseFee, Hash: hash,
	}
	if h.ExcessBlobGas != nil {
		b.BlobBaseFee = eip4844.CalcBlobFee(m.rules.Config, h)
	}
	return b
}

// Precompiles gives a copy of the precompiled contracts that the rules have in a
// block.
func (m *Machine) Precompiles(b *Block) vm.PrecompiledContracts {
	return vm.ActivePrecompiledContracts(m.blockRules(b))
}

func (m *Machine) blockRules(b *Block) params.Rules {
	c := b.context()
	return m.rules.Config.Rules(c.BlockNumber, c.Random != nil, c.Time)
}

func (b *Block) context() vm.BlockContext {
	c := vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, GetHash: b.Hash,
		Coinbase: b.Coinbase, BlockNumber: new(big.Int).SetUint64(b.Number), Time: b.Time, GasLimit: b.GasLimit,
		Difficulty: b.Difficulty, BaseFee: b.BaseFee, BlobBaseFee: b.BlobBaseFee,
		CostPerStateByte: params.CostPerStateByte,
	}
	if c.Difficulty == nil || c.Difficulty.Sign() == 0 {
		random := b.Random
		c.Random, c.Difficulty = &random, new(big.Int)
	}
	if c.BaseFee == nil {
		c.BaseFee = new(big.Int)
	}
	if c.BlobBaseFee == nil {
		c.BlobBaseFee = big.NewInt(params.BlobTxMinBlobGasprice)
	}
	return c
}
