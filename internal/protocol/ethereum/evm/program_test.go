package evm

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/rand/v2"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	ethtests "github.com/ethereum/go-ethereum/tests"
	"github.com/holiman/uint256"
)

// forks are the rules that programs run under; later ones come more often.
var forks = []string{
	"Frontier", "Homestead", "EIP150", "EIP158", "Byzantium", "Constantinople", "ConstantinopleFix", "Istanbul",
	"Berlin", "London", "Merge", "Shanghai", "Cancun", "Cancun", "Prague", "Prague", "Osaka", "Osaka", "Osaka", "Osaka",
}

// program is a random state and random transactions on it.
type program struct {
	*rand.Rand
	fork     string
	config   *params.ChainConfig
	keys     []*ecdsa.PrivateKey
	alloc    types.GenesisAlloc
	all      []common.Address
	messages []*core.Message
	signed   []*types.Transaction
}

func newProgram(seed uint64) *program {
	p := &program{Rand: rand.New(rand.NewPCG(seed, 1)), alloc: make(types.GenesisAlloc)}
	p.fork = forks[p.IntN(len(forks))]
	p.config = ethtests.Forks[p.fork]
	for i := range 3 {
		key, _ := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i)}))
		p.keys = append(p.keys, key)
		address := crypto.PubkeyToAddress(key.PublicKey)
		p.all = append(p.all, address)
		p.alloc[address] = types.Account{Balance: big.NewInt(1e18), Nonce: uint64(p.IntN(3))}
	}
	for i := range byte(4) {
		p.all = append(p.all, common.BytesToAddress([]byte{0xc0, i}))
	}
	p.all = append(p.all, common.BytesToAddress([]byte{0xee}), common.BytesToAddress([]byte{0xef}), coinbase)
	for i := range byte(11) {
		p.all = append(p.all, common.BytesToAddress([]byte{i}))
	}
	p.alloc[p.all[7]] = types.Account{Balance: new(big.Int)} // exists and is empty, where EIP-161 allows it
	p.alloc[common.BytesToAddress([]byte{3})] = types.Account{Balance: new(big.Int)}
	if p.rules().IsEIP158 && p.IntN(2) == 0 {
		delete(p.alloc, p.all[7])
		delete(p.alloc, common.BytesToAddress([]byte{3}))
	}
	for _, address := range p.all[3:7] {
		storage := make(map[common.Hash]common.Hash)
		for range p.IntN(4) {
			storage[p.word(4)] = p.word(3)
		}
		for slot, value := range storage {
			if value == (common.Hash{}) {
				delete(storage, slot)
			}
		}
		p.alloc[address] = types.Account{
			Balance: big.NewInt(int64(p.IntN(1000))), Nonce: uint64(1 + p.IntN(2)), Code: p.code(3, 12), Storage: storage,
		}
	}
	if p.rules().IsPrague && p.IntN(2) == 0 { // an account that delegated before
		a := p.alloc[p.all[1]]
		a.Code, a.Nonce = types.AddressToDelegation(p.all[3+p.IntN(4)]), a.Nonce+1
		p.alloc[p.all[1]] = a
	}
	p.transactions()
	return p
}

var coinbase = common.BytesToAddress([]byte{0xcb})

func (p *program) rules() params.Rules {
	b := p.block()
	return p.config.Rules(b.BlockNumber, b.Random != nil, b.Time)
}

func (p *program) block() vm.BlockContext {
	b := vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, Coinbase: coinbase,
		GetHash:     func(n uint64) common.Hash { return crypto.Keccak256Hash(big.NewInt(int64(n)).Append(nil, 10)) },
		BlockNumber: big.NewInt(1), Time: 1000, GasLimit: 30_000_000, Difficulty: big.NewInt(0x20000),
	}
	if p.config.IsLondon(b.BlockNumber) {
		b.BaseFee = big.NewInt(7)
	}
	if p.config.TerminalTotalDifficulty != nil {
		b.Random, b.Difficulty = new(common.Hash), new(big.Int)
	}
	if p.config.IsCancun(b.BlockNumber, b.Time) {
		b.BlobBaseFee = big.NewInt(1)
	}
	return b
}

func (p *program) transactions() {
	nonces := make(map[int]uint64)
	for n := range 3 {
		sender := p.IntN(2)
		from := p.all[sender]
		if _, ok := nonces[sender]; !ok {
			nonces[sender] = p.alloc[from].Nonce
		}
		nonce := nonces[sender]
		nonces[sender]++
		if p.IntN(20) == 0 {
			nonce += uint64(p.IntN(3)) // maybe refused
		}
		var to *common.Address
		var data []byte
		if p.IntN(5) > 0 {
			to = &p.all[p.IntN(len(p.all))]
			data = p.code(0, 2)
		} else {
			data = p.initCode(2)
		}
		value, price := big.NewInt(int64(p.IntN(3)*p.IntN(100))), big.NewInt(int64(7+p.IntN(10)))
		gas := uint64(21_000 + p.IntN(400_000))
		var list types.AccessList
		if p.rules().IsBerlin && p.IntN(3) == 0 {
			list = types.AccessList{{Address: p.address(), StorageKeys: []common.Hash{p.word(4), p.word(4)}}, {Address: p.address(), StorageKeys: []common.Hash{}}}
		}
		var inner types.TxData = &types.LegacyTx{Nonce: nonce, To: to, Value: value, Gas: gas, GasPrice: price, Data: data}
		switch {
		case p.rules().IsPrague && to != nil && p.IntN(2) == 0:
			inner = &types.SetCodeTx{
				ChainID: uint256.MustFromBig(p.config.ChainID), Nonce: nonce, To: *to, Value: uint256.MustFromBig(value), Gas: gas + 100_000,
				GasFeeCap: uint256.MustFromBig(price), GasTipCap: uint256.NewInt(1), Data: data, AccessList: list, AuthList: p.authorizations(),
			}
		case p.rules().IsLondon && p.IntN(2) == 0:
			inner = &types.DynamicFeeTx{
				ChainID: p.config.ChainID, Nonce: nonce, To: to, Value: value, Gas: gas, GasFeeCap: price, GasTipCap: big.NewInt(1), Data: data, AccessList: list,
			}
		case list != nil:
			inner = &types.AccessListTx{
				ChainID: p.config.ChainID, Nonce: nonce, To: to, Value: value, Gas: gas, GasPrice: price, Data: data, AccessList: list,
			}
		}
		block := p.block()
		signer := types.MakeSigner(p.config, block.BlockNumber, block.Time)
		tx := types.MustSignNewTx(p.keys[sender], signer, inner)
		msg, err := core.TransactionToMessage(tx, signer, block.BaseFee)
		if err != nil {
			panic(err)
		}
		p.messages, p.signed = append(p.messages, msg), append(p.signed, tx)
		if n == 0 && !p.rules().IsCancun {
			return
		}
	}
}

func (p *program) authorizations() (list []types.SetCodeAuthorization) {
	for range 1 + p.IntN(3) {
		signer := p.IntN(3)
		auth := types.SetCodeAuthorization{
			ChainID: *uint256.NewInt(uint64(p.IntN(2))), Nonce: p.alloc[p.all[signer]].Nonce + uint64(p.IntN(3)),
		}
		if p.IntN(4) > 0 {
			auth.Address = p.address()
		}
		signed, err := types.SignSetCode(p.keys[signer], auth)
		if err != nil {
			panic(err)
		}
		list = append(list, signed)
	}
	return list
}

func (p *program) address() common.Address { return p.all[p.IntN(len(p.all))] }

func (p *program) word(n int) common.Hash { return common.BytesToHash([]byte{byte(p.IntN(n))}) }

// assembler writes code.
type assembler []byte

func (a *assembler) op(ops ...vm.OpCode) {
	for _, o := range ops {
		*a = append(*a, byte(o))
	}
}

func (a *assembler) push(v uint64) {
	*a = append(*a, byte(vm.PUSH8))
	*a = binary.BigEndian.AppendUint64(*a, v)
}

// memory leaves data in memory from 0 on.
func (a *assembler) address(v common.Address) { *a = append(append(*a, byte(vm.PUSH20)), v[:]...) }

func (a *assembler) memory(data []byte) {
	for i := 0; i < len(data); i += 32 {
		var word [32]byte
		copy(word[:], data[i:])
		*a = append(append(*a, byte(vm.PUSH32)), word[:]...)
		a.push(uint64(i))
		a.op(vm.MSTORE)
	}
}

// code is a random program of some steps, which creates contracts to the depth.
func (p *program) code(depth, steps int) []byte {
	var a assembler
	for range steps {
		p.step(&a, depth)
	}
	switch p.IntN(8) {
	case 0:
		a.push(uint64(p.IntN(40)))
		a.push(0)
		a.op(vm.REVERT)
	case 1:
		a.op(vm.INVALID)
	case 2:
		a.address(p.address())
		a.op(vm.SELFDESTRUCT)
	default:
		a.push(32)
		a.push(0)
		a.op(vm.RETURN)
	}
	return a
}

// initCode runs a little and deploys a random program.
func (p *program) initCode(depth int) []byte {
	var a assembler
	for range p.IntN(4) {
		p.step(&a, depth-1)
	}
	if p.IntN(6) == 0 {
		a.address(p.address())
		a.op(vm.SELFDESTRUCT)
	}
	deployed := p.code(depth-1, 3)
	a.memory(deployed)
	a.push(uint64(len(deployed)))
	a.push(0)
	a.op(vm.RETURN)
	return a
}

func (p *program) step(a *assembler, depth int) {
	switch n := p.IntN(20); {
	case n < 4:
		a.push(uint64(p.IntN(3)))
		a.push(uint64(p.IntN(4)))
		a.op(vm.SSTORE)
	case n < 6:
		a.push(uint64(p.IntN(4)))
		a.op(vm.SLOAD)
		a.push(uint64(p.IntN(4)))
		a.op(vm.SSTORE)
	case n == 6 && p.rules().IsCancun:
		a.push(uint64(p.IntN(4)))
		a.op(vm.TLOAD)
		a.push(1)
		a.op(vm.ADD, vm.DUP1)
		a.push(uint64(p.IntN(4)))
		a.op(vm.TSTORE)
		a.push(uint64(p.IntN(4)))
		a.op(vm.SSTORE)
	case n == 7:
		a.address(p.address())
		a.op([]vm.OpCode{vm.BALANCE, vm.EXTCODESIZE, vm.EXTCODEHASH}[p.IntN(3)])
		a.push(uint64(p.IntN(4)))
		a.op(vm.SSTORE)
	case n == 8:
		topics := p.IntN(3)
		for range topics {
			a.op(vm.GAS)
		}
		a.push(uint64(p.IntN(40)))
		a.push(0)
		a.op(vm.LOG0 + vm.OpCode(topics))
	case n < 11 && depth > 0:
		p.create(a, depth)
	case n == 11:
		a.op(vm.CALLER, vm.SELFBALANCE)
		a.op(vm.POP, vm.POP)
	default:
		p.call(a)
	}
}

func (p *program) create(a *assembler, depth int) {
	code := p.initCode(depth)
	a.memory(code)
	two := p.rules().IsConstantinople && p.IntN(2) == 0
	if two {
		a.push(uint64(p.IntN(2)))
	}
	a.push(uint64(len(code)))
	a.push(0)
	a.push(uint64(p.IntN(3)))
	if two {
		a.op(vm.CREATE2)
	} else {
		a.op(vm.CREATE)
	}
	if p.IntN(2) == 0 { // call what was created
		a.push(0)
		a.op(vm.DUP1, vm.DUP1, vm.DUP1, vm.DUP1)
		a.op(vm.DUP1 + 5)
		a.push(50_000)
		a.op(vm.CALL, vm.POP)
	}
	a.op(vm.POP)
}

func (p *program) call(a *assembler) {
	a.push(32)
	a.push(0)
	a.push(32)
	a.push(0)
	kind := []vm.OpCode{vm.CALL, vm.CALL, vm.CALL, vm.CALLCODE, vm.DELEGATECALL, vm.STATICCALL}[p.IntN(6)]
	if kind == vm.STATICCALL && !p.rules().IsByzantium || kind == vm.DELEGATECALL && !p.rules().IsHomestead {
		kind = vm.CALL
	}
	if kind == vm.CALL || kind == vm.CALLCODE {
		a.push(uint64(p.IntN(2) * p.IntN(5)))
	}
	a.address(p.address())
	a.push(uint64(p.IntN(4) * 20_000))
	a.op(kind, vm.POP)
}
