package ethereum_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/ethereum"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/contracts"
)

// TestReorganisation takes blocks back with debug_setHead and makes others in their
// place: the first of those has another parent than the last that was taken, and what
// was read by its hash is gone.
func TestReorganisation(t *testing.T) {
	g := ledgertest.StartGeth(t, "debug")
	d := open(t, g)
	key := newKey(t)
	first, _ := do(t, d, key, 0, contracts.Diary.Deploy())
	second, hash := do(t, d, key, 1, contracts.Diary.Deploy())
	third, _ := do(t, d, key, 2, contracts.Diary.Deploy())
	if third.Number <= second.Number || second.Number <= first.Number {
		t.Fatalf("blocks %d, %d, %d", first.Number, second.Number, third.Number)
	}
	if err := d.Client.Call(t.Context(), nil, "debug_setHead", hexutil.Uint64(first.Number)); err != nil {
		t.Fatal(err)
	}
	ledgertest.Eventually(t, "the head is the first block again", func() bool {
		head, err := d.Head(t.Context())
		return err == nil && head == first.Ref
	})
	if list, err := d.Blocks(t.Context(), third.Number+1, 10); err != nil || len(list) != 0 {
		t.Errorf("beyond the head that was: %d blocks, %v", len(list), err)
	}
	ask := []ledger.Call{{To: crypto.CreateAddress(crypto.PubkeyToAddress(key.PublicKey), 1), Data: contracts.Diary.Call("word")}}
	if _, err := d.Read(t.Context(), second.Ref, ask); !errors.Is(err, ledger.ErrReplaced) {
		t.Errorf("the state after a block that was taken back: %v", err)
	}
	other := newKey(t)
	var last ledger.Block
	for nonce := uint64(0); last.Number <= second.Number; nonce++ {
		last, _ = do(t, d, other, nonce, contracts.Token.Deploy("a", "b", big.NewInt(1)))
	}
	list, err := d.Blocks(t.Context(), second.Number, 10)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d blocks, %v", len(list), err)
	}
	if list[0].Hash == second.Hash {
		t.Fatal("the block was not replaced")
	}
	next, err := d.Blocks(t.Context(), second.Number+1, 1)
	if err != nil || len(next) != 1 || next[0].Parent == second.Hash {
		t.Errorf("the next one's parent is still the one that was taken back: %v", err)
	}
	if s, err := d.Status(t.Context(), hash); err != nil || s.State == ledger.Committed && !anywhere(t, d, hash) {
		t.Errorf("what was taken back is %+v, %v", s, err)
	}
}

// anywhere reports whether a transaction is in a block.
func anywhere(t *testing.T, d ledger.Driver, hash common.Hash) bool {
	t.Helper()
	for from := uint64(0); ; {
		list, err := d.Blocks(t.Context(), from, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return false
		}
		from += uint64(len(list))
		for _, b := range list {
			for _, tx := range b.Transactions {
				if tx.Hash == hash {
					return true
				}
			}
		}
	}
}

// TestFunds gives an account funds once for several transactions, and says so when
// nobody pays or the payer has nothing.
func TestFunds(t *testing.T) {
	g := ledgertest.StartGeth(t)
	d := open(t, g)
	key := newKey(t)
	for nonce := range uint64(4) {
		do(t, d, key, nonce, contracts.Diary.Deploy())
	}
	payer := crypto.PubkeyToAddress(g.Funder.PublicKey)
	if n, err := d.NextNonce(t.Context(), payer); err != nil || n != 1 {
		t.Errorf("four transactions took %d grants, %v", n, err)
	}
	info, err := d.Info(t.Context())
	if err != nil || !info.Fees || info.Traces || info.Proofs || info.Final {
		t.Errorf("%+v, %v", info, err)
	}
	poor := newKey(t)
	request := ledger.Request{From: crypto.PubkeyToAddress(poor.PublicKey), Data: contracts.Diary.Deploy()}
	for name, funder := range map[string]*ecdsa.PrivateKey{"nobody": nil, "one who has nothing": newKey(t)} {
		d, err := ethereum.Open(g.URL, ethereum.Options{Funder: funder})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.Prepare(t.Context(), request); !errors.Is(err, ledger.ErrUnfunded) {
			t.Errorf("%s pays: %v", name, err)
		}
	}
	unpriced, err := types.SignNewTx(key, types.LatestSignerForChainID(info.ChainID), &types.DynamicFeeTx{
		ChainID: info.ChainID, Nonce: 4, Gas: 1_000_000, Data: contracts.Diary.Deploy()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Submit(t.Context(), unpriced); !errors.Is(err, ledger.ErrUnderpriced) {
		t.Errorf("without a fee: %v", err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// do deploys, and gives the transaction's block.
func do(t *testing.T, d ledger.Driver, key *ecdsa.PrivateKey, nonce uint64, code []byte) (ledger.Block, common.Hash) {
	t.Helper()
	tx, err := d.Prepare(t.Context(), ledger.Request{From: crypto.PubkeyToAddress(key.PublicKey), Data: code, Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	if tx, err = types.SignTx(tx, types.LatestSignerForChainID(tx.ChainId()), key); err != nil {
		t.Fatal(err)
	}
	if err := d.Submit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	var in ledger.Block
	ledgertest.Eventually(t, "the transaction is in a block", func() bool {
		head, err := d.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.Blocks(t.Context(), max(head.Number, 3)-3, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			for _, other := range b.Transactions {
				if other.Hash == tx.Hash() {
					in = b
					return true
				}
			}
		}
		return false
	})
	return in, tx.Hash()
}
