package tracer

import (
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
)

// frame is a call, a creation or an account's end, with those inside it.
type frame struct {
	From    common.Address  `json:"from"`
	Gas     hexutil.Uint64  `json:"gas"`
	GasUsed hexutil.Uint64  `json:"gasUsed"`
	To      *common.Address `json:"to,omitempty"`
	Input   hexutil.Bytes   `json:"input"`
	Output  hexutil.Bytes   `json:"output,omitempty"`
	Error   string          `json:"error,omitempty"`
	Reason  string          `json:"revertReason,omitempty"`
	Calls   []*frame        `json:"calls,omitempty"`
	Logs    []frameLog      `json:"logs,omitempty"`
	Value   *hexutil.Big    `json:"value,omitempty"`
	Type    string          `json:"type"`
}

// frameLog is a log of a frame. Position is how many calls of the frame came before.
type frameLog struct {
	Address  common.Address `json:"address"`
	Topics   []common.Hash  `json:"topics"`
	Data     hexutil.Bytes  `json:"data"`
	Index    hexutil.Uint   `json:"index"`
	Position hexutil.Uint   `json:"position"`
}

// About what a frame and a log take besides their data.
const (
	frameBytes = 200
	logBytes   = 150
)

// call is callTracer: the frames of a transaction as a tree.
type call struct {
	OnlyTopCall bool
	WithLog     bool

	budget *Budget
	gas    uint64 // of the transaction
	open   []*frame
	depth  int // of the frame that runs, which is not open if only the top call is wanted
}

func newCall(config json.RawMessage, _ *params.ChainConfig, b *Budget) (*Tracer, error) {
	t := &call{budget: b}
	if err := json.Unmarshal(config, t); err != nil {
		return nil, err
	}
	return &Tracer{&tracing.Hooks{OnTxStart: t.start, OnTxEnd: t.end, OnEnter: t.enter, OnExit: t.exit, OnLog: t.log}, t.result}, nil
}

func (t *call) start(_ *tracing.VMContext, tx *types.Transaction, _ common.Address) { t.gas = tx.Gas() }

func (t *call) enter(depth int, op byte, from, to common.Address, input []byte, gas uint64, value *big.Int) {
	t.depth = depth
	if t.OnlyTopCall && depth > 0 || !t.budget.take(frameBytes+2*len(input)) {
		return
	}
	if depth == 0 {
		gas = t.gas
	}
	t.open = append(t.open, &frame{
		Type: vm.OpCode(op).String(), From: from, To: &to, Input: common.CopyBytes(input), Gas: hexutil.Uint64(gas), Value: (*hexutil.Big)(value),
	})
}

func (t *call) exit(depth int, output []byte, gasUsed uint64, err error, reverted bool) {
	t.depth = depth - 1
	size := 2 * len(output)
	if err != nil { // the reason is text, in the worst case of characters that are escaped
		size += 6 * len(output)
	}
	if t.OnlyTopCall && depth > 0 || !t.budget.take(size) {
		return
	}
	last := len(t.open) - 1
	f := t.open[last]
	f.close(output, err, reverted)
	if last > 0 { // the first stays open for the end of the transaction
		f.GasUsed = hexutil.Uint64(gasUsed)
		t.open = t.open[:last]
		t.open[last-1].Calls = append(t.open[last-1].Calls, f)
	}
}

// close notes how the frame ended. An error that undid nothing is none: once, code
// that could not be paid for was simply not stored.
func (f *frame) close(output []byte, err error, reverted bool) {
	if err == nil || !reverted {
		f.Output = common.CopyBytes(output)
		return
	}
	f.Error = err.Error()
	if f.Type == vm.CREATE.String() || f.Type == vm.CREATE2.String() {
		f.To = nil
	}
	if errors.Is(err, vm.ErrExecutionReverted) && len(output) > 0 {
		f.Output = common.CopyBytes(output)
		f.Reason, _ = abi.UnpackRevert(output)
	}
}

func (t *call) log(l *types.Log) {
	if !t.WithLog || t.OnlyTopCall && t.depth > 0 || !t.budget.take(logBytes+2*len(l.Data)) {
		return
	}
	f := t.open[len(t.open)-1]
	f.Logs = append(f.Logs, frameLog{l.Address, l.Topics, l.Data, hexutil.Uint(l.Index), hexutil.Uint(len(f.Calls))})
}

func (t *call) end(receipt *types.Receipt, err error) {
	if err != nil || len(t.open) != 1 {
		return
	}
	t.open[0].GasUsed = hexutil.Uint64(receipt.GasUsed)
	t.open[0].unlog(false)
}

// unlog takes the logs from frames that were undone.
func (f *frame) unlog(undone bool) {
	if undone = undone || f.Error != ""; undone {
		f.Logs = nil
	}
	for _, inner := range f.Calls {
		inner.unlog(undone)
	}
}

func (t *call) result() (json.RawMessage, error) {
	if len(t.open) != 1 {
		return nil, errors.New("incorrect number of top-level calls")
	}
	return json.Marshal(t.open[0])
}
