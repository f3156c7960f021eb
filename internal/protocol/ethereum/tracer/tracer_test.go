package tracer

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/problem"
)

// What is no tracer, or no options of one, is refused.
func TestNew(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"", `{}`, "TRACER_UNKNOWN"},
		{"{step: function() {}}", `{}`, "TRACER_UNKNOWN"},
		{"muxTracer", `{"flatCallTracer":{}}`, "TRACER_UNKNOWN"},
		{"muxTracer", `{"callTracer":{},"muxTracer":{}}`, "inside a muxTracer"},
		{"muxTracer", `{"callTracer":[]}`, "cannot unmarshal array"},
		{"muxTracer", `[]`, "cannot unmarshal array"},
		{"callTracer", `{"withLog":1}`, "cannot unmarshal number"},
		{"prestateTracer", `7`, "cannot unmarshal number"},
		{"prestateTracer", `{"diffMode":true,"includeEmpty":true}`, "cannot use diffMode with includeEmpty"},
	} {
		_, err := New(c.name, []byte(c.config), params.MergedTestChainConfig, &Budget{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v", c.name, c.config, err)
		}
	}
	var p *problem.Error
	if _, err := New(strings.Repeat("x", 1<<20), nil, nil, nil); !errors.As(err, &p) || len(p.What) > 200 {
		t.Errorf("a long name is repeated: %.300v", err)
	}
}

// state has nothing but code.
type state struct{ tracing.StateDB }

func (state) GetBalance(common.Address) *uint256.Int                        { return new(uint256.Int) }
func (state) GetNonce(common.Address) uint64                                { return 0 }
func (state) GetCode(common.Address) []byte                                 { return make([]byte, 10_000) }
func (state) GetCodeHash(common.Address) common.Hash                        { return common.Hash{1} }
func (state) GetState(common.Address, common.Hash) (v common.Hash)          { return v }
func (state) GetTransientState(common.Address, common.Hash) (v common.Hash) { return v }

// A tracer says once that the budget is spent, keeps nothing from then on, and
// takes whatever the rest of the run tells it.
func TestBudget(t *testing.T) {
	env := &tracing.VMContext{BlockNumber: new(big.Int), Random: new(common.Hash), StateDB: state{}}
	to := common.Address{1}
	tx := types.NewTx(&types.LegacyTx{To: &to, Gas: 1 << 20})
	for _, config := range []string{`{"callTracer":{"withLog":true}}`, `{"prestateTracer":{}}`, `{"4byteTracer":{}}`, `{"callTracer":{},"prestateTracer":{"disableCode":true},"4byteTracer":{}}`} {
		full := 0
		b := &Budget{Left: 100_000, Full: func() { full++ }}
		tr, err := New("muxTracer", []byte(config), params.MergedTestChainConfig, b)
		if err != nil {
			t.Fatal(err)
		}
		h := tr.Hooks
		h.OnTxStart(env, tx, common.Address{2})
		h.OnEnter(0, byte(vm.CALL), common.Address{2}, to, nil, 1, nil)
		for i := range uint32(20_000) {
			input := make([]byte, 40)
			input[0], input[1], input[2], input[3] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
			callee := common.BytesToAddress(input[:4])
			callee[0] = 7
			h.OnEnter(1, byte(vm.CALL), to, callee, input, 1, new(big.Int))
			h.OnLog(&types.Log{Data: input})
			if h.OnOpcode != nil {
				h.OnOpcode(0, byte(vm.BALANCE), 0, 0, scope{callee}, nil, 2, nil)
				h.OnOpcode(0, byte(vm.SLOAD), 0, 0, scope{callee}, nil, 2, nil)
			}
			h.OnExit(1, input, 1, nil, false)
		}
		h.OnExit(0, nil, 1, vm.ErrExecutionReverted, true)
		h.OnTxEnd(&types.Receipt{}, nil)
		result, err := tr.Result()
		if full != 1 || b.Left >= 0 || len(result) > 200_000 {
			t.Errorf("%s: full %d times, %d left, %d bytes, %v", config, full, b.Left, len(result), err)
		}
	}
}

// scope is a step of a contract with an address on the stack.
type scope struct{ address common.Address }

func (s scope) MemoryData() []byte { return nil }
func (s scope) StackData() []uint256.Int {
	return []uint256.Int{*new(uint256.Int).SetBytes(s.address[:])}
}
func (s scope) Caller() common.Address  { return s.address }
func (s scope) Address() common.Address { return s.address }
func (s scope) CallValue() *uint256.Int { return new(uint256.Int) }
func (s scope) CallInput() []byte       { return nil }
func (s scope) ContractCode() []byte    { return nil }

func TestSlice(t *testing.T) {
	memory := []byte{1, 2, 3, 4}
	for _, c := range []struct {
		offset, size uint64
		want         string
		ok           bool
	}{
		{0, 4, "\x01\x02\x03\x04", true}, {1, 2, "\x02\x03", true}, {3, 3, "\x04\x00\x00", true}, {4, 2, "\x00\x00", true},
		{9, 0, "", true}, {1 << 20, 2, "\x00\x00", true}, {1 << 20, 5, "", false}, {1 << 21, 0, "", false}, {1 << 63, 0, "", false}, {0, 1 << 63, "", false},
	} {
		got, ok := slice(memory, uint256.NewInt(c.offset), uint256.NewInt(c.size))
		if string(got) != c.want || ok != c.ok {
			t.Errorf("%d %d: %x %v", c.offset, c.size, got, ok)
		}
	}
}
