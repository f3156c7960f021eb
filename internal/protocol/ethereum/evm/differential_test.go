package evm

import (
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	ethtests "github.com/ethereum/go-ethereum/tests"
	"github.com/holiman/uint256"
)

// TestAgainstLibrary runs random programs, three transactions each, on State and
// on go-ethereum's own StateDB, under rules from Frontier to Osaka, and compares
// everything that can be seen: refusals, gas, output, logs, what a tracer is
// told, and the state root at the end. Rules before Cancun get one transaction
// (see the package comment on accounts that end).
func TestAgainstLibrary(t *testing.T) {
	bench := newStateBench(t)
	for seed := range *programs {
		p := newProgram(seed)
		if err := p.compare(bench); err != nil {
			t.Fatalf("seed %d, %s: %v", seed, p.fork, err)
		}
	}
}

var programs = flag.Uint64("programs", 1500, "how many random programs TestAgainstLibrary runs")

var update = flag.Bool("update", false, "write testdata/statetests anew")

// TestWriteFixtures writes some of the programs as state tests, filled by
// go-ethereum's StateDB. It does so only with -update; without, it checks that
// the files are there.
func TestWriteFixtures(t *testing.T) {
	dir := filepath.Join("testdata", "statetests")
	if *update {
		for n := range 2 {
			fixtures := make(map[string]any)
			for seed := uint64(10_000 + 30*n); seed < uint64(10_030+30*n); seed++ {
				p := newProgram(seed)
				p.messages, p.signed = p.messages[:1], p.signed[:1]
				fixtures[fmt.Sprintf("program-%d", seed)] = p.fixture(t)
			}
			data, err := json.MarshalIndent(fixtures, "", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("programs-%d.json", n)), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
}

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

func (a *assembler) address(v common.Address) { *a = append(append(*a, byte(vm.PUSH20)), v[:]...) }

// memory leaves data in memory from 0 on.
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

// seen is all that can be seen of a transaction.
type seen struct {
	refused bool
	gas     uint64
	output  string
	failed  string
	logs    string
	trace   []string
}

// recorder writes down what a tracer is told of changes of state.
func recorder(into *[]string) *tracing.Hooks {
	say := func(format string, args ...any) { *into = append(*into, fmt.Sprintf(format, args...)) }
	return &tracing.Hooks{
		OnBalanceChange: func(a common.Address, before, after *big.Int, reason tracing.BalanceChangeReason) {
			say("balance %v %v %v %v", a, before, after, reason)
		},
		OnNonceChangeV2: func(a common.Address, before, after uint64, reason tracing.NonceChangeReason) {
			say("nonce %v %v %v %v", a, before, after, reason)
		},
		OnCodeChangeV2: func(a common.Address, hash common.Hash, code []byte, newHash common.Hash, newCode []byte, reason tracing.CodeChangeReason) {
			say("code %v %v %x %v %x %v", a, hash, code, newHash, newCode, reason)
		},
		OnStorageChange: func(a common.Address, slot, before, after common.Hash) {
			say("slot %v %v %v %v", a, slot, before, after)
		},
		OnLog: func(l *types.Log) { say("log %v %v %x", l.Address, l.Topics, l.Data) },
	}
}

func (p *program) compare(b *stateBench) error {
	want, root := p.library()
	block, err := b.store.Begin(1)
	if err != nil {
		return err
	}
	defer b.store.Rollback(0)
	defer block.Discard()
	pre := block.Tx()
	for address, account := range p.alloc {
		if err := b.put(pre, address, account); err != nil {
			return err
		}
	}
	if err := pre.Commit(); err != nil {
		return err
	}
	var trace []string
	hooks := recorder(&trace)
	context := p.block()
	x := &Executor{machine: &Machine{Rules{Config: p.config, Paid: true}, b.ids, b.codes}, block: context, hooks: hooks, state: newState(b.ids, b.codes, hooks)}
	defer x.Close()
	for i, msg := range p.messages {
		trace = nil
		tx := block.Tx()
		r, err := x.run(tx, msg, nil)
		got := seen{refused: err != nil}
		if err == nil {
			got.gas, got.output, got.failed = r.GasUsed, string(r.Output), fmt.Sprint(r.Err)
			x.state.Finalise(x.rules())
			if err := x.state.flush(tx); err != nil {
				return err
			}
			if err := tx.Commit(); err != nil {
				return err
			}
			got.logs, got.trace = logsText(r.Logs), trace
		}
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			return fmt.Errorf("transaction %d:\n got %v\nwant %v", i, got, want[i])
		}
	}
	delta, err := block.Seal()
	if err != nil {
		return err
	}
	if got := b.root(delta.Writes()); got != root {
		return fmt.Errorf("state root %v, want %v", got, root)
	}
	return nil
}

// library runs the program on go-ethereum's StateDB.
func (p *program) library() (results []seen, root common.Hash) {
	pre := ethtests.MakePreState(rawdb.NewMemoryDatabase(), p.alloc, false, rawdb.HashScheme)
	defer pre.Close()
	var trace []string
	hooks := recorder(&trace)
	hooked := gethstate.NewHookedState(pre.StateDB, hooks)
	e := vm.NewEVM(p.block(), hooked, p.config, vm.Config{Tracer: hooks})
	for i, msg := range p.messages {
		trace = nil
		pre.StateDB.SetTxContext(common.BigToHash(big.NewInt(int64(i))), i, 0)
		snapshot := pre.StateDB.Snapshot()
		r, err := core.ApplyMessage(e, msg, nil)
		if err != nil {
			pre.StateDB.RevertToSnapshot(snapshot)
			results = append(results, seen{refused: true})
			continue
		}
		logs := pre.StateDB.GetLogs(common.BigToHash(big.NewInt(int64(i))), 0, common.Hash{}, 0)
		hooked.Finalise(p.rules())
		results = append(results, seen{
			gas: r.UsedGas, output: string(r.ReturnData), failed: fmt.Sprint(r.Err), logs: logsText(logs), trace: slices.Clone(trace),
		})
	}
	return results, pre.StateDB.IntermediateRoot(p.rules())
}

func logsText(logs []*types.Log) (s string) {
	for _, l := range logs {
		s += fmt.Sprintf("%v %v %x\n", l.Address, l.Topics, l.Data)
	}
	return s
}

// fixture is the program's first transaction as a state test, with what
// go-ethereum's StateDB makes of it.
func (p *program) fixture(t *testing.T) any {
	pre := ethtests.MakePreState(rawdb.NewMemoryDatabase(), p.alloc, false, rawdb.HashScheme)
	defer pre.Close()
	msg, tx, block := p.messages[0], p.signed[0], p.block()
	e := vm.NewEVM(block, pre.StateDB, p.config, vm.Config{})
	snapshot := pre.StateDB.Snapshot()
	_, err := core.ApplyMessage(e, msg, nil)
	var logs []*types.Log
	post := map[string]any{"indexes": map[string]int{"data": 0, "gas": 0, "value": 0}}
	if err != nil {
		pre.StateDB.RevertToSnapshot(snapshot)
		post["expectException"] = err.Error()
	} else {
		pre.StateDB.AddBalance(coinbase, new(uint256.Int), tracing.BalanceChangeUnspecified)
		logs = pre.StateDB.Logs()
	}
	post["hash"] = pre.StateDB.IntermediateRoot(p.rules())
	post["logs"] = crypto.Keccak256Hash(mustRLP(logs))
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	post["txbytes"] = hexutil.Bytes(raw)
	to := ""
	if tx.To() != nil {
		to = tx.To().Hex()
	}
	transaction := map[string]any{
		"nonce": hexutil.Uint64(tx.Nonce()), "to": to, "sender": msg.From, "data": []hexutil.Bytes{tx.Data()},
		"gasLimit": []hexutil.Uint64{hexutil.Uint64(tx.Gas())}, "value": []*hexutil.Big{(*hexutil.Big)(tx.Value())},
	}
	if tx.Type() >= types.DynamicFeeTxType {
		transaction["maxFeePerGas"] = (*hexutil.Big)(tx.GasFeeCap())
		transaction["maxPriorityFeePerGas"] = (*hexutil.Big)(tx.GasTipCap())
	} else {
		transaction["gasPrice"] = (*hexutil.Big)(tx.GasPrice())
	}
	if list := tx.AccessList(); list != nil {
		transaction["accessLists"] = []types.AccessList{list}
	}
	if list := tx.SetCodeAuthorizations(); list != nil {
		var auths []map[string]any
		for _, a := range list {
			auths = append(auths, map[string]any{
				"chainId": (*hexutil.Big)(a.ChainID.ToBig()), "address": a.Address, "nonce": hexutil.Uint64(a.Nonce),
				"v": hexutil.Uint64(a.V), "r": (*hexutil.Big)(a.R.ToBig()), "s": (*hexutil.Big)(a.S.ToBig()),
			})
		}
		transaction["authorizationList"] = auths
	}
	env := map[string]any{
		"currentCoinbase": coinbase, "currentDifficulty": (*hexutil.Big)(block.Difficulty), "currentGasLimit": hexutil.Uint64(block.GasLimit),
		"currentNumber": hexutil.Uint64(1), "currentTimestamp": hexutil.Uint64(block.Time), "currentExcessBlobGas": hexutil.Uint64(0),
	}
	if block.BaseFee != nil {
		env["currentBaseFee"] = (*hexutil.Big)(block.BaseFee)
	}
	if block.Random != nil {
		env["currentRandom"] = block.Random
	}
	return map[string]any{
		"env": env, "pre": p.alloc, "transaction": transaction, "post": map[string]any{p.fork: []any{post}},
	}
}
