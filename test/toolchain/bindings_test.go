package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi/abigen"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/toolchain/bindings"
)

var update = flag.Bool("update", false, "write what is compared")

func TestBindingsAreGenerated(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "contracts", "Token.json"))
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		ABI      json.RawMessage
		Bytecode string
	}
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	want, err := abigen.Bind([]string{"Token"}, []string{string(token.ABI)}, []string{token.Bytecode}, nil, "bindings", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("bindings", "token.go")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != want {
		t.Errorf("%s is not what abigen makes of the token: run this test with -update (%v)", file, err)
	}
}

// A Go program of a team: bindings, and go-ethereum's client over WebSocket.
func TestBindings(t *testing.T) {
	node := binary.Start(t, "--data", filepath.Join(t.TempDir(), "data"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // an event that never comes must not hang
	defer cancel()
	client, err := ethclient.DialContext(ctx, node.WS)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := crypto.HexToECDSA(strings.TrimPrefix(node.Accounts[0].PrivateKey, "0x"))
	must(err)
	chain, err := client.ChainID(ctx)
	must(err)
	owner, err := bind.NewKeyedTransactorWithChainID(key, chain)
	must(err)
	friend := common.HexToAddress(node.Accounts[1].Address)

	heads := make(chan *types.Header, 100)
	newHeads, err := client.SubscribeNewHead(ctx, heads)
	must(err)
	defer newHeads.Unsubscribe()

	address, created, token, err := bindings.DeployToken(owner, client, "Garden", "GDN", big.NewInt(1000))
	must(err)
	deployed, err := bind.WaitDeployed(ctx, client, created)
	must(err)
	if code, err := client.CodeAt(ctx, address, nil); err != nil || len(code) == 0 || deployed != address {
		t.Fatalf("%d bytes of code at %v, deployed at %v: %v", len(code), address, deployed, err)
	}

	events := make(chan *bindings.TokenTransfer, 100)
	watch, err := token.WatchTransfer(&bind.WatchOpts{Context: ctx}, events, nil, []common.Address{friend})
	must(err)
	defer watch.Unsubscribe()
	sent, err := token.Transfer(owner, friend, big.NewInt(10))
	must(err)
	receipt, err := bind.WaitMined(ctx, client, sent)
	must(err)
	if receipt.Status != types.ReceiptStatusSuccessful || receipt.EffectiveGasPrice.Sign() != 0 {
		t.Errorf("%+v", receipt)
	}
	select {
	case e := <-events:
		if e.To != friend || e.Value.Int64() != 10 || e.Raw.TxHash != sent.Hash() || e.Raw.BlockHash != receipt.BlockHash {
			t.Errorf("%+v", e)
		}
	case err := <-watch.Err():
		t.Fatal(err)
	}
	for last := uint64(0); last < receipt.BlockNumber.Uint64(); {
		select {
		case h := <-heads:
			if last != 0 && h.Number.Uint64() != last+1 {
				t.Errorf("block %v follows on block %d", h.Number, last)
			}
			last = h.Number.Uint64()
			if known, err := client.HeaderByNumber(ctx, h.Number); err != nil || known.Hash() != h.Hash() {
				t.Errorf("block %v is another: %v", h.Number, err)
			}
		case err := <-newHeads.Err():
			t.Fatal(err)
		}
	}

	found, err := token.FilterTransfer(&bind.FilterOpts{Context: ctx}, nil, nil)
	must(err)
	var values []int64
	for found.Next() {
		values = append(values, found.Event.Value.Int64())
	}
	if err := found.Error(); err != nil || len(values) != 2 || values[0] != 1000 || values[1] != 10 {
		t.Errorf("transfers of %v, %v", values, err)
	}

	t.Run("old state", func(t *testing.T) {
		before := new(big.Int).Sub(receipt.BlockNumber, common.Big1)
		for _, c := range []struct {
			block *big.Int
			want  int64
		}{{nil, 990}, {receipt.BlockNumber, 990}, {before, 1000}} {
			got, err := token.BalanceOf(&bind.CallOpts{Context: ctx, BlockNumber: c.block}, owner.From)
			if err != nil || got.Int64() != c.want {
				t.Errorf("at block %v the balance is %v, want %d: %v", c.block, got, c.want, err)
			}
		}
		if _, err := token.Name(&bind.CallOpts{Context: ctx, BlockNumber: common.Big0}); !errors.Is(err, bind.ErrNoCode) {
			t.Errorf("before it was there: %v", err)
		}
	})

	t.Run("revert", func(t *testing.T) {
		_, err := token.Transfer(owner, friend, big.NewInt(1_000_000))
		if err == nil || err.Error() != "execution reverted: transfer amount exceeds balance" {
			t.Errorf("%v", err)
		}
		parsed, err := bindings.TokenMetaData.GetAbi()
		must(err)
		input, err := parsed.Pack("transferFrom", owner.From, friend, big.NewInt(7))
		must(err)
		_, err = client.CallContract(ctx, ethereum.CallMsg{From: friend, To: &address, Data: input}, nil)
		var data rpc.DataError
		if !errors.As(err, &data) {
			t.Fatalf("%v", err)
		}
		custom := parsed.Errors["Allowance"]
		values, err := custom.Unpack(common.FromHex(data.ErrorData().(string)))
		if err != nil || values.([]any)[2].(*big.Int).Int64() != 7 {
			t.Errorf("%v, %v", values, err)
		}
	})

	// The nonce of the next transaction counts those that were only admitted.
	t.Run("pending nonce", func(t *testing.T) {
		var last *types.Transaction
		for range 20 {
			if last, err = token.Transfer(owner, friend, common.Big1); err != nil {
				t.Fatal(err)
			}
		}
		next, err := client.PendingNonceAt(ctx, owner.From)
		must(err)
		if next != last.Nonce()+1 {
			t.Errorf("the next nonce is %d after %d", next, last.Nonce())
		}
		if r, err := bind.WaitMined(ctx, client, last); err != nil || r.Status != types.ReceiptStatusSuccessful {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
