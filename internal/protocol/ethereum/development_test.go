package ethereum_test

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/test/contracts"
)

// The genesis of a development network has what the transaction signed by nobody
// would have made: the signature is a pattern, so any change to the transaction
// changes its sender and the address.
func TestCreate2DeployerIsWhatItsTransactionMakes(t *testing.T) {
	l := ethereumtest.New(t)
	view := l.Store.Pin()
	defer view.Release()
	state := l.Machine.View(view)
	code := state.Code(ethereum.Create2Deployer)

	pattern := new(big.Int).SetBytes(bytes.Repeat([]byte{0x22}, 32))
	create := types.NewTx(&types.LegacyTx{
		GasPrice: big.NewInt(100e9), Gas: 100_000, Data: append(common.FromHex("604580600e600039806000f350fe"), code...),
		V: big.NewInt(27), R: pattern, S: pattern,
	})
	signer, err := types.Sender(types.HomesteadSigner{}, create)
	if err != nil {
		t.Fatal(err)
	}
	if made := crypto.CreateAddress(signer, 0); made != ethereum.Create2Deployer {
		t.Errorf("the transaction makes %v", made)
	}
	if a, _ := state.Account(signer); a.Nonce != 1 || !a.Balance.IsZero() {
		t.Errorf("its signer %v has nonce %d, balance %v", signer, a.Nonce, &a.Balance)
	}
}

func TestCreate2Deployer(t *testing.T) {
	l := ethereumtest.New(t)
	salt := common.Hash{1, 2, 3}
	code := contracts.Diary.Deploy()
	b := commit(t, l, ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{
		Gas: 2_000_000, To: &ethereum.Create2Deployer, Data: append(salt[:], code...),
	}))
	if b.Receipts[0].Status != 1 {
		t.Fatal("the deployment failed")
	}
	view := l.Store.Pin()
	defer view.Release()
	made := crypto.CreateAddress2(ethereum.Create2Deployer, salt, crypto.Keccak256(code))
	if len(l.Machine.View(view).Code(made)) == 0 {
		t.Errorf("nothing at %v", made)
	}
}
