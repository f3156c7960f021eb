package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// membersBeside gives a result's members but for those that every header, transaction
// or receipt has.
func membersBeside(t *testing.T, shape jsonrpc.Appender, common string) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(shape.AppendJSON(nil), &raw); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(common) {
		if raw[name] == nil {
			t.Errorf("there is no %s", name)
		}
		delete(raw, name)
	}
	rest := make(map[string]string)
	for name, value := range raw {
		rest[name] = string(value)
	}
	return rest
}

func expect(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s\ngot  %v\nwant %v", what, got, want)
	}
}

// Headers show the members of their fork, as geth does.
func TestOlderHeaders(t *testing.T) {
	const always = "number hash parentHash nonce mixHash sha3Uncles logsBloom stateRoot miner difficulty extraData gasLimit gasUsed timestamp " +
		"transactionsRoot receiptsRoot size transactions uncles"
	h := &types.Header{Number: big.NewInt(7), Difficulty: big.NewInt(1)}
	b := &ethereum.Block{Header: h}
	expect(t, "Homestead", membersBeside(t, blockShape{b, true}, always), map[string]string{})
	h.BaseFee = big.NewInt(255)
	want := map[string]string{"baseFeePerGas": `"0xff"`}
	expect(t, "London", membersBeside(t, blockShape{b, true}, always), want)
	h.WithdrawalsHash = new(common.Hash)
	zero := fmt.Sprintf(`"%v"`, common.Hash{})
	want["withdrawalsRoot"], want["withdrawals"] = zero, `[]`
	expect(t, "Shanghai", membersBeside(t, blockShape{b, true}, always), want)
	b.Withdrawals = types.Withdrawals{{Index: 1, Validator: 2, Amount: 100}}
	want["withdrawals"] = fmt.Sprintf(`[{"index":"0x1","validatorIndex":"0x2","address":"0x%040x","amount":"0x64"}]`, 0)
	expect(t, "Shanghai", membersBeside(t, blockShape{b, true}, always), want)
	h.BlobGasUsed, h.ExcessBlobGas, h.ParentBeaconRoot = new(uint64), new(uint64), new(common.Hash)
	want["blobGasUsed"], want["excessBlobGas"], want["parentBeaconBlockRoot"] = `"0x0"`, `"0x0"`, zero
	expect(t, "Cancun", membersBeside(t, blockShape{b, true}, always), want)
	h.RequestsHash = new(common.Hash)
	want["requestsHash"] = zero
	expect(t, "Prague", membersBeside(t, blockShape{b, true}, always), want)
}

// Transactions and receipts show the members of their type, as geth does.
func TestTransactionTypes(t *testing.T) {
	const (
		always   = "blockHash blockNumber blockTimestamp transactionIndex from gas hash input nonce to value v r s"
		receipts = "blockHash blockNumber transactionHash transactionIndex from to gasUsed cumulativeGasUsed contractAddress logs logsBloom"
	)
	one, two := big.NewInt(1), uint256.NewInt(2)
	for _, c := range []struct {
		name            string
		data            types.TxData
		receipt         types.Receipt
		shown, received map[string]string
	}{
		{"before EIP-155 and Byzantium", &types.LegacyTx{GasPrice: big.NewInt(3), V: big.NewInt(27)}, types.Receipt{PostState: []byte{1, 2}},
			map[string]string{"type": `"0x0"`, "gasPrice": `"0x3"`},
			map[string]string{"type": `"0x0"`, "effectiveGasPrice": `"0x9"`, "root": `"0x0102"`}},
		{"EIP-155", &types.LegacyTx{GasPrice: big.NewInt(3), V: big.NewInt(2*49344 + 35)}, types.Receipt{Status: 1},
			map[string]string{"type": `"0x0"`, "gasPrice": `"0x3"`, "chainId": `"0xc0c0"`},
			map[string]string{"type": `"0x0"`, "effectiveGasPrice": `"0x9"`, "status": `"0x1"`}},
		{"EIP-2930", &types.AccessListTx{ChainID: one, GasPrice: big.NewInt(3)}, types.Receipt{},
			map[string]string{"type": `"0x1"`, "gasPrice": `"0x3"`, "chainId": `"0x1"`, "accessList": `[]`, "yParity": `"0x0"`},
			map[string]string{"type": `"0x1"`, "effectiveGasPrice": `"0x9"`, "status": `"0x0"`}},
		{"EIP-1559", &types.DynamicFeeTx{ChainID: one, GasFeeCap: big.NewInt(12), GasTipCap: big.NewInt(2), V: one}, types.Receipt{},
			map[string]string{"type": `"0x2"`, "gasPrice": `"0x9"`, "maxFeePerGas": `"0xc"`, "maxPriorityFeePerGas": `"0x2"`, "chainId": `"0x1"`, "accessList": `[]`, "yParity": `"0x1"`},
			map[string]string{"type": `"0x2"`, "effectiveGasPrice": `"0x9"`, "status": `"0x0"`}},
		{"EIP-4844", &types.BlobTx{ChainID: two, GasFeeCap: two, GasTipCap: two, BlobFeeCap: uint256.NewInt(5), BlobHashes: []common.Hash{{}}}, types.Receipt{BlobGasUsed: 131072, BlobGasPrice: one},
			map[string]string{"type": `"0x3"`, "gasPrice": `"0x9"`, "maxFeePerGas": `"0x2"`, "maxPriorityFeePerGas": `"0x2"`, "maxFeePerBlobGas": `"0x5"`, "chainId": `"0x2"`, "accessList": `[]`, "yParity": `"0x0"`,
				"blobVersionedHashes": fmt.Sprintf(`["%v"]`, common.Hash{})},
			map[string]string{"type": `"0x3"`, "effectiveGasPrice": `"0x9"`, "status": `"0x0"`, "blobGasUsed": `"0x20000"`, "blobGasPrice": `"0x1"`}},
		{"EIP-7702", &types.SetCodeTx{ChainID: two, GasFeeCap: two, GasTipCap: two}, types.Receipt{},
			map[string]string{"type": `"0x4"`, "gasPrice": `"0x9"`, "maxFeePerGas": `"0x2"`, "maxPriorityFeePerGas": `"0x2"`, "chainId": `"0x2"`, "accessList": `[]`, "yParity": `"0x0"`, "authorizationList": `[]`},
			map[string]string{"type": `"0x4"`, "effectiveGasPrice": `"0x9"`, "status": `"0x0"`}},
	} {
		tx := types.NewTx(c.data)
		c.receipt.Type, c.receipt.EffectiveGasPrice = tx.Type(), big.NewInt(9)
		b := &ethereum.Block{Header: &types.Header{Number: one}, Transactions: []*ethereum.Transaction{{Transaction: tx}}, Receipts: []*types.Receipt{&c.receipt}}
		expect(t, c.name, membersBeside(t, minedShape{b, 0}, always), c.shown)
		expect(t, c.name+": receipt", membersBeside(t, receiptShape{b, 0}, receipts), c.received)
	}
}

// A chain whose gas costs something has the fees of EIP-1559.
func TestFees(t *testing.T) {
	l := ethereumtest.New(t)
	machine, err := evm.NewRules(l.Store, evm.Rules{Config: params.MergedTestChainConfig, Paid: true})
	if err != nil {
		t.Fatal(err)
	}
	paid, free := &API{Config: Config{Machine: machine}}, &API{Config: Config{Machine: l.Machine}}
	h := &types.Header{Number: big.NewInt(27), GasLimit: 200_000_000, GasUsed: 145_736, BaseFee: big.NewInt(1_000_000_000)}
	b := &ethereum.Block{Header: h}
	for _, r := range []struct{ gas, price int64 }{{45_736, 1_000_000_003}, {50_000, 1_000_000_001}, {50_000, 1_000_000_002}} {
		b.Receipts = append(b.Receipts, &types.Receipt{GasUsed: uint64(r.gas), EffectiveGasPrice: big.NewInt(r.price)})
	}
	show := func(a *API, percentiles ...float64) string {
		return string(feeShape{27, []blockFees{a.feesOf(b, percentiles)}}.AppendJSON(nil))
	}
	if got, want := show(paid, 0, 34, 35, 68, 70, 100), `{"oldestBlock":"0x1b","reward":[["0x1","0x1","0x2","0x2","0x3","0x3"]],`+
		`"baseFeePerGas":["0x3b9aca00","0x342a385a"],"gasUsedRatio":[0.00072868],"baseFeePerBlobGas":["0x0","0x0"],"blobGasUsedRatio":[0]}`; got != want {
		t.Errorf("paid\ngot  %s\nwant %s", got, want)
	}
	if got, want := show(free), `{"oldestBlock":"0x1b","baseFeePerGas":["0x3b9aca00","0x0"],"gasUsedRatio":[0.00072868],"baseFeePerBlobGas":["0x0","0x0"],"blobGasUsedRatio":[0]}`; got != want {
		t.Errorf("free\ngot  %s\nwant %s", got, want)
	}
	blobs, excess := uint64(3*params.BlobTxBlobGasPerBlob), uint64(50<<20)
	h.BlobGasUsed, h.ExcessBlobGas = &blobs, &excess
	if f := paid.feesOf(b, nil); f.blobBase.Cmp(big.NewInt(1)) <= 0 || f.nextBlobBase.Cmp(f.blobBase) <= 0 || f.blobUsed != 1.0/3 {
		t.Errorf("blobs: %v, then %v, %v used", f.blobBase, f.nextBlobBase, f.blobUsed)
	}
}

// What is given raw is what geth's library makes of it again.
func TestRaw(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	legacy := ethereumtest.Sign(t, key(1), &types.LegacyTx{To: &token, Gas: 100_000, GasPrice: big.NewInt(1)})
	dynamic, hash := w.sign(0, 1, &common.Address{1}, 1, nil)
	w.chain.Committed(w.Commit(t, legacy, dynamic))
	head := w.chain.Head()

	var text string
	w.into(&text, "debug_getRawHeader", "latest")
	if crypto.Keccak256Hash(common.FromHex(text)) != head.Hash {
		t.Errorf("header %s", text)
	}
	w.into(&text, "debug_getRawBlock", head.Hash)
	var block types.Block
	if err := rlp.DecodeBytes(common.FromHex(text), &block); err != nil || block.Hash() != head.Hash || len(block.Transactions()) != 2 || block.Withdrawals() == nil {
		t.Errorf("block: %v", err)
	}
	if n := uint64(len(common.FromHex(text))); n != head.Size {
		t.Errorf("the block has %d bytes, its size is %d", n, head.Size)
	}
	var list []string
	w.into(&list, "debug_getRawReceipts", "0x2")
	for i, encoded := range list {
		var r types.Receipt
		if err := r.UnmarshalBinary(common.FromHex(encoded)); err != nil || r.Status != head.Receipts[i].Status || r.CumulativeGasUsed != head.Receipts[i].CumulativeGasUsed {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d receipts", len(list))
	}
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"debug_getRawTransaction", []any{hash}, `"` + dynamic.String() + `"`},
		{"eth_getRawTransactionByHash", []any{hash}, `"` + dynamic.String() + `"`},
		{"eth_getRawTransactionByBlockHashAndIndex", []any{head.Hash, "0x0"}, fmt.Sprintf(`"%#x"`, legacy)},
		{"eth_getRawTransactionByBlockNumberAndIndex", []any{"latest", "0x1"}, `"` + dynamic.String() + `"`},
		{"eth_getRawTransactionByBlockNumberAndIndex", []any{"latest", "0x2"}, `"0x"`},
		{"eth_getRawTransactionByBlockHashAndIndex", []any{common.Hash{1}, "0x0"}, `"0x"`},
		{"eth_getRawTransactionByHash", []any{common.Hash{1}}, `"0x"`},
		{"debug_getRawHeader", []any{"0x99"}, `"0x"`},
		{"debug_getRawBlock", []any{"0x99"}, `"0x"`},
		{"debug_getRawReceipts", []any{"0x99"}, `null`},
		{"debug_getRawReceipts", []any{common.Hash{1}}, `[]`},
		{"debug_getRawHeader", []any{common.Hash{1}}, `{"code":-32000,"message":"header ` + common.Hash{1}.Hex() + ` not found"}`},
		{"debug_getRawBlock", []any{common.Hash{1}}, `{"code":-32000,"message":"block ` + common.Hash{1}.Hex() + ` not found"}`},
		{"debug_getRawBlock", []any{"2"}, `{"code":-32602,"message":"invalid argument 0: hex string without 0x prefix"}`},
	} {
		if got := w.call(c.method, c.params...); got != c.want {
			t.Errorf("%s%v\ngot  %s\nwant %s", c.method, c.params, got, c.want)
		}
	}
	// One that is admitted and not committed yet.
	w.hold(true)
	next, hash := w.sign(0, 2, &common.Address{1}, 1, nil)
	w.call("eth_sendRawTransaction", next)
	if got := w.call("eth_getRawTransactionByHash", hash); got != `"`+next.String()+`"` {
		t.Errorf("admitted: %s", got)
	}
	w.hold(false)
}

// The rules of the chain in the form of EIP-7910, and what can be asked about.
func TestConfig(t *testing.T) {
	w := newWorld(t)
	var c struct{ Current, Next, Last map[string]any }
	w.into(&c, "eth_config")
	names := slices.Sorted(maps.Keys(c.Current["precompiles"].(map[string]any)))
	if c.Next != nil || c.Last != nil || c.Current["chainId"] != "0xc0c0" || c.Current["activationTime"] != 0.0 || c.Current["blobSchedule"] != nil ||
		len(c.Current["forkId"].(string)) != 10 || len(names) != 18 || names[0] != "BLAKE2F" || len(c.Current["systemContracts"].(map[string]any)) != 0 {
		t.Errorf("%+v", c)
	}
	w.sendSync(0, 0, &common.Address{1}, 1, nil)
	const all = `{"disabled":false,"oldestBlock":"0x0"}`
	want := fmt.Sprintf(`{"head":{"number":"0x1","hash":"%v"},"state":{"disabled":false,"oldestBlock":"0x0","deleteStrategy":{"type":"window","retentionBlocks":"0x2"}},`+
		`"tx":%s,"logs":%s,"receipts":%s,"blocks":%s,"stateproofs":{"disabled":true}}`, w.chain.Head().Hash, all, all, all, all)
	if got := w.call("eth_capabilities"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
