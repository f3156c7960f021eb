package api

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/test/contracts"
)

// record is an object as parameter.
type record = map[string]any

// answering is code that returns the word that an expression leaves on the stack.
func answering(expression string) string { return "0x" + expression + "5f5260205ff3" }

func word(n uint64) string { return fmt.Sprintf(`"0x%064x"`, n) }

// Each thing that can be assumed of an account and of a block is what the contract
// then sees.
func TestOverrides(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	here, other := common.Address{0xee}, common.Address{0xdd}
	slot, nine := common.Hash{}, common.BigToHash(big.NewInt(9))
	at := func(code string, more record) record {
		account := record{"code": code}
		for name, value := range more {
			account[name] = value
		}
		return record{here.Hex(): account}
	}
	before := w.call("eth_getBalance", address(0), "latest")
	for _, c := range []struct {
		name    string
		account any
		block   any
		want    string
	}{
		{"code", at(answering("6007"), nil), nil, word(7)},
		{"balance", at(answering("47"), record{"balance": "0x9"}), nil, word(9)},
		{"nonce", at(answering("5f5f5ff0"), record{"nonce": "0x2"}), nil, `"` + common.BytesToHash(crypto.CreateAddress(here, 2).Bytes()).Hex() + `"`},
		{"state", at(answering("5f54"), record{"state": record{slot.Hex(): nine}}), nil, word(9)},
		{"stateDiff", at(answering("5f54"), record{"stateDiff": record{slot.Hex(): nine}}), nil, word(9)},
		{"number", at(answering("43"), nil), record{"number": "0x10"}, word(16)},
		{"time", at(answering("42"), nil), record{"time": "0x10"}, word(16)},
		{"gasLimit", at(answering("45"), nil), record{"gasLimit": "0x10"}, word(16)},
		{"feeRecipient", at(answering("41"), nil), record{"feeRecipient": other}, `"0x000000000000000000000000dd00000000000000000000000000000000000000"`},
		{"prevRandao", at(answering("44"), nil), record{"prevRandao": nine, "difficulty": "0x5"}, word(9)},
		{"blobBaseFee", at(answering("4a"), nil), record{"blobBaseFee": "0x10"}, word(16)},
		{"base fee of a call without price", at(answering("48"), nil), record{"baseFeePerGas": "0x10"}, word(0)},
		{"both states", at("0x", record{"state": record{}, "stateDiff": record{}}), nil,
			`{"code":-32000,"message":"account 0xee00000000000000000000000000000000000000 has both 'state' and 'stateDiff'"}`},
		{"no precompile", record{here.Hex(): record{"movePrecompileToAddress": other}}, nil,
			`{"code":-32000,"message":"account 0xee00000000000000000000000000000000000000 is not a precompile"}`},
		{"moved onto an override", record{"0x0000000000000000000000000000000000000004": record{"movePrecompileToAddress": here}, here.Hex(): record{}}, nil,
			`{"code":-32000,"message":"account 0xee00000000000000000000000000000000000000 is already overridden"}`},
		{"beacon root", nil, record{"beaconRoot": nine}, `{"code":-32000,"message":"block override \"beaconRoot\" is not supported for this RPC method"}`},
		{"withdrawals", nil, record{"withdrawals": []any{}}, `{"code":-32000,"message":"block override \"withdrawals\" is not supported for this RPC method"}`},
		{"huge number", nil, record{"number": "0x10000000000000000"}, `{"code":-32000,"message":"block override \"number\" is more than 64 bits"}`},
		{"half a slot", at("0x", record{"state": record{"0x01": nine}}), nil, `{"code":-32602,"message":"invalid argument 2: `},
		{"half an address", record{"0x01": record{}}, nil, `{"code":-32602,"message":"invalid argument 2: `},
	} {
		if got := w.call("eth_call", record{"to": here}, "latest", c.account, c.block); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}

	// A precompiled contract that moves.
	identity := record{"0x0000000000000000000000000000000000000004": record{"movePrecompileToAddress": here}}
	if got := w.call("eth_call", record{"to": here, "input": "0x1234"}, "latest", identity); got != `"0x1234"` {
		t.Errorf("moved: %s", got)
	}
	if got := w.call("eth_call", record{"to": "0x0000000000000000000000000000000000000004", "input": "0x1234"}, "latest", identity); got != `"0x"` {
		t.Errorf("moved away: %s", got)
	}

	// Whoever is given the tokens can spend them, and estimates follow.
	balance := func(holder common.Address) common.Hash { return w.balanceSlot(token, holder) }
	rich := record{token.Hex(): record{"stateDiff": record{balance(other).Hex(): nine}}}
	spend := record{"from": other, "to": token, "input": hexutil.Bytes(contracts.Token.Call("transfer", address(1), big.NewInt(9)))}
	if got := w.call("eth_call", spend, "latest", rich); got != word(1) {
		t.Errorf("spend: %s", got)
	}
	contains(t, w.call("eth_call", spend, "latest"), `{"code":3,"message":"execution reverted: transfer amount exceeds balance"`)
	contains(t, w.call("eth_estimateGas", spend, "latest"), `{"code":3,"message":"execution reverted: transfer amount exceeds balance"`)
	contains(t, w.call("eth_estimateGas", spend, "latest", rich), `"0x`)
	contains(t, w.call("eth_estimateGas", spend, "latest", rich, record{"gasLimit": "0x7530"}), `gas required exceeds allowance (30000)`)

	// None of it came to be.
	if got := w.call("eth_getBalance", address(0), "latest"); got != before {
		t.Errorf("a balance changed from %s to %s", before, got)
	}
	for _, method := range []string{"eth_getCode", "eth_getTransactionCount", "eth_getBalance"} {
		if got := w.call(method, here, "latest"); strings.Trim(got, `"0x`) != "" {
			t.Errorf("%s: %s", method, got)
		}
	}
	if got := w.call("eth_getStorageAt", token, balance(other), "latest"); got != word(0) {
		t.Errorf("storage: %s", got)
	}
}

// balanceSlot finds the slot in which a token keeps a balance.
func (w *world) balanceSlot(token, holder common.Address) common.Hash {
	w.t.Helper()
	var list struct {
		AccessList []struct{ StorageKeys []common.Hash }
	}
	w.into(&list, "eth_createAccessList", record{"to": token, "input": hexutil.Bytes(contracts.Token.Call("balanceOf", holder))}, "latest")
	if len(list.AccessList) != 1 || len(list.AccessList[0].StorageKeys) != 1 {
		w.t.Fatalf("%+v", list)
	}
	return list.AccessList[0].StorageKeys[0]
}

// Calls in geth's words.
func TestCallWords(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	poor := common.Address{0xbb}
	for _, c := range []struct {
		method string
		args   record
		want   string
	}{
		{"eth_call", record{"from": poor, "to": token, "value": "0x1"},
			`"message":"err: insufficient funds for gas * price + value: address 0xbb00000000000000000000000000000000000000 have 0 want 1 (supplied gas 50000000)","data":{"code":"INSUFFICIENT_FUNDS"`},
		{"eth_call", record{"to": token, "gas": "0x0"}, `"message":"err: intrinsic gas too low: have 0, want 21000 (supplied gas 0)"`},
		{"eth_call", record{"to": token, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"},
			`"message":"err: max priority fee per gas higher than max fee per gas: address 0x0000000000000000000000000000000000000000, maxPriorityFeePerGas: 2, maxFeePerGas: 1 (supplied gas 50000000)"`},
		{"eth_call", record{"to": token, "gasPrice": "0xffffffffffffffffff", "from": poor, "input": hexutil.Bytes(contracts.Token.Call("totalSupply"))}, word(1000)},
		{"eth_call", record{"to": token, "maxFeePerBlobGas": "0x1"}, `{"code":-32000,"message":"maxFeePerBlobGas specified without blobVersionedHashes"}`},
		{"eth_call", record{"to": token, "blobVersionedHashes": []any{common.Hash{1}}}, `{"code":-32000,"message":"blob transactions are not supported: this ledger keeps no blobs"}`},
		{"eth_call", record{"authorizationList": []any{}}, `{"code":-32000,"message":"EIP-7702 transaction cannot be used to create contract"}`},
		{"eth_call", record{"to": token, "authorizationList": []any{}}, `"message":"err: EIP-7702 transaction with empty auth list`},
		{"eth_call", record{"to": token, "data": "0x00", "input": hexutil.Bytes(contracts.Token.Call("totalSupply"))}, word(1000)},
		{"eth_estimateGas", record{"from": poor, "to": token, "value": "0x1"}, `"message":"failed with 16777216 gas: insufficient funds`},
		{"eth_estimateGas", record{"from": address(0), "to": poor, "value": "0x1"}, `"0x5208"`},
		{"eth_createAccessList", record{"from": poor, "to": token, "value": "0x1"}, `"message":"failed to apply transaction: 0x`},
		{"eth_createAccessList", record{"from": address(0), "to": poor}, `{"accessList":[],"gasUsed":"0x5208"}`},
		{"eth_createAccessList", record{"to": token, "input": "0x00"}, `{"accessList":[],"error":"execution reverted","gasUsed":"0x`},
		{"eth_createAccessList", record{"to": token, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}, `{"code":-32000,"message":"maxFeePerGas (0x1) < maxPriorityFeePerGas (0x2)"}`},
	} {
		contains(t, w.call(c.method, c.args), c.want)
	}
	// An access list may be made on an assumed state.
	moved := record{"0x0000000000000000000000000000000000000004": record{"movePrecompileToAddress": poor}}
	contains(t, w.call("eth_createAccessList", record{"to": token}, "latest", moved), `is not a precompile`)
	read := record{poor.Hex(): record{"code": answering("5f54")}}
	contains(t, w.call("eth_createAccessList", record{"to": poor}, "latest", read),
		`{"accessList":[{"address":"0xbb00000000000000000000000000000000000000","storageKeys":["0x0000000000000000000000000000000000000000000000000000000000000000"]}],"gasUsed":`)
}

// What is missing in a transaction is filled in.
func TestFillTransaction(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	transfer := hexutil.Bytes(contracts.Token.Call("transfer", address(1), big.NewInt(1)))
	for name, c := range map[string]struct {
		args record
		want record // members of tx
	}{
		"nothing but the call": {record{"from": address(0), "to": token, "input": transfer},
			record{"type": "0x2", "nonce": "0x1", "chainId": "0xc0c0", "maxFeePerGas": "0x0", "maxPriorityFeePerGas": "0x0", "value": "0x0", "gasPrice": nil}},
		"everything": {record{"from": address(0), "to": token, "gas": "0x99999", "nonce": "0x77", "value": "0x5", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x8", "chainId": "0xc0c0"},
			record{"type": "0x2", "nonce": "0x77", "gas": "0x99999", "value": "0x5", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x8"}},
		"legacy":        {record{"from": address(0), "to": token, "gas": "0x99999", "gasPrice": "0x0"}, record{"type": "0x0", "chainId": "0xc0c0", "gasPrice": "0x0"}},
		"with a list":   {record{"from": address(0), "to": token, "gas": "0x99999", "gasPrice": "0x1", "accessList": []any{}}, record{"type": "0x1", "accessList": []any{}}},
		"authorization": {record{"from": address(0), "to": token, "gas": "0x99999", "authorizationList": []any{}}, record{"type": "0x4"}},
		"tip alone":     {record{"from": address(0), "to": token, "gas": "0x99999", "maxPriorityFeePerGas": "0x3"}, record{"maxFeePerGas": "0x3"}},
	} {
		var got struct {
			Raw hexutil.Bytes
			Tx  record
		}
		w.into(&got, "eth_fillTransaction", c.args)
		for member, want := range c.want {
			if fmt.Sprint(got.Tx[member]) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", name, member, got.Tx[member], want)
			}
		}
		if len(got.Raw) == 0 || len(got.Tx["gas"].(string)) < 5 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for want, args := range map[string]record{
		`both \"data\" and \"input\" are set and not equal`:                  {"to": token, "data": "0x", "input": "0x01"},
		`contract creation without any data provided`:                        {"from": address(0)},
		`authorizationList provided for contract creation`:                   {"input": "0x00", "authorizationList": []any{}},
		`both gasPrice and authorizationList specified`:                      {"to": token, "gasPrice": "0x1", "authorizationList": []any{}},
		`both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified`: {"to": token, "gasPrice": "0x1", "maxFeePerGas": "0x1"},
		`maxFeePerGas (0x1) < maxPriorityFeePerGas (0x2)`:                    {"to": token, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"},
		`chainId does not match node's (have=1, want=49344)`:                 {"to": token, "chainId": "0x1"},
		`blob transactions are not supported`:                                {"to": token, "blobs": []any{"0x00"}},
		`execution reverted: transfer amount exceeds balance`:                {"from": address(5), "to": token, "input": transfer},
		`maxFeePerBlobGas, if specified, must be non-zero`:                   {"to": token, "maxFeePerBlobGas": "0x0"},
	} {
		contains(t, w.call("eth_fillTransaction", args), want)
	}
	// A signed copy of what was filled is accepted, also when others wait before it.
	w.hold(true)
	raw, _ := w.sign(0, 1, &token, 0, transfer)
	w.call("eth_sendRawTransaction", raw)
	var got struct {
		Tx struct{ Nonce hexutil.Uint64 }
	}
	w.into(&got, "eth_fillTransaction", record{"from": address(0), "to": token, "input": transfer})
	if got.Tx.Nonce != 2 {
		t.Errorf("the next nonce is %d", got.Tx.Nonce)
	}
	w.hold(false)
}

// FuzzOverrides decodes overrides and simulations from outside: none crashes.
func FuzzOverrides(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"blockOverrides":{"number":"0x1","Number":"0x2"}}`, `{"blockOverrides":{"foo":1}}`, `{"calls":[{}],"stateOverrides":{}}`,
		`{"stateOverrides":{"0xee00000000000000000000000000000000000000":{"state":{"0x0000000000000000000000000000000000000000000000000000000000000000":"0x00"},"balance":"0x1"}}}`,
		`{"stateOverrides":{"0xee00000000000000000000000000000000000000":null},"blockOverrides":null,"calls":null}`,
		`{"blockOverrides":{"withdrawals":[{"index":"0x1","validatorIndex":"0x1","address":"0xee00000000000000000000000000000000000000","amount":"0x1"}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b simulatedBlock
		if json.Valid(text) {
			_ = b.UnmarshalJSON(text)
		}
		var s stateOverrides
		_ = json.Unmarshal(text, &s)
		var o blockOverrides
		if json.Unmarshal(text, &o) == nil && o.Withdrawals == nil && o.BeaconRoot == nil && o.Number == nil {
			if _, err := o.apply(new(evm.Block)); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}
