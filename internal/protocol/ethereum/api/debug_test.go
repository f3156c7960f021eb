package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/test/contracts"
)

// code is EVM code, of opcodes and of bytes that are pushed.
func code(parts ...any) (c []byte) {
	for _, part := range parts {
		switch p := part.(type) {
		case vm.OpCode:
			c = append(c, byte(p))
		case int:
			c = append(c, byte(vm.PUSH4), byte(p>>24), byte(p>>16), byte(p>>8), byte(p))
		case common.Address:
			c = append(append(c, byte(vm.PUSH20)), p[:]...)
		}
	}
	return c
}

// callFrame is a frame of callTracer.
type callFrame struct {
	Type, Error, RevertReason, Output string
	From                              common.Address
	To                                *common.Address
	Gas, GasUsed                      hexutil.Uint64
	Calls                             []callFrame
	Logs                              []struct {
		Index, Position hexutil.Uint
	}
}

// three sends three transfers of a token from account 0 to account 1 that are
// committed in one block, of which it gives the number: of 1, 2 and 3 tokens.
func (w *world) three(token common.Address) (hashes []common.Hash, block uint64) {
	w.t.Helper()
	w.hold(true)
	for nonce := uint64(1); nonce < 4; nonce++ {
		raw, hash := w.sign(0, nonce, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(int64(nonce))))
		contains(w.t, w.call("eth_sendRawTransaction", raw), hash.Hex())
		hashes = append(hashes, hash)
	}
	w.hold(false)
	for w.call("eth_getTransactionReceipt", hashes[2]) == "null" {
		runtime.Gosched()
	}
	b, i, err := w.chain.Transaction(w.t.Context(), hashes[0])
	if err != nil || i != 0 || len(b.Transactions) != 3 {
		w.t.Fatalf("%d transactions, %v", len(b.Transactions), err)
	}
	return hashes, b.Number()
}

func with(tracer string, config ...any) map[string]any {
	c := map[string]any{"tracer": tracer}
	for i := 0; i < len(config); i += 2 {
		c[config[i].(string)] = config[i+1]
	}
	return c
}

func TestTraceTransaction(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	hashes, _ := w.three(token) // they run again in order
	var failed types.Receipt
	for i := range 20 { // many blocks later
		r := w.sendSync(1, uint64(i), &token, 0, contracts.Token.Call("transfer", address(2), big.NewInt(100)))
		failed = *r
	}
	for i, hash := range hashes {
		var receipt types.Receipt
		w.into(&receipt, "eth_getTransactionReceipt", hash)
		if receipt.TransactionIndex != uint(i) {
			t.Fatalf("transaction %d is at %d", i, receipt.TransactionIndex)
		}
		var f callFrame
		w.into(&f, "debug_traceTransaction", hash, with("callTracer", "tracerConfig", map[string]any{"withLog": true}))
		if f.Type != "CALL" || f.From != address(0) || *f.To != token || uint64(f.GasUsed) != receipt.GasUsed || f.Gas != 2_000_000 ||
			len(f.Logs) != 1 || int(f.Logs[0].Index) != i {
			t.Errorf("frame %d: %+v", i, f)
		}
		var pre map[common.Address]struct {
			Nonce   uint64
			Storage map[common.Hash]common.Hash
		}
		w.into(&pre, "debug_traceTransaction", hash, with("prestateTracer"))
		slot := crypto.Keccak256Hash(common.LeftPadBytes(address(1).Bytes(), 32), common.BigToHash(big.NewInt(3)).Bytes())
		if got := pre[token].Storage[slot].Big().Int64(); got != int64(i*(i+1)/2) || pre[address(0)].Nonce != uint64(i+1) {
			t.Errorf("prestate %d: balance %d, %v", i, got, pre)
		}
		var steps struct {
			Gas        uint64
			Failed     bool
			StructLogs []struct {
				Op      string
				Storage map[string]string
			}
		}
		w.into(&steps, "debug_traceTransaction", hash)
		if steps.Gas != receipt.GasUsed || steps.Failed || len(steps.StructLogs) < 100 {
			t.Errorf("steps %d: %d gas, %d steps", i, steps.Gas, len(steps.StructLogs))
		}
	}
	var f callFrame
	w.into(&f, "debug_traceTransaction", failed.TxHash, with("callTracer"))
	if f.Error != "execution reverted" || f.RevertReason != "transfer amount exceeds balance" || uint64(f.GasUsed) != failed.GasUsed {
		t.Errorf("reverted: %+v", f)
	}
	selector := hexutil.Encode(contracts.Token.ABI.Methods["transfer"].ID)
	if got := w.call("debug_traceTransaction", hashes[0], with("4byteTracer")); got != fmt.Sprintf(`{"%s-64":1}`, selector) {
		t.Errorf("selectors: %s", got)
	}
	contains(t, w.call("debug_traceTransaction", hashes[0], with("muxTracer", "tracerConfig", map[string]any{"4byteTracer": nil, "callTracer": nil})), selector, `"gasUsed"`)
	if got := w.call("debug_traceTransaction", hashes[0], with("noopTracer")); got != "{}" {
		t.Errorf("noop: %s", got)
	}
	contains(t, w.call("debug_traceTransaction", hashes[0], with("prestateTracer", "tracerConfig", map[string]any{"diffMode": true, "disableCode": true})), `"post"`, `"pre"`)
}

func TestTraceBlocks(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	_, number := w.three(token)
	w.sendSync(2, 0, &common.Address{9}, 1, nil)
	b, err := w.chain.ByNumber(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	w.chain.Committed(w.Commit(t))
	if got := w.call("debug_traceBlockByNumber", "latest"); got != "[]" {
		t.Errorf("an empty block: %s", got)
	}
	var results []struct {
		TxHash common.Hash
		Result callFrame
	}
	want := w.call("debug_traceBlockByHash", b.Hash, with("callTracer"))
	if err := json.Unmarshal([]byte(want), &results); err != nil || len(results) != 3 {
		t.Fatalf("%v: %s", err, want)
	}
	for i, r := range results {
		if single := w.call("debug_traceTransaction", r.TxHash, with("callTracer")); !strings.Contains(want, single) || r.TxHash != b.Receipts[i].TxHash {
			t.Errorf("transaction %d in its block: %s\nalone: %s", i, want, single)
		}
	}
	if got := w.call("debug_traceBlockByNumber", hexutil.Uint64(b.Number()), with("callTracer")); got != want {
		t.Errorf("by number: %s", got)
	}
	body := types.Body{Withdrawals: []*types.Withdrawal{}}
	for _, tx := range b.Transactions {
		body.Transactions = append(body.Transactions, tx.Transaction)
	}
	block := types.NewBlockWithHeader(b.Header).WithBody(body)
	raw, err := rlp.EncodeToBytes(block)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.call("debug_traceBlock", hexutil.Bytes(raw), with("callTracer")); got != want {
		t.Errorf("by RLP: %s", got)
	}
	header := types.CopyHeader(b.Header)
	header.Time++
	raw, err = rlp.EncodeToBytes(block.WithSeal(header))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, w.call("debug_traceBlock", hexutil.Bytes(raw)), "-32000", "BLOCK_NOT_COMMITTED")
	contains(t, w.call("debug_traceBlock", "0x01"), "-32000", "could not decode block: rlp: ")
}

func TestTraceCall(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	_, number := w.three(token)
	w.sendSync(2, 0, &common.Address{9}, 1, nil)
	balance := map[string]any{"to": token, "input": hexutil.Bytes(contracts.Token.Call("balanceOf", address(1)))}
	top := func(block any, config map[string]any) string {
		t.Helper()
		var f callFrame
		w.into(&f, "debug_traceCall", balance, block, config)
		return strings.TrimLeft(strings.TrimPrefix(f.Output, "0x"), "0")
	}
	for _, c := range []struct {
		block  any
		config map[string]any
		want   string
	}{
		{"latest", with("callTracer"), "6"},
		{"pending", with("callTracer"), "6"},
		{nil, with("callTracer"), "6"},
		{"0x1", with("callTracer"), ""},
		{hexutil.Uint64(number), with("callTracer", "txIndex", "0x0"), ""},
		{hexutil.Uint64(number), with("callTracer", "txIndex", "0x2"), "3"},
		{hexutil.Uint64(number), with("callTracer", "txIndex", "0x2", "stateOverrides", map[string]any{
			token.Hex(): map[string]any{"code": hexutil.Bytes(code(vm.NUMBER, vm.PUSH0, vm.MSTORE, 32, vm.PUSH0, vm.RETURN))},
		}, "blockOverrides", map[string]any{"number": "0x77"}), "77"},
	} {
		if got := top(c.block, c.config); got != c.want {
			t.Errorf("%v %v: %q, want %q", c.block, c.config, got, c.want)
		}
	}
	// A call within a call, and a contract that is created.
	inner := map[string]any{"code": hexutil.Bytes(code(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, token, vm.GAS, vm.DELEGATECALL, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.CREATE2, vm.STOP))}
	var f callFrame
	w.into(&f, "debug_traceCall", map[string]any{"to": common.Address{0x77}}, "latest", with("callTracer", "stateOverrides", map[string]any{common.Address{0x77}.Hex(): inner}))
	if len(f.Calls) != 2 || f.Calls[0].Type != "DELEGATECALL" || f.Calls[0].Error != "execution reverted" || f.Calls[1].Type != "CREATE2" || f.Gas != callGas {
		t.Errorf("%+v", f)
	}
	contains(t, w.call("debug_traceCall", map[string]any{"to": common.Address{0x77}}, "latest", with("prestateTracer", "stateOverrides", map[string]any{common.Address{0x77}.Hex(): inner})),
		`"`+strings.ToLower(common.Address{0x77}.Hex())+`":{"balance":"0x0","code":"0x5f5f`)
	// One that delegates its account (EIP-7702) is shown with the code that runs.
	auth, err := types.SignSetCode(key(4), types.SetCodeAuthorization{Address: token})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, w.call("debug_traceCall", map[string]any{"to": address(4), "from": address(3), "authorizationList": []types.SetCodeAuthorization{auth}}, "latest",
		with("prestateTracer", "tracerConfig", map[string]any{"diffMode": true})), `"code":"0xef0100`+hexutil.Encode(token[:])[2:])
}

func TestTraceRefusals(t *testing.T) {
	w := newWorldWithin(t, 2)
	token := w.deploy()
	w.sendSync(1, 0, &common.Address{9}, 0, nil)
	w.sendSync(1, 1, &common.Address{9}, 0, nil)
	hash := w.sendSync(0, 1, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(1))).TxHash
	genesis, err := w.chain.ByNumber(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(message string) string { return fmt.Sprintf(`{"code":-32000,"message":%q}`, message) }
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"debug_traceTransaction", []any{common.Hash{31: 1}}, plain("transaction not found")},
		{"debug_traceBlockByNumber", []any{"0x0"}, plain("genesis is not traceable")},
		{"debug_traceBlockByHash", []any{genesis.Hash}, plain("genesis is not traceable")},
		{"debug_traceBlockByNumber", []any{"0x99"}, plain("block #153 not found")},
		{"debug_traceBlockByHash", []any{common.Hash{31: 1}}, plain("block 0x0000000000000000000000000000000000000000000000000000000000000001 not found")},
		{"debug_traceBlockByNumber", []any{"3"}, `{"code":-32602,"message":"invalid argument 0: hex string without 0x prefix"}`},
		{"debug_traceCall", []any{map[string]any{}, "0x99"}, plain("block #153 not found")},
		{"debug_traceBlockByNumber", []any{"0x1"}, "STATE_UNAVAILABLE"},
		{"debug_traceCall", []any{map[string]any{}, "0x1"}, "STATE_UNAVAILABLE"},
		{"debug_traceCall", []any{map[string]any{}, "latest", map[string]any{"txIndex": "0x1"}}, "transaction index 1 out of range for block 0x"},
		{"debug_traceCall", []any{map[string]any{}, "0x0", map[string]any{"txIndex": "0x0"}}, plain("no transaction in genesis")},
		{"debug_traceCall", []any{map[string]any{"gas": "0x1"}}, "tracing failed: intrinsic gas too low"},
		{"debug_traceTransaction", []any{hash, with("{data: [], fault: function(log) {}, step: function(log) { while (true) {} }, result: function() { return this.data; }}")}, "TRACER_UNKNOWN"},
		{"debug_traceTransaction", []any{hash, with("")}, "JavaScript does not run inside a node"},
		{"debug_traceTransaction", []any{hash, with("keccak256PreimageTracer")}, "TRACER_UNKNOWN"},
		{"debug_traceTransaction", []any{hash, with("muxTracer", "tracerConfig", map[string]any{"{}": nil})}, "TRACER_UNKNOWN"},
		{"debug_traceTransaction", []any{hash, with("muxTracer", "tracerConfig", map[string]any{"muxTracer": nil})}, "inside a muxTracer"},
		{"debug_traceTransaction", []any{hash, with("muxTracer", "tracerConfig", 5)}, "cannot unmarshal number"},
		{"debug_traceTransaction", []any{hash, with("callTracer", "tracerConfig", map[string]any{"withLog": 5})}, "cannot unmarshal number"},
		{"debug_traceTransaction", []any{hash, with("prestateTracer", "tracerConfig", map[string]any{"diffMode": true, "includeEmpty": true})}, plain("cannot use diffMode with includeEmpty")},
		{"debug_traceTransaction", []any{hash, map[string]any{"timeout": "soon"}}, `invalid duration \"soon\"`},
		{"debug_traceTransaction", []any{hash, map[string]any{"timeout": "1ns"}}, plain("execution timeout")},
		{"debug_traceTransaction", []any{hash, with("callTracer", "timeout", "-1h")}, plain("execution timeout")},
		{"debug_traceTransaction", []any{hash, with("prestateTracer", "timeout", "0s")}, plain("execution timeout")},
		{"debug_traceTransaction", []any{hash, map[string]any{"tracer": 5}}, `"code":-32602`},
	} {
		contains(t, w.call(c.method, c.params...), c.want)
	}
	// What has no meaning here does not matter.
	contains(t, w.call("debug_traceTransaction", hash, map[string]any{"reexec": 128, "timeout": "100h", "limit": 1000}), `"failed":false`)
}

// A trace is never larger than an answer, and does not take much more memory on
// the way.
func TestTraceSize(t *testing.T) {
	w := newWorld(t)
	self := common.Address{0x77}
	loop := func(body ...any) []byte {
		return code(append(append([]any{vm.JUMPDEST}, body...), vm.PUSH0, vm.JUMP)...)
	}
	run := func(c []byte, config map[string]any) string {
		config["stateOverrides"] = map[string]any{self.Hex(): map[string]any{"code": hexutil.Bytes(c)}}
		config["timeout"] = "1h"
		return w.call("debug_traceCall", map[string]any{"to": self, "gas": "0x240000"}, "latest", config)
	}
	megabyte := loop(vm.PUSH0, vm.PUSH0, 1<<20, vm.PUSH0, vm.PUSH0, common.Address{1}, vm.GAS, vm.CALL, vm.POP)
	stack := append(bytes.Repeat(code(vm.PUSH0), 1000), code(vm.JUMPDEST, 1000, vm.JUMP)...)
	deep := code(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, self, vm.GAS, vm.CALL, vm.POP,
		vm.JUMPDEST, vm.PUSH0, vm.PUSH0, 1<<15, vm.PUSH0, vm.PUSH0, common.Address{1}, 1000, vm.CALL, vm.POP)
	deep = append(deep, code(len(code(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, self, vm.GAS, vm.CALL, vm.POP)), vm.JUMP)...)
	for name, got := range map[string]string{
		"steps":  run(stack, map[string]any{}),
		"memory": run(loop(vm.PUSH0, 1<<20, vm.MSTORE), map[string]any{"enableMemory": true}),
		"inputs": run(megabyte, with("callTracer")),
		"mux":    run(megabyte, with("muxTracer", "tracerConfig", map[string]any{"callTracer": nil, "4byteTracer": nil})),
		"deep":   run(deep, with("callTracer")),
	} {
		if !strings.Contains(got, "TRACE_TOO_LARGE") {
			t.Errorf("%s: %.1000s", name, got)
		}
	}
	// Where nothing is left there is no trace, with any limit; a limit below zero is none.
	for _, room := range []int{0, -1} {
		_, err := (&API{}).trace(t.Context(), &traceConfig{Limit: 10}, room, nil)
		if !errors.Is(err, ErrTraceSize) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
	if got := run(stack, map[string]any{"limit": -1}); !strings.Contains(got, "TRACE_TOO_LARGE") {
		t.Errorf("a limit below zero: %.1000s", got)
	}
	// What no tracer keeps does not count.
	for name, got := range map[string]string{
		"top":   run(megabyte, with("callTracer", "tracerConfig", map[string]any{"onlyTopCall": true})),
		"4byte": run(megabyte, with("4byteTracer")),
		"mux":   run(megabyte, with("muxTracer", "tracerConfig", map[string]any{"noopTracer": nil, "prestateTracer": nil})),
	} {
		if len(got) > 1000 || strings.Contains(got, "TRACE_TOO_LARGE") {
			t.Errorf("%s: %.1000s", name, got)
		}
	}
	if got := run(loop(vm.GAS, vm.POP), map[string]any{"limit": 10_000}); len(got) < 10_000 || len(got) > 11_000 {
		t.Errorf("%d bytes for a limit of 10,000", len(got))
	}
}

// What a transaction gives when it runs again must be what its receipt says.
func TestReplayDiffers(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	hash := w.sendSync(0, 1, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(1))).TxHash
	b, i, err := w.chain.Transaction(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	receipt := b.Receipts[i]
	kept := *receipt
	for what, change := range map[string]func(){
		"status": func() { receipt.Status = types.ReceiptStatusFailed },
		"gas":    func() { receipt.GasUsed++ },
		"logs":   func() { receipt.Logs = nil },
		"data": func() {
			l := *receipt.Logs[0]
			l.Data = []byte{1}
			receipt.Logs = []*types.Log{&l}
		},
	} {
		change()
		if got := w.call("debug_traceTransaction", hash); !strings.Contains(got, "REPLAY_DIFFERS") {
			t.Errorf("%s: %s", what, got)
		}
		*receipt = kept
	}
	contains(t, w.call("debug_traceTransaction", hash), `"failed":false`)
}

// FuzzTraceConfig traces with configurations from outside: nothing crashes, and
// every answer is JSON.
func FuzzTraceConfig(f *testing.F) {
	w := newWorld(f)
	token := w.deploy()
	hash := w.sendSync(0, 1, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(1))).TxHash
	for _, config := range []string{
		`{"enableMemory":true,"disableStack":true,"disableStorage":true,"enableReturnData":true,"limit":-1,"timeout":"1h","reexec":1}`,
		`{"tracer":"callTracer","tracerConfig":{"withLog":true,"onlyTopCall":true}}`,
		`{"tracer":"prestateTracer","tracerConfig":{"diffMode":true,"disableCode":true,"disableStorage":true}}`,
		`{"tracer":"prestateTracer","tracerConfig":{"includeEmpty":true}}`,
		`{"tracer":"muxTracer","tracerConfig":{"4byteTracer":{},"prestateTracer":{"diffMode":true},"callTracer":null,"noopTracer":7}}`,
		`{"tracer":"{}","timeout":"-1ns","txIndex":"0x0","stateOverrides":{"0x0000000000000000000000000000000000000001":{"balance":"0x1","movePrecompileToAddress":"0x0000000000000000000000000000000000000009"}},"blockOverrides":{"number":"0x9"}}`,
		`{"overrides":{"osakaTime":0},"TRACER":"noopTracer","limit":1e3}`, `null`, `[]`, `7`,
	} {
		f.Add(true, []byte(config))
		f.Add(false, []byte(config))
	}
	f.Fuzz(func(t *testing.T, call bool, config []byte) {
		params := `"debug_traceTransaction","params":["` + hash.Hex() + `",`
		if call {
			params = `"debug_traceCall","params":[{"to":"` + token.Hex() + `","gas":"0x10000"},"latest",`
		}
		request := `{"jsonrpc":"2.0","id":1,"method":` + params + string(config) + `]}`
		response := w.dispatcher.Serve(t.Context(), []byte(request), nil)
		if !json.Valid(response) || bytes.Contains(response, []byte("crashed")) || bytes.Contains(response, []byte(`"code":-32603`)) {
			t.Fatalf("%s\n%s", request, response)
		}
	})
}
