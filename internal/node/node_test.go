package node

import (
	"context"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/ethereum/go-ethereum/core/vm.init.0.func1"))
}

func startNode(t *testing.T, dir string) *Node {
	t.Helper()
	c := Default(dir)
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	c.Timing.Tick = 10 * time.Millisecond
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func stop(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func payer() common.Address { return ethereum.DevelopmentAccounts()[0].Address }

// pay sends one wei from the first development account and waits for the commit.
func (n *Node) pay(ctx context.Context, nonce uint64) (acknowledged, error) {
	var a acknowledged
	tx, err := types.SignNewTx(ethereum.DevelopmentAccounts()[0].Key, types.LatestSignerForChainID(big.NewInt(ethereum.DevelopmentChainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: nonce, Gas: 21000, To: &common.Address{7}, Value: big.NewInt(1)})
	if err != nil {
		return a, err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return a, err
	}
	checked, err := pool.NewChecker(ethereum.DevelopmentChainID).Check(raw)
	if err != nil {
		return a, err
	}
	e, err := n.pool.Admit([]byte("test"), checked)
	if err != nil {
		return a, err
	}
	// A node that never answers must fail the test, not hang it.
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := e.Wait(ctx); err != nil {
		return a, err
	}
	b, i, err := n.rooms.chain.Transaction(ctx, tx.Hash())
	if err != nil {
		return a, err
	}
	return acknowledged{tx.Hash(), b.TxIDs[i]}, nil
}

func pay(t *testing.T, n *Node, nonce uint64) sequencer.TxID {
	t.Helper()
	a, err := n.pay(t.Context(), nonce)
	if err != nil {
		t.Fatal(err)
	}
	return a.tx
}

func TestStartFoundsAndContinues(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	service := n.Identity().Service
	var paid []sequencer.TxID
	for nonce := range uint64(5) {
		paid = append(paid, pay(t, n, nonce))
	}
	stop(t, n)
	for round := range uint64(3) {
		n = startNode(t, dir)
		if n.Identity().Service != service {
			t.Fatal("another service")
		}
		paid = append(paid, pay(t, n, 5+round))
		for _, tx := range paid {
			if s := n.sequencer.StatusOf(tx); s != sequencer.StatusCommitted {
				t.Fatalf("%v is %v", tx, s)
			}
			receipt, err := n.Receipt(t.Context(), tx)
			if err != nil {
				t.Fatalf("%v: %v", tx, err)
			}
			if !n.holds(receipt) {
				t.Fatalf("the receipt of %v does not verify", tx)
			}
		}
		stop(t, n)
	}
}
