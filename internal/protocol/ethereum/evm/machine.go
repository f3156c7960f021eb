package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
)

// MaxTransactionGas is the most gas that a transaction may ask for (EIP-7825).
const MaxTransactionGas = params.MaxTxGas

// Machine runs transactions and calls of one chain on the state of one store.
// It is safe for concurrent use; what it makes is not.
type Machine struct {
	config *params.ChainConfig
	ids    tableIDs
	codes  *codeCache
}

// New gives the machine of a chain. The store must have the tables of Tables.
func New(store *kv.Store, chainID uint64) (*Machine, error) {
	ids, err := idsOf(store)
	if err != nil {
		return nil, err
	}
	return &Machine{config: osaka(chainID), ids: ids, codes: newCodeCache()}, nil
}

// osaka is the rules of Osaka from the first block on.
func osaka(chainID uint64) *params.ChainConfig {
	c := *params.MergedTestChainConfig
	c.ChainID = new(big.Int).SetUint64(chainID)
	return &c
}

// Block is what a contract can learn about the block it runs in.
type Block struct {
	Number      uint64
	Time        uint64 // seconds since 1970 UTC
	GasLimit    uint64
	Random      common.Hash
	Coinbase    common.Address
	BaseFee     *big.Int // nil is zero
	BlobBaseFee *big.Int // nil is the least there can be, 1
	// Hash gives the hash of one of the 256 blocks before.
	Hash func(number uint64) common.Hash
}

func (b *Block) context() vm.BlockContext {
	random, baseFee, blobBaseFee := b.Random, b.BaseFee, b.BlobBaseFee
	if baseFee == nil {
		baseFee = new(big.Int)
	}
	if blobBaseFee == nil {
		blobBaseFee = big.NewInt(params.BlobTxMinBlobGasprice)
	}
	return vm.BlockContext{
		CanTransfer: core.CanTransfer,
		Transfer:    core.Transfer,
		GetHash:     b.Hash,
		Coinbase:    b.Coinbase,
		BlockNumber: new(big.Int).SetUint64(b.Number),
		Time:        b.Time,
		Difficulty:  new(big.Int),
		BaseFee:     baseFee,
		BlobBaseFee: blobBaseFee,
		GasLimit:    b.GasLimit,
		Random:      &random,
	}
}

// Message is a transaction or call to run. It has no fees: gas is free.
type Message struct {
	From           common.Address
	To             *common.Address // nil creates a contract
	Nonce          uint64          // not looked at by calls
	Gas            uint64
	Value          uint256.Int
	Data           []byte
	AccessList     types.AccessList
	Authorizations []types.SetCodeAuthorization
}

// MessageOf is the message of a transaction whose sender was recovered before.
// The transaction's value must fit 256 bits, which decoding has made sure of.
func MessageOf(tx *types.Transaction, from common.Address) *Message {
	m := &Message{
		From: from, To: tx.To(), Nonce: tx.Nonce(), Gas: tx.Gas(), Data: tx.Data(),
		AccessList: tx.AccessList(), Authorizations: tx.SetCodeAuthorizations(),
	}
	m.Value.SetFromBig(tx.Value())
	return m
}

// free is the message as the library wants it, with every fee zero.
func (m *Message) free() *core.Message {
	return &core.Message{
		From: m.From, To: m.To, Nonce: m.Nonce, GasLimit: m.Gas, Value: &m.Value, Data: m.Data,
		AccessList: m.AccessList, SetCodeAuthorizations: m.Authorizations,
		GasPrice: new(uint256.Int), GasFeeCap: new(uint256.Int), GasTipCap: new(uint256.Int),
	}
}

// Result is what running a message gave.
type Result struct {
	GasUsed uint64
	Err     error  // why the execution failed; nil when it succeeded
	Output  []byte // what it returned, or the data it reverted with
	Logs    []*types.Log
	Created *common.Address // the contract that a transaction created

	peak uint64 // gas before refunds
}

// Reverted reports that the contract itself undid what it had done (REVERT).
func (r *Result) Reverted() bool { return r.Err == vm.ErrExecutionReverted }

// Executor applies the transactions of one block, one after the other. Close it.
type Executor struct {
	machine *Machine
	block   vm.BlockContext
	hooks   *tracing.Hooks
	state   *State
	evm     *vm.EVM // nil before the first transaction and after a crash
}

// Executor makes the executor of a block. hooks trace it and may be nil.
func (m *Machine) Executor(b *Block, hooks *tracing.Hooks) *Executor {
	return &Executor{machine: m, block: b.context(), hooks: hooks, state: newState(m.ids, m.codes, hooks)}
}

// Apply runs a transaction and writes what it changed through tx. An error says
// that it cannot be a transaction of this state (see Refusal); then nothing was
// written. A failing contract is no error.
func (x *Executor) Apply(tx Sink, m *Message) (*Result, error) {
	r, err := x.run(tx, m.free(), nil)
	if err != nil {
		return nil, err
	}
	x.state.Finalise(x.rules())
	if err := x.state.flush(tx); err != nil {
		return nil, err
	}
	if m.To == nil && r.Err == nil {
		created := crypto.CreateAddress(m.From, m.Nonce)
		r.Created = &created
	}
	return r, nil
}

// Close gives memory back.
func (x *Executor) Close() {
	if x.evm != nil {
		x.evm.Release()
		x.evm = nil
	}
}

// run runs a message without finalising or writing anything. pool is what the
// block has left, nil for enough.
func (x *Executor) run(reader kv.Reader, msg *core.Message, pool *core.GasPool) (*Result, error) {
	machine := x.evm
	x.evm = nil // should the run panic, its interpreter is not used again
	if machine == nil {
		machine = x.interpreter()
	}
	x.state.begin(reader)
	result, err := core.ApplyMessage(machine, msg, pool)
	x.evm = machine
	if err != nil {
		return nil, refusal(err)
	}
	if x.state.err != nil {
		return nil, x.state.err
	}
	return &Result{
		GasUsed: result.UsedGas, Err: result.Err, Output: result.ReturnData, Logs: x.state.logs, peak: result.MaxUsedGas,
	}, nil
}

func (x *Executor) interpreter() *vm.EVM {
	e := vm.NewEVM(x.block, x.state, x.machine.config, vm.Config{Tracer: x.hooks})
	e.SetJumpDestCache(x.machine.codes.jumps)
	return e
}

func (x *Executor) rules() params.Rules {
	return x.machine.config.Rules(x.block.BlockNumber, x.block.Random != nil, x.block.Time)
}

func hashCode(code []byte) common.Hash { return crypto.Keccak256Hash(code) }
