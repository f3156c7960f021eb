package ethereum

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// transactionsOf signs one of every type for a chain, and one for any chain.
func transactionsOf(t testing.TB, chainID uint64) (raws [][]byte) {
	key := DevelopmentAccounts()[0].Key
	id := new(big.Int).SetUint64(chainID)
	list := types.AccessList{{Address: common.Address{7}, StorageKeys: []common.Hash{{1}, {}}}}
	authorization, err := types.SignSetCode(key, types.SetCodeAuthorization{ChainID: *uint256.NewInt(chainID), Address: common.Address{5}, Nonce: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []types.TxData{
		&types.LegacyTx{Nonce: 1, Gas: 21000, To: &common.Address{1}, Value: big.NewInt(5)},
		&types.LegacyTx{Nonce: 1 << 40, GasPrice: big.NewInt(1e18), Gas: 60000, Data: make([]byte, 70)},
		&types.AccessListTx{ChainID: id, GasPrice: new(big.Int), Gas: 21000, To: &common.Address{1}, AccessList: list, Data: []byte{0}},
		&types.DynamicFeeTx{ChainID: id, GasFeeCap: big.NewInt(200), GasTipCap: big.NewInt(100), Gas: 21000, To: &common.Address{1}, Data: make([]byte, 300)},
		&types.SetCodeTx{ChainID: uint256.NewInt(chainID), Gas: 21000, To: common.Address{1}, AuthList: []types.SetCodeAuthorization{authorization}},
	} {
		for _, signer := range []types.Signer{types.NewPragueSigner(id), types.HomesteadSigner{}} {
			tx, err := types.SignNewTx(key, signer, data)
			if err != nil {
				continue // a type that Homestead did not know
			}
			raw, err := tx.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			raws = append(raws, raw)
		}
	}
	return raws
}

// recovered compares a signer with the library, in its words too.
func recovered(t *testing.T, chainID uint64, raw []byte) (fast bool) {
	tx := new(types.Transaction)
	if tx.UnmarshalBinary(raw) != nil {
		return false
	}
	s, got := NewSigner(chainID), &Transaction{Transaction: tx}
	err := s.Recover(got, raw)
	want, failure := types.Sender(types.LatestSignerForChainID(new(big.Int).SetUint64(chainID)), tx)
	if (err == nil) != (failure == nil) || err != nil && err.Error() != failure.Error() || got.From != want {
		t.Errorf("%x: sender %v and %v, not %v and %v", raw, got.From, err, want, failure)
	}
	if got.Hash() != tx.Hash() || got.hash != tx.Hash() {
		t.Errorf("%x: hash %v, not %v", raw, got.hash, tx.Hash())
	}
	_, fast = s.recover(works.New().(*work), tx, raw)
	return fast
}

// Every type of transaction has the sender and the hash that the library finds,
// by the short way if it is meant for the chain, and with any bit of it changed.
func TestRecover(t *testing.T) {
	for _, chainID := range []uint64{1, 127, 128, DevelopmentChainID, 1<<63 - 1, 1<<64 - 1} {
		raws := transactionsOf(t, chainID)
		if len(raws) != 7 {
			t.Fatalf("%d transactions", len(raws))
		}
		fast := 0
		for _, raw := range raws {
			if recovered(t, chainID, raw) {
				fast++
			}
			if recovered(t, chainID^2, raw) {
				t.Errorf("chain %d: %x goes the short way on another chain", chainID, raw)
			}
			if chainID != DevelopmentChainID {
				continue
			}
			for bit := range 8 * len(raw) {
				changed := append([]byte(nil), raw...)
				changed[bit/8] ^= 1 << (bit % 8)
				recovered(t, chainID, changed)
			}
		}
		if fast != 5 {
			t.Errorf("chain %d: %d transactions went the short way", chainID, fast)
		}
	}
}

// A signature's other form, whose s is the larger one, is nobody's (EIP-2).
func TestRecoverHighS(t *testing.T) {
	key := DevelopmentAccounts()[0].Key
	tx := types.MustSignNewTx(key, types.NewPragueSigner(common.Big1), &types.DynamicFeeTx{ChainID: common.Big1, Gas: 21000, To: &common.Address{1}})
	v, r, s := tx.RawSignatureValues()
	other := types.NewTx(&types.DynamicFeeTx{ChainID: common.Big1, Gas: 21000, To: &common.Address{1},
		V: new(big.Int).Xor(v, common.Big1), R: r, S: new(big.Int).Sub(crypto.S256().Params().N, s)})
	raw, err := other.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if recovered(t, 1, raw) {
		t.Error("it goes the short way")
	}
}

func FuzzRecover(f *testing.F) {
	for _, raw := range transactionsOf(f, DevelopmentChainID) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { recovered(t, DevelopmentChainID, raw) })
}
