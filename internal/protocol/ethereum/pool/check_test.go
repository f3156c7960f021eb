package pool

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

func TestCheck(t *testing.T) {
	a := newAccount(t)
	to := common.Address{1}
	id := big.NewInt(chainID)
	good := map[string]types.TxData{
		"legacy":      &types.LegacyTx{Gas: 21000, To: &to, Value: big.NewInt(5), GasPrice: big.NewInt(7)},
		"access list": &types.AccessListTx{ChainID: id, Gas: 50000, To: &to, AccessList: types.AccessList{{Address: to, StorageKeys: []common.Hash{{1}}}}},
		"dynamic fee": &types.DynamicFeeTx{ChainID: id, Gas: 21000, To: &to, GasFeeCap: big.NewInt(9), GasTipCap: big.NewInt(9)},
		"set code": &types.SetCodeTx{ChainID: uint256.NewInt(chainID), Gas: 100000, To: to,
			AuthList: []types.SetCodeAuthorization{{ChainID: *uint256.NewInt(chainID), Address: to}}},
		"creation": &types.LegacyTx{Gas: 5_000_000, Data: make([]byte, params.MaxInitCodeSize)},
	}
	for name, data := range good {
		raw := sign(t, a, chainID, data)
		tx, err := NewChecker(chainID).Check(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tx.From != a.address || tx.Hash() != crypto.Keccak256Hash(raw) || !bytes.Equal(tx.Raw, raw) {
			t.Errorf("%s: read as %+v", name, tx)
		}
	}
	huge := new(big.Int).Lsh(common.Big1, 256)
	legacy := sign(t, a, chainID, good["legacy"])
	plain := func(data types.TxData) []byte {
		unprotected, _ := types.SignNewTx(a.key, types.HomesteadSigner{}, data)
		raw, _ := unprotected.MarshalBinary()
		return raw
	}
	if tx, err := NewChecker(chainID).Check(plain(good["creation"])); err != nil || tx.From != a.address {
		t.Errorf("a first transaction that creates a contract and is signed for every network: %v", err)
	}
	const protected = "only replay-protected (EIP-155) transactions allowed over RPC"
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"nothing":           {nil, "typed transaction too short"},
		"garbage":           {[]byte{0xc0}, "rlp: too few elements"},
		"trailing byte":     {append(bytes.Clone(legacy), 0), "rlp: input contains more than one value"},
		"unknown type":      {[]byte{5, 0xc0}, "transaction type not supported"},
		"blob":              {[]byte{3, 0xc0}, "transaction type not supported: tx type 3"},
		"oversized":         {make([]byte, MaxSize+1), "oversized data: transaction size 131073, limit 131072"},
		"unprotected":       {plain(good["legacy"]), protected},
		"unprotected later": {plain(&types.LegacyTx{Nonce: 1, Gas: 100_000}), protected},
		"unprotected value": {plain(&types.LegacyTx{Gas: 100_000, Value: common.Big1}), protected},
		"other chain":       {sign(t, a, 1, &types.LegacyTx{Gas: 21000, To: &to}), "invalid sender: invalid chain id for signer: have 1 want 49344"},
		"other typed chain": {sign(t, a, 1, &types.DynamicFeeTx{ChainID: common.Big1, Gas: 21000, To: &to}), "invalid sender: invalid chain id for signer"},
		"signature":         {flip(t, legacy), "invalid sender: "},
		"gas limit":         {sign(t, a, chainID, &types.LegacyTx{Gas: 16777217, To: &to}), "transaction gas limit too high (cap: 16777216, tx: 16777217)"},
		"intrinsic gas":     {sign(t, a, chainID, &types.LegacyTx{Gas: 20999, To: &to}), "intrinsic gas too low: gas 20999, minimum needed 21000"},
		"floor gas":         {sign(t, a, chainID, &types.LegacyTx{Gas: 38000, To: &to, Data: bytes.Repeat([]byte{1}, 1000)}), "insufficient gas for floor data gas cost: gas 38000, minimum needed 61000"},
		"init code":         {sign(t, a, chainID, &types.LegacyTx{Gas: 5_000_000, Data: make([]byte, params.MaxInitCodeSize+1)}), "max initcode size exceeded: code size 49153 limit 49152"},
		"last nonce":        {sign(t, a, chainID, &types.LegacyTx{Nonce: 1<<64 - 1, Gas: 21000, To: &to}), "nonce has max value"},
		"huge value":        {sign(t, a, chainID, &types.LegacyTx{Gas: 21000, To: &to, Value: huge}), "insufficient funds for gas * price + value"},
		"huge price":        {sign(t, a, chainID, &types.LegacyTx{Gas: 21000, To: &to, GasPrice: huge}), "max fee per gas higher than 2^256-1"},
		"tip above cap":     {sign(t, a, chainID, &types.DynamicFeeTx{ChainID: id, Gas: 21000, To: &to, GasFeeCap: common.Big1, GasTipCap: common.Big2}), "max priority fee per gas higher than max fee per gas"},
		"no authorization":  {sign(t, a, chainID, &types.SetCodeTx{ChainID: uint256.NewInt(chainID), Gas: 100000, To: to}), "set code tx must have at least one authorization tuple"},
	} {
		_, err := NewChecker(chainID).Check(c.raw)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.HasPrefix(Reason(err), c.want) {
			t.Errorf("%s: %q, want %q", name, Reason(err), c.want)
		}
	}
}

// flip damages the signature's s so that it no longer is one, or is another's.
func flip(t *testing.T, raw []byte) []byte {
	t.Helper()
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	v, r, _ := tx.RawSignatureValues()
	bad, err := types.NewTx(&types.LegacyTx{Gas: tx.Gas(), To: tx.To(), Value: tx.Value(), GasPrice: tx.GasPrice(), V: v, R: r, S: new(big.Int)}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

func FuzzCheck(f *testing.F) {
	a := newAccount(f)
	to := common.Address{1}
	f.Add(sign(f, a, chainID, &types.LegacyTx{Gas: 21000, To: &to, Value: common.Big1}))
	f.Add(sign(f, a, chainID, &types.DynamicFeeTx{ChainID: big.NewInt(chainID), Gas: 21000, To: &to}))
	f.Add(sign(f, a, chainID, &types.AccessListTx{ChainID: big.NewInt(chainID), Gas: 50000, AccessList: types.AccessList{{Address: to}}}))
	f.Add(sign(f, a, chainID, &types.SetCodeTx{ChainID: uint256.NewInt(chainID), Gas: 100000, AuthList: []types.SetCodeAuthorization{{}}}))
	f.Add([]byte{3, 0xc0})
	f.Add([]byte(nil))
	c := NewChecker(chainID)
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := c.Check(raw)
		if err != nil {
			return
		}
		again, err := tx.MarshalBinary()
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x is encoded as %x", raw, again)
		}
	})
}
