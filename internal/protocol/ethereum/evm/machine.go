package evm

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/kv"
)

// MaxTransactionGas is the most gas that a transaction may ask for (EIP-7825).
const MaxTransactionGas = params.MaxTxGas

// Rules are what chains may differ in.
type Rules struct {
	Config *params.ChainConfig // forks by block and time
	// Paid makes senders pay for gas: the base fee is burnt, the tip goes to the
	// coinbase. Else gas is metered and free.
	Paid bool
}

// Machine runs transactions and calls of one chain on the state of one store.
// It is safe for concurrent use; what it makes is not.
type Machine struct {
	rules Rules
	ids   tableIDs
	codes *codeCache
}

// New gives the machine of a chain with the rules of Osaka and free gas. The
// store must have the tables of Tables.
func New(store *kv.Store, chainID uint64) (*Machine, error) {
	return NewRules(store, Rules{Config: osaka(chainID)})
}

// NewRules is New for a chain with rules of its own.
func NewRules(store *kv.Store, rules Rules) (*Machine, error) {
	ids, err := idsOf(store)
	if err != nil {
		return nil, err
	}
	return &Machine{rules: rules, ids: ids, codes: newCodeCache()}, nil
}

// Rules gives the chain's rules. They must not be changed.
func (m *Machine) Rules() Rules { return m.rules }

// osaka is the rules of Osaka from the first block on.
func osaka(chainID uint64) *params.ChainConfig {
	c := *params.MergedTestChainConfig
	c.ChainID = new(big.Int).SetUint64(chainID)
	return &c
}

// Result is what running a message gave.
type Result struct {
	GasUsed uint64
	Err     error  // why the execution failed; nil when it succeeded
	Output  []byte // what it returned, or the data it reverted with
	Logs    []*types.Log
	Created *common.Address // the contract that a transaction created
	Peak    uint64          // gas before refunds
}

// Reverted reports that the contract itself undid what it had done (REVERT).
func (r *Result) Reverted() bool { return r.Err == vm.ErrExecutionReverted }

// Checks says what is asked of a message before it runs.
type Checks uint8

const (
	// Strict is everything that is asked of a transaction.
	Strict Checks = iota
	// Simulated lets contracts send and gas go beyond MaxTransactionGas.
	Simulated
	// Lenient also lets any nonce pass, and a message that offers no price pay
	// none: for calls.
	Lenient
)

// Executor applies the transactions of one block, one after the other. Close it.
type Executor struct {
	machine *Machine
	block   vm.BlockContext
	hooks   *tracing.Hooks
	checks  Checks
	state   *State
	moved   vm.PrecompiledContracts // instead of those of the rules, unless nil
	evm     *vm.EVM                 // nil before the first transaction and after a crash
	library library
}

// Executor makes the executor of a block. hooks trace it and may be nil.
func (m *Machine) Executor(b *Block, hooks *tracing.Hooks) *Executor {
	return m.Simulator(b, hooks, Strict)
}

// Simulator makes an executor that asks less of its transactions.
func (m *Machine) Simulator(b *Block, hooks *tracing.Hooks, checks Checks) *Executor {
	return &Executor{machine: m, block: b.context(), hooks: hooks, checks: checks, state: newState(m.ids, m.codes, hooks), moved: b.Precompiles}
}

// Apply runs a transaction and writes what it changed through tx. An error says
// that it cannot be a transaction of this state (see Refusal); then nothing was
// written. A failing contract is no error.
func (x *Executor) Apply(tx Sink, m *Message) (*Result, error) {
	l, err := x.message(m)
	if err != nil {
		return nil, err
	}
	r, err := x.run(tx, l, nil)
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

// System runs what is no transaction, such as the calls with which some rules
// begin and end a block, and writes what it changed through tx. It ends with
// ErrCallTimeout when ctx ends; then nothing was written.
func (x *Executor) System(ctx context.Context, tx Sink, run func(*vm.EVM) error) error {
	_, err := x.within(ctx, func() (*Result, error) {
		machine := x.evm
		x.evm = nil
		x.state.begin(tx)
		if err := run(machine); err != nil || machine.Cancelled() {
			return nil, err
		}
		x.evm = machine
		x.state.Finalise(x.rules())
		return nil, x.state.flush(tx)
	})
	return err
}

// Close gives memory back.
func (x *Executor) Close() {
	if x.evm != nil {
		x.evm.Release()
		x.evm = nil
	}
}

// message is a message for the library, with the executor's checks, until the next.
func (x *Executor) message(m *Message) (*core.Message, error) {
	if err := x.offer(m); err != nil {
		return nil, err
	}
	var fees Fees
	if x.machine.rules.Paid {
		fees = m.Fees
	}
	l := x.library.set(m, fees, x.block.BaseFee)
	if x.checks >= Simulated {
		l.SkipEOACheck().SkipGasLimitCapCheck()
	}
	if x.checks >= Lenient {
		l.SkipNonceCheck().SkipExecutionGasCapCheck()
	}
	return l, nil
}

// run runs a message without finalising or writing anything. pool is what the
// block has left, nil for enough.
func (x *Executor) run(reader kv.Reader, msg *core.Message, pool *core.GasPool) (*Result, error) {
	machine := x.evm
	x.evm = nil // should the run panic, its interpreter is not used again
	if machine == nil {
		machine = x.interpreter()
	}
	if pool == nil {
		pool = x.library.enough(msg.GasLimit)
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
		GasUsed: result.UsedGas, Err: result.Err, Output: result.ReturnData, Logs: x.state.logs, Peak: result.MaxUsedGas,
	}, nil
}

func (x *Executor) interpreter() *vm.EVM {
	e := vm.NewEVM(x.block, x.state, x.machine.rules.Config, vm.Config{Tracer: x.hooks, NoBaseFee: x.checks >= Lenient || !x.machine.rules.Paid})
	e.SetJumpDestCache(x.machine.codes.jumps)
	if x.moved != nil {
		e.SetPrecompiles(x.moved)
	}
	return e
}

func (x *Executor) rules() params.Rules {
	return x.machine.rules.Config.Rules(x.block.BlockNumber, x.block.Random != nil, x.block.Time)
}

func hashCode(code []byte) common.Hash { return crypto.Keccak256Hash(code) }
