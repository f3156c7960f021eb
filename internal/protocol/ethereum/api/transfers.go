package api

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
)

// A transfer of ether is shown as the event of a token at the address that stands
// for ether (ERC-7528).
var (
	transferEvent = crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)"))
	etherAddress  = common.HexToAddress("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE")
)

// logTracer collects the logs of a simulated block's calls and, when asked, a log
// for every transfer of ether. What a reverted frame did is forgotten, but for the
// gas it took.
type logTracer struct {
	transfers    bool
	number, time uint64 // of the block
	hash         common.Hash
	index        uint         // of the transaction
	before       uint         // logs of the transactions before
	logs         []*types.Log // of this transaction
	open         []int        // how many logs there were when each open frame began
	gas          uint64       // that was used so far, refunds not taken off
}

func (t *logTracer) hooks() *tracing.Hooks {
	return &tracing.Hooks{OnEnter: t.enter, OnExit: t.exit, OnLog: func(l *types.Log) { t.add(l.Address, l.Topics, l.Data) }}
}

// begin begins the next transaction.
func (t *logTracer) begin(hash common.Hash, index uint) {
	if index > 0 {
		t.before += uint(len(t.logs))
	}
	t.hash, t.index, t.logs, t.open = hash, index, nil, nil
}

func (t *logTracer) enter(_ int, kind byte, from, to common.Address, _ []byte, _ uint64, value *big.Int) {
	t.open = append(t.open, len(t.logs))
	if op := vm.OpCode(kind); !t.transfers || op == vm.DELEGATECALL || op == vm.CALLCODE || value == nil || value.Sign() == 0 {
		return
	}
	amount := common.BigToHash(value)
	t.add(etherAddress, []common.Hash{transferEvent, common.BytesToHash(from[:]), common.BytesToHash(to[:])}, amount[:])
}

func (t *logTracer) exit(depth int, _ []byte, gas uint64, _ error, reverted bool) {
	if depth == 0 {
		t.gas += gas
	}
	n := len(t.open) - 1
	if reverted {
		t.logs = t.logs[:t.open[n]]
	}
	t.open = t.open[:n]
}

func (t *logTracer) add(address common.Address, topics []common.Hash, data []byte) {
	t.logs = append(t.logs, &types.Log{
		Address: address, Topics: topics, Data: data, BlockNumber: t.number, BlockTimestamp: t.time,
		TxHash: t.hash, TxIndex: t.index, Index: t.before + uint(len(t.logs)),
	})
}
