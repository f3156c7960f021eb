package evm

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
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
	block, pre, end, err := b.begin(p.alloc)
	if err != nil {
		return err
	}
	defer end()
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
