package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native"
	ethtests "github.com/ethereum/go-ethereum/tests"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/tracer"
)

// tracings are the tracers that TestTraces compares, with their configurations.
var tracings = []struct{ name, config string }{
	{"", `{}`},
	{"", `{"EnableMemory":true,"EnableReturnData":true}`},
	{"callTracer", `{}`},
	{"callTracer", `{"withLog":true}`},
	{"callTracer", `{"onlyTopCall":true,"withLog":true}`},
	{"noopTracer", `{}`},
	{"prestateTracer", `{}`},
	{"prestateTracer", `{"includeEmpty":true,"disableCode":true}`},
	{"prestateTracer", `{"diffMode":true}`},
	{"prestateTracer", `{"diffMode":true,"disableStorage":true}`},
	{"4byteTracer", `{}`},
	{"muxTracer", `{"callTracer":{"withLog":true},"prestateTracer":{"diffMode":true},"4byteTracer":{}}`},
}

// TestTraces traces random programs on State with our tracers, and on go-ethereum's
// own StateDB with go-ethereum's, and compares what they give, byte for byte. Gas
// is free on both.
func TestTraces(t *testing.T) {
	bench := newStateBench(t)
	for seed := range *programs / 4 {
		p := newProgram(1<<20 + 600 + seed)
		for _, msg := range p.messages {
			msg.GasPrice, msg.GasFeeCap, msg.GasTipCap = new(uint256.Int), new(uint256.Int), new(uint256.Int)
		}
		for _, c := range tracings {
			if err := p.compareTraces(bench, c.name, c.config); err != nil {
				t.Fatalf("seed %d, %s, %s %s: %v", seed, p.fork, c.name, c.config, err)
			}
		}
	}
}

// ours and theirs make a tracer.
func (p *program) ours(name, config string) *tracer.Tracer {
	if name == "" {
		l := steps(config)
		return &tracer.Tracer{Hooks: l.Hooks(), Result: l.GetResult}
	}
	t, err := tracer.New(name, json.RawMessage(config), p.config, &tracer.Budget{Left: 1 << 30})
	if err != nil {
		panic(err)
	}
	return t
}

func (p *program) theirs(name, config string, i int) *tracers.Tracer {
	if name == "" {
		l := steps(config)
		return &tracers.Tracer{Hooks: l.Hooks(), GetResult: l.GetResult}
	}
	where := &tracers.Context{BlockNumber: big.NewInt(1), TxIndex: i, TxHash: p.signed[i].Hash()}
	t, err := tracers.DefaultDirectory.New(name, where, json.RawMessage(config), p.config)
	if err != nil {
		panic(err)
	}
	return t
}

func steps(config string) *logger.StructLogger {
	var c logger.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		panic(err)
	}
	return logger.NewStructLogger(&c)
}

// free is the program's block without a base fee.
func (p *program) free() vm.BlockContext {
	b := p.block()
	if b.BaseFee != nil {
		b.BaseFee = new(big.Int)
	}
	return b
}

func (p *program) compareTraces(b *stateBench, name, config string) error {
	want := p.libraryTraces(name, config)
	_, pre, end, err := b.begin(p.alloc)
	if err != nil {
		return err
	}
	defer end()
	machine := &Machine{Rules{Config: p.config}, b.ids, b.codes}
	state := machine.Overlay(pre)
	x := &Executor{machine: machine, block: p.free(), state: newState(b.ids, b.codes, nil)}
	defer x.Close()
	for i, tx := range p.signed {
		t := p.ours(name, config)
		var got string
		if _, err := x.Trace(context.Background(), state, tx, MessageOf(tx, p.messages[i].From), t.Hooks); err == nil {
			got = text(t.Result())
		}
		if got != want[i] {
			return fmt.Errorf("transaction %d:\n got %s\nwant %s", i, got, want[i])
		}
	}
	return nil
}

// libraryTraces gives the traces on go-ethereum's StateDB, "" for a transaction
// that was refused.
func (p *program) libraryTraces(name, config string) (results []string) {
	pre := ethtests.MakePreState(rawdb.NewMemoryDatabase(), p.alloc, false, rawdb.HashScheme)
	defer pre.Close()
	for i, tx := range p.signed {
		t := p.theirs(name, config, i)
		e := vm.NewEVM(p.free(), gethstate.NewHookedState(pre.StateDB, t.Hooks), p.config, vm.Config{Tracer: t.Hooks, NoBaseFee: true})
		pre.StateDB.SetTxContext(tx.Hash(), i, uint32(i+1))
		snapshot := pre.StateDB.Snapshot()
		_, _, err := core.ApplyTransactionWithEVM(context.Background(), p.messages[i], core.NewGasPool(tx.Gas()), pre.StateDB,
			big.NewInt(1), common.Hash{}, 1000, tx, e)
		e.Release()
		if err != nil {
			pre.StateDB.RevertToSnapshot(snapshot)
			results = append(results, "")
			continue
		}
		results = append(results, text(t.GetResult()))
	}
	return results
}

func text(result json.RawMessage, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(result)
}

// A trace ends with its context, and what the tracer saw is not shown.
func TestTraceEnds(t *testing.T) {
	r := newRig(t)
	loop := common.Address{0x10}
	state := r.Overlay(r.block.Tx())
	state.SetCode(loop, []byte{byte(vm.JUMPDEST), byte(vm.PUSH0), byte(vm.JUMP)})
	tx := types.NewTx(&types.LegacyTx{To: &loop, Gas: 1 << 40})
	x := r.Simulator(testBlock(), nil, Lenient)
	defer x.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	steps := 0
	hooks := *(&program{config: r.Rules().Config}).ours("callTracer", "{}").Hooks
	hooks.OnOpcode = func(uint64, byte, uint64, uint64, tracing.OpContext, []byte, int, error) {
		if steps++; steps == 1000 {
			cancel(errors.New("enough"))
		}
	}
	hooks.OnTxEnd = func(*types.Receipt, error) { t.Error("the tracer was told of an end") }
	_, err := x.Trace(ctx, state, tx, MessageOf(tx, alice), &hooks)
	if !errors.Is(err, ErrCallTimeout) || steps < 1000 {
		t.Errorf("%d steps, %v", steps, err)
	}
	// The executor is good for another transaction.
	small := types.NewTx(&types.LegacyTx{To: &common.Address{1}, Gas: 100_000})
	if res, err := x.Trace(t.Context(), state, small, MessageOf(small, alice), nil); err != nil || res.Err != nil {
		t.Errorf("%+v, %v", res, err)
	}
}
