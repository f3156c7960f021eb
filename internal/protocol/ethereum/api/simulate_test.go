package api

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/test/contracts"
)

// simulatedResult is a block of eth_simulateV1 as a client decodes it.
type simulatedResult struct {
	Header       types.Header `json:"-"`
	Hash         common.Hash
	Transactions []any
	Withdrawals  []any
	Calls        []struct {
		ReturnData          hexutil.Bytes
		Logs                []*types.Log
		GasUsed, MaxUsedGas hexutil.Uint64
		Status              hexutil.Uint64
		Error               *struct {
			Code    int
			Message string
			Data    hexutil.Bytes
		}
	}
}

// UnmarshalJSON decodes the header, then the rest.
func (r *simulatedResult) UnmarshalJSON(text []byte) error {
	if err := r.Header.UnmarshalJSON(text); err != nil {
		return err
	}
	type plain simulatedResult
	return json.Unmarshal(text, (*plain)(r))
}

func (w *world) simulate(blocks []any, options ...record) (list []simulatedResult) {
	w.t.Helper()
	w.into(&list, "eth_simulateV1", simulationOf(blocks, options...), "latest")
	return list
}

func simulationOf(blocks []any, options ...record) record {
	p := record{"blockStateCalls": blocks}
	for _, o := range options {
		for name, value := range o {
			p[name] = value
		}
	}
	return p
}

// Simulated blocks follow each other and the last committed one, in number, time,
// hash and state.
func TestSimulateChain(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	head := w.chain.Head()
	store, hashes := common.Address{0xee}, common.Address{0xef}
	transfer := hexutil.Bytes(contracts.Token.Call("transfer", store, big.NewInt(7)))
	list := w.simulate([]any{
		record{
			"stateOverrides": record{
				store.Hex():  record{"code": "0x5f545f5260205ff3", "balance": "0x5"},
				hashes.Hex(): record{"code": answering("5f3540")},
			},
			"calls": []any{record{"from": address(0), "to": token, "input": transfer}, record{"from": store, "to": address(1), "value": "0x5"}},
		},
		record{
			"blockOverrides": record{"number": hexutil.EncodeUint64(head.Number() + 4), "time": hexutil.EncodeUint64(head.Header.Time + 100), "feeRecipient": store,
				"withdrawals": []any{record{"index": "0x0", "validatorIndex": "0x0", "address": hashes, "amount": "0x2"}}},
			"calls": []any{
				record{"from": address(0), "to": token, "input": hexutil.Bytes(contracts.Token.Call("balanceOf", store))},
				record{"to": hashes, "input": common.BigToHash(new(big.Int).SetUint64(head.Number())).Hex()},
				record{"to": hashes, "input": common.BigToHash(new(big.Int).SetUint64(head.Number() + 1)).Hex()},
			},
		},
		record{"calls": []any{record{"from": hashes, "to": store, "value": "0x77359400"}}}, // 2 gwei: the withdrawal
	})
	if len(list) != 5 {
		t.Fatalf("%d blocks", len(list))
	}
	parent, time := head.Hash, head.Header.Time
	for i, b := range list {
		if b.Header.Number.Uint64() != head.Number()+1+uint64(i) || b.Header.ParentHash != parent || b.Header.Hash() != b.Hash || b.Header.Time <= time || b.Header.Root != (common.Hash{}) {
			t.Errorf("block %d: %+v", i, b.Header)
		}
		parent, time = b.Hash, b.Header.Time
	}
	if list[1].Header.Time != head.Header.Time+24 || list[3].Header.Time != head.Header.Time+100 || list[3].Header.Coinbase != (common.Address{0xee}) || list[4].Header.Coinbase != list[3].Header.Coinbase {
		t.Errorf("times and recipients: %+v", list)
	}
	first, fourth := list[0], list[3]
	switch {
	case len(first.Calls) != 2 || first.Calls[0].Status != 1 || first.Calls[1].Status != 1 || len(first.Calls[0].Logs) != 1:
		t.Errorf("first: %+v", first.Calls)
	case first.Header.GasUsed != uint64(first.Calls[0].GasUsed)+21000 || first.Calls[0].MaxUsedGas < first.Calls[0].GasUsed || len(first.Transactions) != 2:
		t.Errorf("gas: %+v", first)
	case first.Calls[0].Logs[0].BlockHash != first.Hash || first.Calls[0].Logs[0].TxHash.Hex() != first.Transactions[0]:
		t.Errorf("log: %+v", first.Calls[0].Logs[0])
	case first.Header.Bloom == (types.Bloom{}) || first.Header.ReceiptHash == types.EmptyReceiptsHash:
		t.Errorf("header: %+v", first.Header)
	case new(big.Int).SetBytes(fourth.Calls[0].ReturnData).Int64() != 7:
		t.Errorf("the transfer was not seen: %+v", fourth.Calls[0])
	case common.BytesToHash(fourth.Calls[1].ReturnData) != head.Hash || common.BytesToHash(fourth.Calls[2].ReturnData) != first.Hash:
		t.Errorf("block hashes: %+v", fourth.Calls)
	case len(fourth.Withdrawals) != 1 || list[4].Calls[0].Status != 1:
		t.Errorf("the withdrawal was not paid: %+v", list[4])
	}
	// Nothing of it was committed.
	if got := w.call("eth_call", record{"to": token, "input": hexutil.Bytes(contracts.Token.Call("balanceOf", store))}); got != word(0) || w.chain.Head().Number() != head.Number() {
		t.Errorf("the transfer came to be: %s", got)
	}
}

// Transfers of ether are logs when they are asked for, what is reverted is none.
func TestSimulateTransfers(t *testing.T) {
	w := newWorld(t)
	forward, failing := common.Address{0xee}, common.Address{0xef}
	block := record{
		"stateOverrides": record{
			// Sends its balance on to address 0xaa; then logs.
			forward.Hex(): record{"code": "0x5f5f5f5f4760aa5af1505f5fa0"},
			failing.Hex(): record{"code": "0x5f5f5f5f4760aa5af1505f5ffd"},
		},
		"calls": []any{
			record{"from": address(0), "to": failing, "value": "0x1"},
			record{"from": address(0), "to": forward, "value": "0x2"},
			record{"from": address(0), "to": common.Address{1}, "value": "0x3"},
		},
	}
	b := w.simulate([]any{block}, record{"traceTransfers": true})[0]
	if c := b.Calls[0]; c.Status != 0 || c.Error == nil || c.Error.Code != 3 || c.Error.Message != "execution reverted" || len(c.Logs) != 0 {
		t.Errorf("reverted: %+v", c)
	}
	logs := append(b.Calls[1].Logs, b.Calls[2].Logs...)
	if len(logs) != 4 || len(b.Calls[1].Logs) != 3 {
		t.Fatalf("%d logs: %+v", len(logs), b.Calls)
	}
	for i, want := range []struct {
		value int64 // -1 for the contract's own
		to    common.Address
	}{{2, forward}, {2, common.BytesToAddress([]byte{0xaa})}, {-1, forward}, {3, common.Address{1}}} {
		l := logs[i]
		if l.Index != uint(i) || l.BlockHash != b.Hash {
			t.Errorf("log %d: %+v", i, l)
		}
		if want.value >= 0 && (l.Address != etherAddress || new(big.Int).SetBytes(l.Data).Int64() != want.value || common.BytesToAddress(l.Topics[2][:]) != want.to) {
			t.Errorf("transfer %d: %+v", i, l)
		}
		if want.value < 0 && l.Address != want.to {
			t.Errorf("log %d: %+v", i, l)
		}
	}
	if plain := w.simulate([]any{block})[0]; len(plain.Calls[1].Logs) != 1 || plain.Header.Bloom != b.Header.Bloom {
		t.Errorf("without transfers: %+v", plain.Calls[1])
	}
	full := w.simulate([]any{block}, record{"returnFullTransactions": true})[0]
	tx, ok := full.Transactions[2].(record)
	if !ok || tx["from"] != strings.ToLower(address(0).Hex()) || tx["value"] != "0x3" || tx["nonce"] != "0x2" || tx["blockHash"] != full.Hash.Hex() || tx["type"] != "0x2" {
		t.Errorf("transaction: %v", full.Transactions[2])
	}
}

// What a simulation may not be, by geth's codes.
func TestSimulateErrors(t *testing.T) {
	w := newWorld(t)
	w.deploy()
	poor, burning := common.Address{0xbb}, common.Address{0xee}
	call := func(more record) []any {
		c := record{"from": address(0), "to": common.Address{1}}
		for name, value := range more {
			c[name] = value
		}
		return []any{record{"calls": []any{c}}}
	}
	over := func(o record) []any { return []any{record{"blockOverrides": o}} }
	valid := record{"validation": true}
	many := make([]any, simulatedBlocks+1)
	for i := range many {
		many[i] = record{}
	}
	calls := make([]any, simulatedCalls+1)
	for i := range calls {
		calls[i] = record{}
	}
	for _, c := range []struct {
		name    string
		blocks  []any
		options record
		want    string
	}{
		{"nothing", []any{}, nil, `{"code":-32602,"message":"empty input"}`},
		{"blocks", many, nil, `{"code":-38026,"message":"too many blocks"}`},
		{"gap", over(record{"number": "0x102"}), nil, `{"code":-38026,"message":"too many blocks"}`},
		{"calls", []any{record{"calls": calls}}, nil, `{"code":-38026,"message":"too many calls: 1001 > 1000"}`},
		{"number", over(record{"number": "0x1"}), nil, `{"code":-38020,"message":"block numbers must be in order: 1 <= 1"}`},
		{"time", over(record{"time": "0x1"}), nil, `{"code":-38021,"message":"block timestamps must be in order: 1 <= `},
		{"endless time", append(over(record{"time": "0xffffffffffffffff"}), record{}), nil, `{"code":-38021`},
		{"difficulty", over(record{"difficulty": "0x1"}), nil, `{"code":-32602,"message":"block 2: difficulty override is not allowed after the merge"}`},
		{"unknown override", over(record{"foo": 1}), nil, `{"code":-32602,"message":"invalid argument 0: unknown field \"foo\" in block override"}`},
		{"no withdrawal", over(record{"withdrawals": []any{nil}}), nil, `{"code":-32602,"message":"invalid argument 0: a withdrawal is null"}`},
		{"same override", over(record{"time": "0x1", "Time": "0x2"}), nil, `keys \"Time\" and \"time\" in block override name the same field`},
		{"unknown account override", []any{record{"stateOverrides": record{poor.Hex(): record{"foo": 1}}}}, nil, `unknown field \"foo\" in state override for ` + poor.Hex()},
		{"nonce too low", call(record{"nonce": "0x0"}), valid, `{"code":-38010,"message":"err: nonce too low: `},
		{"nonce too high", call(record{"nonce": "0x9"}), valid, `{"code":-38011,"message":"err: nonce too high: `},
		{"any nonce without validation", call(record{"nonce": "0x9"}), nil, `"status":"0x1"`},
		{"last nonce", []any{record{"stateOverrides": record{poor.Hex(): record{"nonce": "0xffffffffffffffff"}}, "calls": []any{record{"from": poor, "to": poor}}}}, nil,
			`{"code":-32603,"message":"nonce has max value: address ` + poor.Hex() + `, nonce: 18446744073709551615"}`},
		{"base fee", []any{record{"blockOverrides": record{"baseFeePerGas": "0xa"}, "calls": []any{record{"from": address(0), "to": poor, "maxFeePerGas": "0x9"}}}}, valid,
			`{"code":-38012,"message":"err: max fee per gas less than block base fee: address ` + address(0).Hex() + `, maxFeePerGas: 9, baseFee: 10 (supplied gas 50000000)"}`},
		{"enough for the base fee", []any{record{"blockOverrides": record{"baseFeePerGas": "0xa"}, "calls": []any{record{"from": poor, "to": poor, "maxFeePerGas": "0xa"}}}}, valid, `"status":"0x1"`},
		{"little gas", call(record{"gas": "0x0"}), nil, `{"code":-38013,"message":"err: intrinsic gas too low: have 0, want 21000 (supplied gas 0)"}`},
		{"no funds", call(record{"from": poor, "value": "0x1"}), nil, `{"code":-38014,"message":"err: insufficient funds`},
		{"full block", []any{record{"blockOverrides": record{"gasLimit": "0x5208"}, "calls": []any{record{"to": poor}, record{"to": poor, "gas": "0x5208"}}}}, nil,
			`{"code":-38015,"message":"block gas limit reached: remaining: 0, required: 21000"}`},
		{"init code", []any{record{"calls": []any{record{"input": "0x" + strings.Repeat("00", 49153)}}}}, nil, `{"code":-38025,"message":"err: max initcode size exceeded`},
		{"two fees", call(record{"gasPrice": "0x1", "maxFeePerGas": "0x1"}), nil, `{"code":-32000,"message":"both gasPrice and`},
		{"tip above cap", call(record{"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}), valid, `{"code":-32602,"message":"err: max priority fee per gas higher`},
		{"gas of all calls", []any{record{"stateOverrides": record{burning.Hex(): record{"code": "0x62ffffff51"}}, "calls": []any{record{"to": burning, "gas": "0x3000000"}}}}, nil,
			`"error":{"message":"out of gas (gas limit was capped by the RPC server's global gas cap)","code":-32015}`},
		{"unknown block", nil, nil, `{"code":-32000,"message":"header not found"}`},
	} {
		at := "latest"
		if c.name == "unknown block" {
			c.blocks, at = []any{record{}}, "0x99"
		}
		if got := w.call("eth_simulateV1", simulationOf(c.blocks, c.options), at); !strings.Contains(got, c.want) {
			t.Errorf("%s: %.500s, want %s", c.name, got, c.want)
		}
	}
}

// What calls return is kept until the answer, so it has a bound.
func TestSimulateBounds(t *testing.T) {
	w := newWorld(t)
	large := common.Address{0xee} // returns 100,000 bytes for about 50,000 gas
	calls := make([]any, 200)
	for i := range calls {
		calls[i] = record{"to": large, "gas": "0x10000"}
	}
	state := record{large.Hex(): record{"code": "0x620186a05ff3"}}
	got := w.call("eth_simulateV1", simulationOf([]any{record{"stateOverrides": state, "calls": calls}}))
	contains(t, got, `{"code":-32003,"message":"response too large"}`)
	got = w.call("eth_simulateV1", simulationOf([]any{record{"stateOverrides": state, "calls": calls[:100]}}))
	contains(t, got, fmt.Sprintf(`"returnData":"0x%s"`, strings.Repeat("00", 100_000)))
}

// What Ethereum calls around every block is under an assumption too, so its
// gas is bounded, and with it its time and its room in memory.
func TestSimulateSystemCalls(t *testing.T) {
	w := newWorld(t)
	burn := "0x6237900051500000" // spends its gas on memory, then succeeds
	for name, system := range map[string]common.Address{
		"beacon roots": params.BeaconRootsAddress, "history": params.HistoryStorageAddress, "consolidations": params.ConsolidationQueueAddress,
	} {
		state := record{system.Hex(): record{"code": burn}}
		if name == "consolidations" {
			state[params.WithdrawalQueueAddress.Hex()] = record{"code": "0x00"}
		}
		blocks := []any{record{"stateOverrides": state}, record{"blockOverrides": record{"number": "0x100"}}}
		contains(t, w.call("eth_simulateV1", simulationOf(blocks)), `{"code":-38026,"message":"the calls that begin and end blocks use too much gas: `)
	}
	// A slot in each block, as the real contracts take, is well within.
	state := record{params.HistoryStorageAddress.Hex(): record{"code": "0x60014355"}} // SSTORE(NUMBER, 1)
	list := w.simulate([]any{record{"stateOverrides": state}, record{"blockOverrides": record{"number": "0x100"}, "calls": []any{
		record{"to": params.HistoryStorageAddress},
	}}})
	if n := len(list); n != 256 || len(list[n-1].Calls) != 1 {
		t.Errorf("%d blocks", n)
	}
}
