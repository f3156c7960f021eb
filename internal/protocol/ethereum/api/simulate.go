package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// registerSimulation adds what runs on an assumed state.
func (a *API) registerSimulation(d *jsonrpc.Dispatcher) {
	heavy, time := jsonrpc.Heavy, jsonrpc.Within(callTime)
	jsonrpc.Handle(d, "eth_createAccessList", a.createAccessList, heavy, time)
	jsonrpc.Handle(d, "eth_fillTransaction", a.fillTransaction, heavy, time)
	jsonrpc.Handle(d, "eth_simulateV1", a.simulate, heavy, time)
}

// Limits of eth_simulateV1. All its calls share callGas, and so do those that begin
// and end its blocks, which bounds what they write; what they return and log is kept until the answer and has its own bound.
const (
	simulatedBlocks = 256 // gaps included
	simulatedCalls  = 1000
	simulatedBytes  = 12 << 20
)

// Error codes of eth_simulateV1 (ethereum/execution-apis).
const (
	codeNonceTooLow      = -38010
	codeNonceTooHigh     = -38011
	codeBaseFeeTooLow    = -38012
	codeIntrinsicGas     = -38013
	codeNoFunds          = -38014
	codeBlockFull        = -38015
	codeBlockNumber      = -38020
	codeBlockTime        = -38021
	codeSenderIsContract = -38024
	codeInitCodeTooLarge = -38025
	codeLimitExceeded    = -38026
	codeCallFailed       = -32015
)

// simulation is what eth_simulateV1 is asked: geth's members.
type simulation struct {
	BlockStateCalls        []simulatedBlock
	TraceTransfers         bool
	Validation             bool
	ReturnFullTransactions bool
}

// simulatedBlock is a block to make: calls on what is assumed before them.
type simulatedBlock struct {
	BlockOverrides blockOverrides
	StateOverrides stateOverrides
	Calls          []callArgs
}

// The members of overrides. Of names that are not known nothing is assumed, which
// is better said than passed over.
var (
	blockMembers = []string{"number", "difficulty", "time", "gasLimit", "feeRecipient", "prevRandao", "baseFeePerGas", "blobBaseFee",
		"beaconRoot", "withdrawals"}
	accountMembers = []string{"nonce", "code", "balance", "state", "stateDiff", "movePrecompileToAddress"}
)

// UnmarshalJSON reads a block and refuses overrides that have unknown members.
func (b *simulatedBlock) UnmarshalJSON(text []byte) error {
	var raw struct {
		BlockOverrides json.RawMessage
		StateOverrides map[common.Address]json.RawMessage
		Calls          []callArgs
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*b = simulatedBlock{Calls: raw.Calls}
	if raw.BlockOverrides != nil {
		if err := members(raw.BlockOverrides, "block override", blockMembers); err != nil {
			return err
		}
		if err := json.Unmarshal(raw.BlockOverrides, &b.BlockOverrides); err != nil {
			return err
		}
	}
	if raw.StateOverrides != nil {
		b.StateOverrides = make(stateOverrides, len(raw.StateOverrides))
	}
	for address, text := range raw.StateOverrides {
		if err := members(text, "state override for "+address.Hex(), accountMembers); err != nil {
			return err
		}
		var account accountOverride
		if err := json.Unmarshal(text, &account); err != nil {
			return err
		}
		b.StateOverrides[address] = account
	}
	return nil
}

// members refuses an object with a member that is not among names, or with two
// that differ in case only.
func members(text json.RawMessage, what string, names []string) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil // the decoder that follows says what it wants
	}
	seen := make(map[int]string)
	for _, member := range slices.Sorted(maps.Keys(object)) {
		i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, member) })
		if i < 0 {
			return fmt.Errorf("unknown field %.100q in %s", member, what)
		}
		if other, ok := seen[i]; ok {
			return fmt.Errorf("keys %q and %q in %s name the same field", other, member, what)
		}
		seen[i] = member
	}
	return nil
}

// check compares a simulation with its limits.
func (s *simulation) check() error {
	calls := 0
	for i := range s.BlockStateCalls {
		calls += len(s.BlockStateCalls[i].Calls)
	}
	switch {
	case len(s.BlockStateCalls) == 0:
		return jsonrpc.InvalidParams("empty input")
	case len(s.BlockStateCalls) > simulatedBlocks:
		return errTooManyBlocks
	case calls > simulatedCalls:
		return simulationError(codeLimitExceeded, "too many calls: %d > %d", calls, simulatedCalls)
	}
	return nil
}

var errTooManyBlocks = simulationError(codeLimitExceeded, "too many blocks")

func simulationError(code int, format string, args ...any) *jsonrpc.Error {
	return &jsonrpc.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// simulate makes the blocks that would come if calls were transactions, on a state
// that is assumed. Nothing of it is kept.
func (a *API) simulate(ctx context.Context, _ *caller.Caller, p *struct {
	Simulation simulation
	Block      blockRef `rpc:"optional"`
}) (any, error) {
	if err := p.Simulation.check(); err != nil {
		return nil, err
	}
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	s := &simulator{
		simulation: &p.Simulation, api: a, moment: m, state: a.Machine.Overlay(m), gas: callGas, around: callGas, room: simulatedBytes,
	}
	err = s.run(ctx)
	if err = cmp.Or(m.Err(), err); err != nil {
		return nil, err
	}
	return simulationShape{s.made, p.Simulation.ReturnFullTransactions}, nil
}

// simulationShape is geth's result: blocks that also have their calls.
type simulationShape struct {
	blocks []madeBlock
	full   bool
}

// AppendJSON implements jsonrpc.Appender.
func (s simulationShape) AppendJSON(dst []byte) []byte {
	return appendList(dst, len(s.blocks), func(dst []byte, i int) []byte {
		b := &s.blocks[i]
		dst = blockShape{b.Block, s.full}.AppendJSON(dst)
		o := &object{dst[:len(dst)-1]} // the block is continued
		o.name("calls")
		o.dst = appendList(o.dst, len(b.calls), func(dst []byte, i int) []byte { return b.calls[i].AppendJSON(dst) })
		return o.end()
	})
}

// AppendJSON implements jsonrpc.Appender.
func (c *madeCall) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.data("returnData", c.output)
	o.name("logs")
	o.dst = logsShape(c.logs).AppendJSON(o.dst)
	o.quantity("gasUsed", c.gas)
	o.quantity("maxUsedGas", c.peak)
	if c.failure == nil {
		o.quantity("status", 1)
		return o.end()
	}
	o.quantity("status", 0)
	o.name("error")
	e := begin(o.dst)
	e.name("message")
	e.dst = jsonrpc.AppendString(e.dst, c.failure.Message)
	e.name("code")
	e.dst = fmt.Append(e.dst, c.failure.Code)
	if data, ok := c.failure.Data.(string); ok {
		e.name("data")
		e.dst = jsonrpc.AppendString(e.dst, data)
	}
	o.dst = e.end()
	return o.end()
}
