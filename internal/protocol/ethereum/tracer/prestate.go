package tracer

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// account is as much of an account as a transaction looked at. What is nil or zero
// is left out.
type account struct {
	Balance  *hexutil.Big                `json:"balance,omitempty"`
	Code     *hexutil.Bytes              `json:"code,omitempty"` // empty where code was taken away
	CodeHash *common.Hash                `json:"codeHash,omitempty"`
	Nonce    uint64                      `json:"nonce,omitempty"`
	Storage  map[common.Hash]common.Hash `json:"storage,omitempty"`

	code  []byte
	empty bool
}

// About what an account and a slot take besides code.
const (
	accountBytes = 200
	slotBytes    = 140
)

// prestate is prestateTracer: the state that a transaction looked at, as it was
// before, or what it made of it.
type prestate struct {
	DiffMode       bool
	DisableCode    bool
	DisableStorage bool
	IncludeEmpty   bool

	chain         *params.ChainConfig
	budget        *Budget
	env           *tracing.VMContext
	state         tracing.StateDB
	pre, post     map[common.Address]*account
	created, gone map[common.Address]bool
}

func newPrestate(config json.RawMessage, chain *params.ChainConfig, b *Budget) (*Tracer, error) {
	t := &prestate{
		chain: chain, budget: b, pre: make(map[common.Address]*account), post: make(map[common.Address]*account),
		created: make(map[common.Address]bool), gone: make(map[common.Address]bool),
	}
	if err := json.Unmarshal(config, t); err != nil {
		return nil, err
	}
	if t.DiffMode && t.IncludeEmpty {
		return nil, errors.New("cannot use diffMode with includeEmpty")
	}
	return &Tracer{&tracing.Hooks{OnTxStart: t.start, OnTxEnd: t.end, OnOpcode: t.step}, t.result}, nil
}

func (t *prestate) start(env *tracing.VMContext, tx *types.Transaction, from common.Address) {
	t.env, t.state = env, env.StateDB
	t.look(from)
	if to := tx.To(); to != nil {
		t.lookCalled(*to)
	} else {
		t.create(crypto.CreateAddress(from, t.state.GetNonce(from)))
	}
	t.look(env.Coinbase)
	for _, auth := range tx.SetCodeAuthorizations() {
		if authority, err := auth.Authority(); err == nil {
			t.look(authority)
		}
	}
}

// step looks at what an instruction is about to touch.
func (t *prestate) step(_ uint64, code byte, _, _ uint64, scope tracing.OpContext, _ []byte, _ int, err error) {
	if err != nil || t.budget.Left < 0 {
		return
	}
	self, stack := scope.Address(), scope.StackData()
	n := len(stack)
	switch op := vm.OpCode(code); op {
	case vm.SLOAD, vm.SSTORE:
		if n >= 1 {
			t.lookSlot(self, stack[n-1].Bytes32())
		}
	case vm.EXTCODECOPY, vm.EXTCODEHASH, vm.EXTCODESIZE, vm.BALANCE, vm.SELFDESTRUCT:
		if n < 1 {
			return
		}
		t.look(stack[n-1].Bytes20())
		// Since EIP-6780 only what is new in the transaction ends.
		if op == vm.SELFDESTRUCT && (t.created[self] || !t.chain.IsCancun(t.env.BlockNumber, t.env.Time)) {
			t.gone[self] = true
		}
	case vm.CALL, vm.CALLCODE, vm.DELEGATECALL, vm.STATICCALL:
		if n >= 5 {
			t.lookCalled(stack[n-2].Bytes20())
		}
	case vm.CREATE:
		t.create(crypto.CreateAddress(self, t.state.GetNonce(self)))
	case vm.CREATE2:
		if n < 4 {
			return
		}
		if init, ok := slice(scope.MemoryData(), &stack[n-2], &stack[n-3]); ok {
			t.create(crypto.CreateAddress2(self, stack[n-4].Bytes32(), crypto.Keccak256(init)))
		}
	}
}

// slice is a part of memory, which has not grown to it yet: the rest is zeros. What
// ends more than a megabyte behind the memory is passed over, as go-ethereum does.
func slice(memory []byte, offset, size *uint256.Int) ([]byte, bool) {
	from, n := int64(offset.Uint64()), int64(size.Uint64())
	if from < 0 || n < 0 || from+n-int64(len(memory)) > 1<<20 {
		return nil, false
	}
	part := make([]byte, n)
	copy(part, memory[min(from, int64(len(memory))):])
	return part, true
}

func (t *prestate) create(address common.Address) {
	t.look(address)
	t.created[address] = true
}

// lookCalled is look, and looks at what the account delegates to as well (EIP-7702).
func (t *prestate) lookCalled(address common.Address) {
	t.look(address)
	if t.chain.IsPrague(t.env.BlockNumber, t.env.Time) {
		if target, ok := types.ParseDelegation(t.state.GetCode(address)); ok {
			t.look(target)
		}
	}
}

// look notes an account as it is when it is looked at first.
func (t *prestate) look(address common.Address) *account {
	if a := t.pre[address]; a != nil {
		return a
	}
	a := &account{
		Balance: (*hexutil.Big)(t.state.GetBalance(address).ToBig()), Nonce: t.state.GetNonce(address),
		Storage: make(map[common.Hash]common.Hash), code: t.state.GetCode(address),
	}
	t.pre[address] = a
	a.empty = a.Nonce == 0 && a.Balance.ToInt().Sign() == 0 && len(a.code) == 0
	if hash := t.state.GetCodeHash(address); hash != (common.Hash{}) && hash != types.EmptyCodeHash {
		a.CodeHash = &hash
	}
	size := accountBytes
	if len(a.code) > 0 && !t.DisableCode {
		a.Code = (*hexutil.Bytes)(&a.code)
		size += 2 * len(a.code)
	}
	t.budget.take(size)
	return a
}

func (t *prestate) lookSlot(address common.Address, slot common.Hash) {
	a := t.look(address)
	if _, ok := a.Storage[slot]; !ok && !t.DisableStorage && t.budget.take(slotBytes) {
		a.Storage[slot] = t.state.GetState(address, slot)
	}
}

func (t *prestate) end(_ *types.Receipt, err error) {
	if err != nil {
		return
	}
	for address, a := range t.pre {
		if t.DiffMode && !t.gone[address] {
			t.compare(address, a)
		}
		if a.empty && !t.IncludeEmpty {
			delete(t.pre, address)
		}
	}
}

// compare notes what became of an account, and leaves of what was before only what
// is different now.
func (t *prestate) compare(address common.Address, a *account) {
	now := &account{Storage: make(map[common.Hash]common.Hash)}
	changed := false
	if balance := t.state.GetBalance(address).ToBig(); balance.Cmp((*big.Int)(a.Balance)) != 0 {
		now.Balance, changed = (*hexutil.Big)(balance), true
	}
	if nonce := t.state.GetNonce(address); nonce != a.Nonce {
		now.Nonce, changed = nonce, true
	}
	before := types.EmptyCodeHash
	if a.CodeHash != nil {
		before = *a.CodeHash
	}
	if hash := t.state.GetCodeHash(address); hash != before {
		now.CodeHash, changed = &hash, true
	}
	if code := t.state.GetCode(address); !t.DisableCode && !bytes.Equal(code, a.code) {
		now.Code, changed = (*hexutil.Bytes)(&code), true
	}
	for slot, before := range a.Storage {
		value := t.state.GetState(address, slot)
		if value == before || before == (common.Hash{}) {
			delete(a.Storage, slot)
		}
		if value != before {
			changed = true
			if value != (common.Hash{}) {
				now.Storage[slot] = value
			}
		}
	}
	if changed {
		t.post[address] = now
	} else {
		delete(t.pre, address)
	}
}

func (t *prestate) result() (json.RawMessage, error) {
	if !t.DiffMode {
		return json.Marshal(t.pre)
	}
	return json.Marshal(struct {
		Post map[common.Address]*account `json:"post"`
		Pre  map[common.Address]*account `json:"pre"`
	}{t.post, t.pre})
}
