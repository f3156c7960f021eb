package api

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	goethereum "github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/test/contracts"
)

// deploy creates the token from account 0 with nonce 0.
func (w *world) deploy() common.Address {
	w.t.Helper()
	r := w.sendSync(0, 0, nil, 0, contracts.Token.Deploy("Garden", "GDN", big.NewInt(1000)))
	if r.Status != 1 || r.ContractAddress != crypto.CreateAddress(address(0), 0) {
		w.t.Fatalf("deployed as %+v", r)
	}
	return r.ContractAddress
}

func TestConstants(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"web3_clientVersion", nil, `"coco/test"`},
		{"web3_sha3", []any{"0x"}, `"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"`},
		{"net_version", nil, `"49344"`},
		{"net_listening", nil, `true`},
		{"eth_chainId", nil, `"0xc0c0"`},
		{"eth_syncing", nil, `false`},
		{"eth_accounts", nil, `[]`},
		{"eth_blockNumber", nil, `"0x0"`},
		{"eth_gasPrice", nil, `"0x0"`},
		{"eth_maxPriorityFeePerGas", nil, `"0x0"`},
		{"eth_baseFee", nil, `"0x0"`},
		{"net_peerCount", nil, `"0x0"`},
		{"eth_protocolVersion", nil, `"0x0"`},
		{"eth_coinbase", nil, `"0x0000000000000000000000000000000000000000"`},
		{"eth_mining", nil, `false`},
		{"eth_hashrate", nil, `"0x0"`},
		{"eth_pendingTransactions", nil, `[]`},
		{"txpool_status", nil, `{"pending":"0x0","queued":"0x0"}`},
		{"txpool_content", nil, `{"pending":{},"queued":{}}`},
		{"txpool_inspect", nil, `{"pending":{},"queued":{}}`},
		{"txpool_contentFrom", []any{address(0)}, `{"pending":{},"queued":{}}`},
		{"rpc_modules", nil, `{"coco":"1.0","debug":"1.0","eth":"1.0","net":"1.0","rpc":"1.0","txpool":"1.0","web3":"1.0"}`},
		{"eth_getStorageValues", []any{map[string]any{address(0).Hex(): []common.Hash{{}}}}, `{"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266":["0x` + strings.Repeat("0", 64) + `"]}`},
		{"eth_getHeaderByNumber", []any{"pending"}, `null`},
		{"eth_getHeaderByNumber", []any{"0x7"}, `null`},
		{"eth_getHeaderByHash", []any{common.Hash{1}}, `null`},
		{"eth_getUncleCountByBlockNumber", []any{"0x7"}, `null`},
		{"eth_getBlockReceipts", []any{"0x7"}, `null`},
		{"eth_getBlockReceipts", []any{common.Hash{1}}, `null`},
		{"eth_getBlockReceipts", []any{map[string]any{"blockNumber": "earliest"}}, `[]`},
		{"eth_blobBaseFee", nil, `"0x1"`},
		{"eth_getBalance", []any{address(0), "latest"}, `"0x21e19e0c9bab2400000"`},
		{"eth_getBalance", []any{address(0)}, `"0x21e19e0c9bab2400000"`},
		{"eth_getBalance", []any{common.Address{9}, "pending"}, `"0x0"`},
		{"eth_getCode", []any{address(0), "0x0"}, `"0x"`},
		{"eth_getCode", []any{address(0), "0X0"}, `"0x"`},
		{"eth_getTransactionCount", []any{address(0), "finalized"}, `"0x0"`},
		{"eth_getStorageAt", []any{address(0), "0x0", "safe"}, `"0x` + strings.Repeat("0", 64) + `"`},
		{"eth_getStorageAt", []any{address(0), "0x" + strings.Repeat("f", 64), "latest"}, `"0x` + strings.Repeat("0", 64) + `"`},
		{"eth_getUncleCountByBlockNumber", []any{"latest"}, `"0x0"`},
		{"eth_getUncleByBlockNumberAndIndex", []any{"latest", "0x0"}, `null`},
		{"eth_getBlockTransactionCountByNumber", []any{"earliest"}, `"0x0"`},
		{"eth_getBlockTransactionCountByNumber", []any{"0x7"}, `null`},
		{"eth_getBlockByNumber", []any{"0x7", false}, `null`},
		{"eth_getBlockByHash", []any{common.Hash{1}, false}, `null`},
		{"eth_getBlockReceipts", []any{"latest"}, `[]`},
		{"eth_getTransactionByHash", []any{common.Hash{1}}, `null`},
		{"eth_getTransactionByBlockNumberAndIndex", []any{"latest", "0x0"}, `null`},
		{"eth_getTransactionReceipt", []any{common.Hash{1}}, `null`},
		{"eth_getLogs", []any{map[string]any{}}, `[]`},
		{"coco_getCheckpoint", nil, `"origin\n1\nroot\n"`},
		{"coco_getServiceIdentity", nil, `{"service":"00ff","mode":"simulated","pem":"-----BEGIN","evidence":"0x0102"}`},
		{"coco_getTransactionStatus", []any{common.Hash{1}}, `{"status":"Unknown"}`},
		{"coco_getTransactionStatus", []any{"2.7"}, `{"status":"Unknown","txId":"2.7"}`},
		{"eth_feeHistory", []any{"0x2", "latest", []int{10, 90}},
			`{"oldestBlock":"0x0","reward":[["0x0","0x0"]],"baseFeePerGas":["0x0","0x0"],"gasUsedRatio":[0],"baseFeePerBlobGas":["0x1","0x1"],"blobGasUsedRatio":[0]}`},
		{"eth_feeHistory", []any{0, "latest", nil}, `{"oldestBlock":"0x0","gasUsedRatio":null}`},
	} {
		if got := compact(t, w.call(c.method, c.params...)); got != c.want {
			t.Errorf("%s%v\ngot  %s\nwant %s", c.method, c.params, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorldWithin(t, 1)
	token := w.deploy()
	w.sendSync(0, 1, &common.Address{1}, 1, nil)
	block := w.chain.Head()
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"eth_foo", nil, `{"code":-32601,"message":"the method eth_foo does not exist/is not available"}`},
		{"eth_fillTransaction", []any{map[string]any{}}, `{"code":-32000,"message":"contract creation without any data provided"}`},
		{"eth_getBalance", []any{address(0), map[string]any{}}, `{"code":-32602,"message":"invalid argument 1: must specify either BlockHash or BlockNumber"}`},
		{"eth_getBalance", []any{address(0), "0x01"}, `{"code":-32602,"message":"invalid argument 1: hex number with leading zero digits"}`},
		{"eth_getBlockByNumber", []any{"0xffffffffffffffff", false}, `{"code":-32602,"message":"invalid argument 0: block number larger than int64"}`},
		{"eth_getBlockByNumber", []any{7, false}, `{"code":-32602,"message":"invalid argument 0: hex string without 0x prefix"}`},
		{"eth_getBlockByNumber", []any{"latest", "x"}, `{"code":-32602,"message":"invalid argument 1: json: cannot unmarshal string into Go value of type bool"}`},
		{"eth_getStorageAt", []any{address(0), "0x" + strings.Repeat("0", 65), "latest"}, `{"code":-32602,"message":"storage key too long (want at most 32 bytes): \"0x0000`},
		{"eth_getStorageValues", []any{map[string]any{}, "latest"}, `{"code":-32602,"message":"empty request"}`},
		{"eth_getStorageValues", []any{map[string]any{address(0).Hex(): make([]common.Hash, 1025)}}, `{"code":-38026,"message":"too many slots (max 1024)"}`},
		{"eth_getStorageValues", []any{map[string]any{"0x12": []string{}}}, `{"code":-32602,"message":"invalid argument 0: hex string has length 2, want 40 for common.Address"}`},
		{"eth_getTransactionReceipt", []any{"0x12"}, `{"code":-32602,"message":"invalid argument 0: hex string has length 2, want 64 for common.Hash"}`},
		{"eth_getTransactionReceipt", []any{12}, `{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal non-string into Go value of type common.Hash"}`},
		{"debug_getRawTransaction", []any{"10"}, `{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string without 0x prefix into Go value of type common.Hash"}`},
		{"eth_chainId", []any{1}, `{"code":-32602,"message":"too many arguments, want at most 0"}`},
		{"eth_sendTransaction", []any{map[string]any{}}, `{"code":-32601,"message":"the method eth_sendTransaction does not exist/is not available: nodes keep no keys: sign in the client and send with eth_sendRawTransaction"}`},
		{"personal_unlockAccount", nil, `is not available: nodes keep no keys`},
		{"debug_setHead", []any{"0x1"}, `is not available: a committed block is final and is never taken back`},
		{"debug_freeOSMemory", nil, `is not available: the inside of a node is not reachable over JSON-RPC`},
		{"evm_snapshot", nil, `is not available: this is a ledger and no test node`},
		{"eth_getProof", []any{address(0), []string{}, "latest"}, `{"code":-32601,"message":"the method eth_getProof does not exist/is not available: there is no state trie: coco_getReceipt proves that a transaction is committed"}`},
		{"eth_getBalance", []any{"0x12", "latest"}, `{"code":-32602,"message":"invalid argument 0: hex string has length 2, want 40 for common.Address"}`},
		{"eth_getBalance", []any{address(0), "newest"}, `{"code":-32602,"message":"invalid argument 1: hex string without 0x prefix"}`},
		{"eth_getBalance", []any{address(0), 7}, `"code":-32602`},
		{"eth_getBalance", []any{address(0), "0x99"}, `{"code":-32000,"message":"header not found"}`},
		{"eth_getBalance", []any{address(0), common.Hash{1}}, `{"code":-32000,"message":"header for hash not found"}`},
		{"eth_getBalance", []any{address(0), "0x0"}, `"message":"historical state is not available: block 0 was asked for, state is kept from block 1 to 2","data":{"code":"STATE_UNAVAILABLE"`},
		{"eth_getStorageAt", []any{address(0), "0xzz", "latest"}, `{"code":-32602,"message":"invalid hex in storage key: \"0xzz\""}`},
		{"eth_call", []any{map[string]any{"to": token, "chainId": "0x1"}}, `chainId does not match node's (have=1, want=49344)`},
		{"eth_call", []any{map[string]any{"to": token, "gasPrice": "0x1", "maxFeePerGas": "0x1"}}, `both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified`},
		{"eth_feeHistory", []any{"0x1", "0x99", nil}, `request beyond head block: requested 153, head 2`},
		{"eth_feeHistory", []any{"0x1", "latest", []int{90, 10}}, `invalid reward percentile`},
		{"eth_getLogs", []any{map[string]any{"fromBlock": "0x2", "toBlock": "0x1"}}, `{"code":-32602,"message":"invalid block range params"}`},
		{"eth_getLogs", []any{map[string]any{"fromBlock": "0x0", "toBlock": "0x99"}}, `{"code":-32602,"message":"block range extends beyond current head block"}`},
		{"eth_getLogs", []any{map[string]any{"blockHash": block.Hash, "fromBlock": "0x1"}}, `cannot specify both BlockHash and FromBlock/ToBlock`},
		{"eth_getLogs", []any{map[string]any{"blockHash": common.Hash{1}}}, `{"code":-32000,"message":"unknown block"}`},
		{"eth_getLogs", []any{map[string]any{"topics": []any{nil, nil, nil, nil, nil}}}, `exceed max topics`},
		{"eth_getLogs", []any{map[string]any{"address": 7}}, `"code":-32602`},
		{"eth_sendRawTransaction", []any{"0x"}, `{"code":-32000,"message":"typed transaction too short","data":{"code":"TRANSACTION_FORMAT"`},
		{"eth_sendRawTransaction", []any{"0x03c0"}, `transaction type not supported`},
		{"eth_subscribe", []any{"newHeads"}, `{"code":-32601,"message":"notifications not supported"}`},
		{"coco_getReceipt", []any{common.Hash{1}}, `"code":"NO_RECEIPT"`},
		{"coco_getReceipt", []any{"7"}, `"code":-32602`},
		{"coco_getReceipt", []any{"2.7", "xml"}, `the form of a receipt is \"json\" or \"cose\"`},
	} {
		contains(t, w.call(c.method, c.params...), c.want)
	}
	raw, hash := w.sign(0, 1, &common.Address{1}, 1, nil)
	contains(t, w.call("eth_sendRawTransaction", raw), `{"code":-32000,"message":"nonce too low: next nonce 2, tx nonce 1"`)
	raw, _ = w.sign(0, 2+65, &common.Address{1}, 1, nil)
	contains(t, w.call("eth_sendRawTransaction", raw), `"message":"nonce too high: `)
	raw, _ = w.sign(1, 0, &common.Address{1}, 1, nil)
	poor := ethereumtest.Sign(t, mustKey(t), &types.LegacyTx{Gas: 21000, To: &common.Address{1}, Value: big.NewInt(1)})
	contains(t, w.call("eth_sendRawTransaction", hexutil.Bytes(poor)), `"message":"insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1"`)
	contains(t, w.call("coco_getTransactionStatus", hash), `{"status":"Committed","txId":"2.`)
	w.hold(true)
	contains(t, w.call("eth_sendRawTransaction", raw), `"0x`)
	contains(t, w.call("eth_sendRawTransaction", raw), `{"code":-32000,"message":"already known"`)
	w.hold(false)
}

// Failing calls say why, as geth does.
func TestReverts(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	tooMuch := map[string]any{"from": address(1), "to": token, "input": hexutil.Bytes(contracts.Token.Call("transfer", address(2), big.NewInt(1)))}
	const want = `{"code":3,"message":"execution reverted: transfer amount exceeds balance","data":"0x08c379a0`
	contains(t, w.call("eth_call", tooMuch, "latest"), want)
	contains(t, w.call("eth_estimateGas", tooMuch), want)
	custom := map[string]any{"from": address(1), "to": token, "data": hexutil.Bytes(contracts.Token.Call("transferFrom", address(0), address(2), big.NewInt(1)))}
	selector := contracts.Token.ABI.Errors["Allowance"].ID
	contains(t, w.call("eth_call", custom), fmt.Sprintf(`{"code":3,"message":"execution reverted","data":"%s`, hexutil.Encode(selector[:4])))
	plain := map[string]any{"to": token, "input": "0x01020304"} // no such method: revert without data
	contains(t, w.call("eth_call", plain), `{"code":3,"message":"execution reverted","data":"0x"}`)
	invalid := map[string]any{"input": "0xfe"}
	contains(t, w.call("eth_call", invalid), `{"code":-32000,"message":"invalid opcode: INVALID"}`)
	little := map[string]any{"to": token, "gas": "0x5300", "input": hexutil.Bytes(contracts.Token.Call("totalSupply"))}
	contains(t, w.call("eth_call", little), `{"code":-32000,"message":"`)
	forever := map[string]any{"input": "0x5b600056", "gas": "0xf4240"}
	contains(t, w.call("eth_call", forever), `"message":"out of gas"`)
	rich := map[string]any{"from": common.Address{9}, "to": token, "value": "0x1"}
	contains(t, w.call("eth_call", rich), `insufficient funds`)
	// Sent all the same it is committed with status 0.
	if r := w.sendSync(1, 0, &token, 0, contracts.Token.Call("transfer", address(2), big.NewInt(1))); r.Status != 0 || len(r.Logs) != 0 {
		t.Errorf("receipt %+v", r)
	}
}

// The client library of geth deploys, sends, reads and decodes everything that
// it knows how to, and agrees on every hash.
func TestEthclient(t *testing.T) {
	w := newWorld(t)
	client, err := ethclient.Dial("http://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := t.Context()
	signer := types.NewPragueSigner(big.NewInt(ethereum.DevelopmentChainID))
	token := crypto.CreateAddress(address(0), 0)
	id := big.NewInt(ethereum.DevelopmentChainID)
	transfer := contracts.Token.Call("transfer", address(1), big.NewInt(5))
	authorization, err := types.SignSetCode(key(3), types.SetCodeAuthorization{ChainID: *uint256.NewInt(ethereum.DevelopmentChainID), Address: token, Nonce: 0})
	if err != nil {
		t.Fatal(err)
	}
	var sent []*types.Transaction
	w.hold(true)
	for _, data := range []types.TxData{
		&types.LegacyTx{Nonce: 0, Gas: 2_000_000, Data: contracts.Token.Deploy("Garden", "GDN", big.NewInt(1000)), GasPrice: big.NewInt(3)},
		&types.LegacyTx{Nonce: 1, Gas: 100_000, To: &token, Data: transfer},
		&types.AccessListTx{ChainID: id, Nonce: 2, Gas: 100_000, To: &token, Data: transfer, AccessList: types.AccessList{{Address: token, StorageKeys: []common.Hash{{1}, {2}}}, {Address: common.Address{5}}}},
		&types.DynamicFeeTx{ChainID: id, Nonce: 3, Gas: 100_000, To: &token, Data: transfer, GasFeeCap: big.NewInt(9e9), GasTipCap: big.NewInt(1e9)},
		&types.SetCodeTx{ChainID: uint256.NewInt(ethereum.DevelopmentChainID), Nonce: 4, Gas: 200_000, To: token, Data: transfer, AuthList: []types.SetCodeAuthorization{authorization}},
	} {
		tx, err := types.SignNewTx(key(0), signer, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.SendTransaction(ctx, tx); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, tx)
	}
	nonce, err := client.PendingNonceAt(ctx, address(0))
	if err != nil || nonce != 5 {
		t.Errorf("pending nonce %d, %v", nonce, err)
	}
	if tx, pending, err := client.TransactionByHash(ctx, sent[4].Hash()); err != nil || !pending || tx.Hash() != sent[4].Hash() {
		t.Errorf("pending transaction: %v, %v", pending, err)
	}
	contains(t, w.call("coco_getTransactionStatus", sent[4].Hash()), `{"status":"pending"}`)
	w.hold(false)
	last := w.sendSync(2, 0, &common.Address{1}, 1, nil) // behind all of them
	block, err := client.BlockByNumber(ctx, new(big.Int).Sub(last.BlockNumber, big.NewInt(1)))
	if err != nil || len(block.Transactions()) < len(sent) {
		if block, err = client.BlockByNumber(ctx, last.BlockNumber); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := w.chain.ByNumber(ctx, block.NumberU64())
	if err != nil {
		t.Fatal(err)
	}
	if block.Hash() != kept.Hash || block.Header().TxHash != kept.Header.TxHash {
		t.Errorf("ethclient makes the block's hash %v, it is %v", block.Hash(), kept.Hash)
	}
	byHash, err := client.BlockByHash(ctx, kept.Hash)
	if err != nil || byHash.Hash() != kept.Hash {
		t.Errorf("by hash: %v", err)
	}
	receipts, err := client.BlockReceipts(ctx, rpc.BlockNumberOrHashWithNumber(rpc.BlockNumber(block.NumberU64())))
	if err != nil || len(receipts) != len(kept.Receipts) {
		t.Fatalf("%d receipts, %v", len(receipts), err)
	}
	for i, tx := range sent {
		got, pending, err := client.TransactionByHash(ctx, tx.Hash())
		if err != nil || pending || got.Hash() != tx.Hash() {
			t.Errorf("transaction %d: %v", i, err)
			continue
		}
		if from, err := client.TransactionSender(ctx, got, kept.Hash, uint(i)); err != nil || from != address(0) {
			t.Errorf("sender of %d: %v %v", i, from, err)
		}
		r, err := client.TransactionReceipt(ctx, tx.Hash())
		if err != nil {
			t.Errorf("receipt %d: %v", i, err)
			continue
		}
		want := kept.Receipts[i]
		if r.Status != 1 || r.TxHash != tx.Hash() || r.BlockHash != kept.Hash || r.TransactionIndex != uint(i) || r.Type != tx.Type() ||
			r.GasUsed != want.GasUsed || r.CumulativeGasUsed != want.CumulativeGasUsed || len(r.Logs) != 1 || r.Bloom != types.CreateBloom(want) ||
			r.EffectiveGasPrice.Sign() != 0 {
			t.Errorf("receipt %d: %+v", i, r)
		}
		if r.Logs[0].Address != token || r.Logs[0].TxHash != tx.Hash() || r.Logs[0].Index != uint(i) || r.Logs[0].BlockTimestamp != kept.Header.Time {
			t.Errorf("log %d: %+v", i, r.Logs[0])
		}
		if receipts[i].TxHash != r.TxHash {
			t.Errorf("receipt %d of the block: %+v", i, receipts[i])
		}
		if at, err := client.TransactionInBlock(ctx, kept.Hash, uint(i)); err != nil || at.Hash() != tx.Hash() {
			t.Errorf("transaction %d in its block: %v", i, err)
		}
	}
	readState(t, ctx, client, token)
	logs, err := client.FilterLogs(ctx, goethereum.FilterQuery{FromBlock: big.NewInt(0), Addresses: []common.Address{token}, Topics: [][]common.Hash{nil, {common.BytesToHash(address(0).Bytes())}}})
	if err != nil || len(logs) != 4 || logs[0].TxHash != sent[1].Hash() {
		t.Errorf("%d logs, %v", len(logs), err)
	}
}

func readState(t *testing.T, ctx context.Context, client *ethclient.Client, token common.Address) {
	t.Helper()
	balance := contracts.Token.Call("balanceOf", address(1))
	for name, call := range map[string]func() ([]byte, error){
		"latest": func() ([]byte, error) {
			return client.CallContract(ctx, goethereum.CallMsg{To: &token, Data: balance}, nil)
		},
		"pending": func() ([]byte, error) {
			return client.PendingCallContract(ctx, goethereum.CallMsg{To: &token, Data: balance})
		},
	} {
		if out, err := call(); err != nil || new(big.Int).SetBytes(out).Int64() != 20 {
			t.Errorf("%s balance %x, %v", name, out, err)
		}
	}
	if code, err := client.CodeAt(ctx, token, nil); err != nil || len(code) < 500 {
		t.Errorf("code of %d bytes, %v", len(code), err)
	}
	if supply, err := client.StorageAt(ctx, token, common.BigToHash(big.NewInt(2)), nil); err != nil || new(big.Int).SetBytes(supply).Int64() != 1000 {
		t.Errorf("total supply %x, %v", supply, err)
	}
	if code, err := client.CodeAt(ctx, address(3), nil); err != nil || string(code) != string(types.AddressToDelegation(token)) {
		t.Errorf("delegation %x, %v", code, err)
	}
	gas, err := client.EstimateGas(ctx, goethereum.CallMsg{From: address(0), To: &token, Data: contracts.Token.Call("transfer", address(2), big.NewInt(1))})
	if err != nil || gas < 40_000 || gas > 80_000 {
		t.Errorf("estimate %d, %v", gas, err)
	}
	if gas, err := client.EstimateGas(ctx, goethereum.CallMsg{From: address(0), To: &common.Address{1, 2}, Value: big.NewInt(1)}); err != nil || gas != 21000 {
		t.Errorf("estimate of a transfer %d, %v", gas, err)
	}
	if history, err := client.FeeHistory(ctx, 5, nil, []float64{50}); err != nil || len(history.BaseFee) != len(history.Reward)+1 {
		t.Errorf("fee history %+v, %v", history, err)
	}
	if price, err := client.SuggestGasPrice(ctx); err != nil || price.Sign() != 0 {
		t.Errorf("gas price %v, %v", price, err)
	}
	if head, err := client.HeaderByNumber(ctx, nil); err != nil || head.Number.Sign() == 0 {
		t.Errorf("head %+v, %v", head, err)
	}
	if nonce, err := client.NonceAt(ctx, address(0), nil); err != nil || nonce != 5 {
		t.Errorf("nonce %d, %v", nonce, err)
	}
}

// Every member that geth shows is there, and none besides.
func TestMembers(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	receipt := w.sendSync(0, 1, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(5)))
	hash := receipt.TxHash
	head := "baseFeePerGas blobGasUsed difficulty excessBlobGas extraData gasLimit gasUsed hash logsBloom miner mixHash nonce number " +
		"parentBeaconBlockRoot parentHash receiptsRoot requestsHash sha3Uncles stateRoot timestamp transactionsRoot withdrawalsRoot"
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"eth_getBlockByNumber", []any{"latest", true}, head + " size transactions uncles withdrawals"},
		{"eth_getTransactionByHash", []any{hash}, "accessList blockHash blockNumber blockTimestamp chainId from gas gasPrice hash input " +
			"maxFeePerGas maxPriorityFeePerGas nonce r s to transactionIndex type v value yParity"},
		{"eth_getTransactionReceipt", []any{hash}, "blockHash blockNumber contractAddress cumulativeGasUsed effectiveGasPrice from gasUsed " +
			"logs logsBloom status to transactionHash transactionIndex type"},
	} {
		var members map[string]json.RawMessage
		w.into(&members, c.method, c.params...)
		var got []string
		for name := range members {
			got = append(got, name)
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %v\nwant %v", c.method, got, want)
		}
	}
	var logs []map[string]any
	w.into(&logs, "eth_getLogs", map[string]any{"fromBlock": "earliest", "address": token, "topics": []any{[]any{contracts.Token.ABI.Events["Transfer"].ID}}})
	if len(logs) != 2 || len(logs[1]) != 10 || logs[1]["removed"] != false || logs[1]["transactionHash"] != hash.String() {
		t.Errorf("logs %v", logs)
	}
}

// What geth's own encoding makes of a header, log and authorization list and
// what this package writes decode to the same.
func TestShapesAgreeWithGeth(t *testing.T) {
	w := newWorld(t)
	w.deploy()
	b := w.chain.Head()
	for name, pair := range map[string][2]any{
		"header": {b.Header, json.RawMessage(headShape{b}.AppendJSON(nil))},
		"log":    {b.Receipts[0].Logs[0], json.RawMessage(appendLog(nil, b.Receipts[0].Logs[0]))},
		"access list": {types.AccessList{{Address: common.Address{1}, StorageKeys: []common.Hash{{2}}}},
			json.RawMessage(appendAccessList(nil, types.AccessList{{Address: common.Address{1}, StorageKeys: []common.Hash{{2}}}}))},
		"authorizations": {[]types.SetCodeAuthorization{{ChainID: *uint256.NewInt(7), Nonce: 3, V: 1, R: *uint256.NewInt(1 << 40), S: *uint256.NewInt(9)}},
			json.RawMessage(appendAuthorizations(nil, []types.SetCodeAuthorization{{ChainID: *uint256.NewInt(7), Nonce: 3, V: 1, R: *uint256.NewInt(1 << 40), S: *uint256.NewInt(9)}}))},
	} {
		var decoded [2]any
		for i, v := range pair {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &decoded[i]); err != nil {
				t.Fatal(err)
			}
			if members, ok := decoded[i].(map[string]any); ok { // geth shows members of later forks as null
				maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
			}
		}
		if geth, ours := fmt.Sprint(decoded[0]), fmt.Sprint(decoded[1]); geth != ours {
			t.Errorf("%s\ngeth %s\nours %s", name, geth, ours)
		}
	}
}

func TestBlockReferences(t *testing.T) {
	w := newWorld(t)
	w.sendSync(0, 0, &common.Address{1}, 7, nil)
	head := w.chain.Head()
	for _, ref := range []any{"latest", "0x1", head.Hash, map[string]any{"blockHash": head.Hash, "requireCanonical": true}, map[string]any{"blockNumber": "0x1"}, "pending", "safe", nil} {
		if got := w.call("eth_getBalance", common.Address{1}, ref); got != `"0x7"` {
			t.Errorf("%v: %s", ref, got)
		}
	}
	contains(t, w.call("eth_getBalance", common.Address{1}, map[string]any{"blockHash": head.Hash, "blockNumber": "0x1"}), "cannot specify both")
	// The pending call runs in the next block, at the time that it is.
	number := hexutil.Bytes{byte(vm.NUMBER), byte(vm.PUSH0), byte(vm.MSTORE), byte(vm.TIMESTAMP), byte(vm.PUSH1), 32, byte(vm.MSTORE), byte(vm.PUSH1), 64, byte(vm.PUSH0), byte(vm.RETURN)}
	for ref, want := range map[string][2]uint64{"latest": {1, head.Header.Time}, "pending": {2, 1_700_000_100}} {
		if got := w.call("eth_call", map[string]any{"input": number}, ref); got != fmt.Sprintf(`"0x%064x%064x"`, want[0], want[1]) {
			t.Errorf("%s: %s", ref, got)
		}
	}
}

func mustKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}
