package conformance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/api"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// world is the real methods over a foreign chain. Nothing that is sent to it is
// ever executed.
type world struct {
	*foreign
	dispatcher *jsonrpc.Dispatcher
}

var errNone = errors.New("a foreign chain has no ledger")

// newWorld executes the chain of a directory. A chain that does not come out as
// its headers say fails the test.
func newWorld(t *testing.T, dir string) *world {
	genesis, blocks, err := readChain(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, first, err := newForeign(genesis)
	if err != nil {
		t.Fatal(err)
	}
	index, err := history.Open("index", indexed())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(index.Close(), f.past.Close()); err != nil {
			t.Error(err)
		}
	})
	w := &world{foreign: f, dispatcher: jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))}
	c := chain.OpenAt(first, w, index)
	for _, b := range blocks {
		shown, err := f.execute(b)
		if err != nil {
			t.Fatalf("block %d: %v", b.NumberU64(), err)
		}
		c.Committed(&sequencer.Committed{Block: &envelope.Block{}, Artefacts: map[string]any{ethereum.Protocol: shown}})
	}
	if err := c.Fault(); err != nil {
		t.Fatal(err)
	}
	view := f.machine.View(f.store.Speculative())
	id := genesis.Config.ChainID.Uint64()
	api.New(api.Config{
		ChainID: id, Version: "coco/conformance", Chain: c, Store: f.store, Past: f.past, Machine: f.machine,
		Pool: pool.New(pool.Config{
			Now: time.Now,
			Account: func(a common.Address) (uint64, uint256.Int) {
				account, _ := view.Account(a)
				return account.Nonce, account.Balance
			},
			Submit: func(*sequencer.Request) (pool.Ticket, error) { return waiting{}, nil },
		}),
		Service: ledgerless{}, Now: time.Now,
	}).Register(w.dispatcher)
	return w
}

// indexed is the options of an index in memory.
func indexed() history.Options {
	return history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }}
}

// Block implements chain.Blocks; the tail of the chain holds all there are.
func (w *world) Block(_ context.Context, height uint64) (*envelope.Block, error) {
	return nil, fmt.Errorf("block %d: %w", height, errNone)
}

// waiting is the sequencer's answer to a transaction that waits for ever.
type waiting struct{}

func (waiting) Executed() <-chan struct{}    { return nil }
func (waiting) Done() <-chan struct{}        { return nil }
func (waiting) Err() error                   { return nil }
func (waiting) TxID() (sequencer.TxID, bool) { return sequencer.TxID{}, false }

// ledgerless stands for the ledger that a foreign chain does not have; nothing here
// asks for it.
type ledgerless struct{ api.Service }
