package api

import (
	"encoding/json"
	"log/slog"
	"math/big"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// growing is an index that is being made.
type growing struct{ height atomic.Uint64 }

func (g *growing) Find([]byte, uint64, uint64, int, bool) ([]history.Found, error) { return nil, nil }
func (g *growing) Height() (uint64, bool)                                          { return g.height.Load(), true }

// While the index is being made a node says so, in geth's shapes, and that it is
// done when it is.
func TestSyncing(t *testing.T) {
	index := new(growing)
	index.height.Store(999)
	c := chain.OpenAt(&ethereum.Block{Header: &types.Header{Number: big.NewInt(5000)}}, nil, index)
	w := &world{t: t, dispatcher: jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))}
	New(Config{ChainID: 1, Chain: c}).Register(w.dispatcher)
	url := "ws://" + w.serve()
	client, err := rpc.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p, err := ethclient.NewClient(client).SyncProgress(t.Context())
	if err != nil || p == nil || p.CurrentBlock != 5000 || p.HighestBlock != 5000 || p.TxIndexFinishedBlocks != 1000 || p.TxIndexRemainingBlocks != 4001 {
		t.Fatalf("progress %+v, %v", p, err)
	}
	var members map[string]string
	w.into(&members, "eth_syncing")
	if len(members) != 22 {
		t.Errorf("%d members: %v", len(members), members)
	}
	news := make(chan json.RawMessage, 10)
	subscription, err := client.EthSubscribe(t.Context(), news, "syncing")
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Unsubscribe()
	contains(t, string(<-news), `{"syncing":true,"status":{"StartingBlock":1000,"CurrentBlock":5000,"HighestBlock":5000,`, `"TxIndexFinishedBlocks":1000,"TxIndexRemainingBlocks":4001`)
	index.height.Store(4999)
	c.Indexing()
	if got := string(<-news); got != "false" {
		t.Errorf("afterwards: %s", got)
	}
	if got := w.call("eth_syncing"); got != "false" {
		t.Errorf("afterwards: %s", got)
	}
	// Whoever comes later hears that there is nothing to wait for.
	late := make(chan json.RawMessage, 10)
	if _, err := client.EthSubscribe(t.Context(), late, "syncing"); err != nil {
		t.Fatal(err)
	}
	if got := string(<-late); got != "false" {
		t.Errorf("later: %s", got)
	}
}

// A node that catches up with the network says so, and what it still lacks.
func TestCatchingUp(t *testing.T) {
	index := new(growing)
	index.height.Store(5000)
	c := chain.OpenAt(&ethereum.Block{Header: &types.Header{Number: big.NewInt(5000)}}, nil, index)
	w := &world{t: t, dispatcher: jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))}
	var behind atomic.Bool
	behind.Store(true)
	New(Config{ChainID: 1, Chain: c, Syncing: func() (uint64, uint64, uint64, bool) { return 4000, 5000, 7000, behind.Load() }}).Register(w.dispatcher)
	client, err := rpc.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p, err := ethclient.NewClient(client).SyncProgress(t.Context())
	if err != nil || p == nil || p.StartingBlock != 4000 || p.CurrentBlock != 5000 || p.HighestBlock != 7000 || p.TxIndexRemainingBlocks != 0 {
		t.Fatalf("progress %+v, %v", p, err)
	}
	news := make(chan json.RawMessage, 10)
	if _, err := client.EthSubscribe(t.Context(), news, "syncing"); err != nil {
		t.Fatal(err)
	}
	contains(t, string(<-news), `{"syncing":true,"status":{"StartingBlock":4000,"CurrentBlock":5000,"HighestBlock":7000,`)
	behind.Store(false)
	if got := string(<-news); got != "false" {
		t.Errorf("afterwards: %s", got)
	}
	if got := w.call("eth_syncing"); got != "false" {
		t.Errorf("afterwards: %s", got)
	}
}
