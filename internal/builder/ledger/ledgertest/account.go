package ledgertest

import (
	"crypto/ecdsa"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// account is somebody with a key, new to the ledger.
type account struct {
	t       testing.TB
	driver  ledger.Driver
	key     *ecdsa.PrivateKey
	address common.Address
	signer  types.Signer
	nonce   uint64
}

func newAccount(t testing.TB, d ledger.Driver) *account {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	info, err := d.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &account{t, d, key, crypto.PubkeyToAddress(key.PublicKey), types.LatestSignerForChainID(info.ChainID), 0}
}

// prepare makes and signs the account's next transaction.
func (a *account) prepare(to *common.Address, data []byte) *types.Transaction {
	a.t.Helper()
	tx, err := a.driver.Prepare(a.t.Context(), ledger.Request{From: a.address, To: to, Data: data, Nonce: a.nonce})
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(tx)
}

func (a *account) sign(tx *types.Transaction) *types.Transaction {
	a.t.Helper()
	signed, err := types.SignTx(tx, a.signer, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

// like makes a transaction like another one, with other data and gas: one that
// would not pass Prepare.
func (a *account) like(tx *types.Transaction, to *common.Address, data []byte, gas uint64) *types.Transaction {
	a.t.Helper()
	return a.sign(types.NewTx(&types.DynamicFeeTx{ChainID: tx.ChainId(), Nonce: a.nonce, GasFeeCap: tx.GasFeeCap(), GasTipCap: tx.GasTipCap(),
		Gas: gas, To: to, Data: data}))
}

// submit hands a transaction over and takes the nonce as used.
func (a *account) submit(tx *types.Transaction) {
	a.t.Helper()
	if err := a.driver.Submit(a.t.Context(), tx); err != nil {
		a.t.Fatal(err)
	}
	a.nonce++
}

// do prepares and submits, and gives the transaction as its block has it.
func (a *account) do(to *common.Address, data []byte) (ledger.Transaction, ledger.Block) {
	a.t.Helper()
	tx := a.prepare(to, data)
	a.submit(tx)
	return find(a.t, a.driver, tx.Hash())
}

// find waits until a transaction is committed and gives it with its block.
func find(t testing.TB, d ledger.Driver, hash common.Hash) (ledger.Transaction, ledger.Block) {
	t.Helper()
	Eventually(t, "the transaction is committed", func() bool {
		s, err := d.Status(t.Context(), hash)
		if err != nil && !errors.Is(err, ledger.ErrUnavailable) {
			t.Fatal(err)
		}
		return s.State == ledger.Committed
	})
	for _, b := range blocks(t, d, 0) {
		for _, tx := range b.Transactions {
			if tx.Hash == hash {
				return tx, b
			}
		}
	}
	t.Fatalf("no block has the committed transaction %s", hash)
	return ledger.Transaction{}, ledger.Block{}
}

// blocks gives all blocks from a number on, as an indexer would take them.
func blocks(t testing.TB, d ledger.Driver, from uint64) []ledger.Block {
	t.Helper()
	var all []ledger.Block
	for {
		list, err := d.Blocks(t.Context(), from+uint64(len(all)), 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		if len(list) > 7 {
			t.Fatalf("%d blocks came, 7 at most were wanted", len(list))
		}
		all = append(all, list...)
	}
}
