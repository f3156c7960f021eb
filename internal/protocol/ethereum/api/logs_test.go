package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
)

// logging is the code of a contract that logs n times when it is made.
func logging(n uint16) []byte {
	return []byte{byte(vm.PUSH2), byte(n >> 8), byte(n), byte(vm.JUMPDEST), byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.LOG0),
		byte(vm.PUSH1), 1, byte(vm.SWAP1), byte(vm.SUB), byte(vm.DUP1), byte(vm.PUSH1), 3, byte(vm.JUMPI), byte(vm.STOP)}
}

// A client that has too many logs is told which blocks it can have, in a form for
// people and one for programs; a block with too many logs alone is answered.
func TestLogsThatAreTooMany(t *testing.T) {
	w := newWorld(t)
	w.hold(true)
	for nonce := range uint64(3) {
		raw, _ := w.sign(0, nonce, nil, 0, logging(4000))
		w.call("eth_sendRawTransaction", raw)
	}
	w.hold(false)
	crowded := uint64(1)
	for w.chain.Head().Number() < crowded {
		w.call("eth_blockNumber")
	}
	last := w.sendSync(1, 0, nil, 0, logging(1)).BlockNumber.Uint64()

	var e struct {
		Code    int
		Message string
		Data    struct{ Code, Next, From, To string }
	}
	from, to := hexutil.Uint64(0), hexutil.Uint64(last)
	var logs []types.Log
	for page := 0; ; page++ {
		answer := w.call("eth_getLogs", map[string]any{"fromBlock": from, "toBlock": to})
		if strings.HasPrefix(answer, "[") {
			var rest []types.Log
			if err := json.Unmarshal([]byte(answer), &rest); err != nil || page == 0 {
				t.Fatalf("page %d: %v", page, err)
			}
			if logs = append(logs, rest...); len(logs) != 12_001 || logs[12_000].BlockNumber != last {
				t.Errorf("%d logs", len(logs))
			}
			return
		}
		if err := json.Unmarshal([]byte(answer), &e); err != nil {
			t.Fatal(err)
		}
		if e.Code != -32005 || e.Data.Code != "LOGS_TOO_WIDE" || e.Data.From != from.String() || e.Data.Next == "" ||
			e.Message != "query returned more than 10000 results. Try with this block range ["+e.Data.From+", "+e.Data.To+"]." {
			t.Fatalf("%s", answer)
		}
		var part []types.Log
		w.into(&part, "eth_getLogs", map[string]any{"fromBlock": e.Data.From, "toBlock": e.Data.To})
		logs = append(logs, part...)
		reached := hexutil.MustDecodeUint64(e.Data.To)
		from = hexutil.Uint64(reached + 1)
	}
}

// While the index is far behind, whoever sent a transaction sees it pending and
// then its receipt, and whoever asks for what may be old is told how far the index
// is.
func TestWhileTheIndexIsMade(t *testing.T) {
	w := newWorld(t)
	var first types.Receipt
	raw, hash := w.sign(0, 0, nil, 0, logging(1))
	w.into(&first, "eth_sendRawTransactionSync", raw)
	for range 2100 { // more than are in memory and may be read; this index has none
		w.commit(nil)
	}
	w.hold(true)
	raw, pending := w.sign(0, 1, nil, 0, logging(1))
	w.call("eth_sendRawTransaction", raw)
	unasked := w.chain.Head().Number()
	if got := w.call("eth_getTransactionByHash", pending); !strings.Contains(got, `"blockHash":null`) {
		t.Errorf("pending: %s", got)
	}
	contains(t, w.call("coco_getTransactionStatus", pending), "pending")
	w.hold(false)
	var receipt types.Receipt
	for deadline := 0; receipt.Status == 0 && deadline < 1000; deadline++ {
		if got := w.call("eth_getTransactionReceipt", pending); got != "null" {
			if err := json.Unmarshal([]byte(got), &receipt); err != nil {
				t.Fatalf("%v: %s", err, got)
			}
		}
	}
	if receipt.BlockNumber == nil || receipt.BlockNumber.Uint64() != unasked+1 {
		t.Errorf("the receipt is %+v", receipt)
	}
	for _, c := range []struct {
		method string
		param  any
	}{
		{"eth_getTransactionReceipt", hash}, {"eth_getTransactionReceipt", common.Hash{1}}, {"eth_getTransactionByHash", hash},
		{"eth_getBlockReceipts", first.BlockHash}, {"coco_getTransactionStatus", hash},
		{"eth_getLogs", map[string]any{"fromBlock": "0x0", "address": first.ContractAddress}},
	} {
		contains(t, w.call(c.method, c.param), `"code":-32000`, `"INDEX_BEHIND"`, "the history index is still being made: 0 of 2103 blocks are indexed, about 0 percent")
	}
	contains(t, w.call("eth_getBlockByNumber", "0x1", false), hash.Hex())
	contains(t, w.call("eth_getLogs", map[string]any{"fromBlock": "0x1", "toBlock": "0x3e8", "address": first.ContractAddress}), first.TxHash.Hex())
	contains(t, w.call("eth_getLogs", map[string]any{"fromBlock": hexutil.Uint64(unasked), "topics": []any{}}), pending.Hex())
	contains(t, w.call("eth_syncing"), `"txIndexRemainingBlocks":"0x837"`)
}
