package replicated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/api"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// node is one node without consensus and listeners.
type node struct {
	network    *network
	id         int
	store      *kv.Store
	chain      *chain.Chain
	pool       *pool.Pool
	sequencer  *sequencer.Sequencer
	forwarder  *forwarder
	dispatcher *jsonrpc.Dispatcher
	told       int // of the network's log
	entries    []*pool.Entry
}

func newNode(w *network, id int) *node {
	t := w.t
	store, err := kv.New(evm.Tables()...)
	must(t, err)
	machine, err := evm.New(store, ethereum.DevelopmentChainID)
	must(t, err)
	must(t, sequencer.Apply(store, w.genesis))
	n := &node{network: w, id: id, store: store}
	memory := func() history.Options {
		return history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }}
	}
	index, err := history.Open("index", memory())
	must(t, err)
	past := history.OpenPast("past", store, history.PastOptions{Options: memory(), Constant: []string{evm.TableCode}})
	store.Observe(past.Observe)
	past.Live()
	t.Cleanup(func() { must(t, errors.Join(index.Close(), past.Close())) })
	n.chain, err = chain.Open(t.Context(), n, index, 0)
	must(t, err)
	view := machine.View(store.Speculative())
	account := func(a common.Address) (uint64, uint256.Int) {
		account, _ := view.Account(a)
		return account.Nonce, account.Balance
	}
	n.forwarder = &forwarder{node: n, kept: map[string]*ticket{}, works: map[string]*sequencer.Ticket{},
		intake: &pool.Intake{Checker: pool.NewChecker(ethereum.DevelopmentChainID), Account: account, Committed: n.chain.Find}}
	n.pool = pool.New(pool.Config{Account: account, Submit: n.forwarder.submit, Now: func() time.Time { return w.now }})
	signer, err := keys.NewSigner()
	must(t, err)
	n.sequencer = sequencer.New(sequencer.Config{
		Store: store, Ring: w.ring, Signer: signer, Writer: format.Sum(keys.SPKI(&signer.PublicKey)), Head: w.head, Index: 1,
		ViewAt: func(uint64) uint64 { return 1 }, Protocols: []sequencer.Protocol{ethereum.NewRoom(machine, ethereum.DevelopmentChainID, n.chain.Hash)},
		Followers: []sequencer.Follower{n.chain}, Clock: func() time.Time { return w.now }, Logger: slog.New(slog.DiscardHandler),
		Limits: sequencer.DefaultLimits, ChunkUsed: func() uint64 { return 0 }, Workers: 1,
	})
	n.sequencer.Attach(n, n.forwarder, n.pool)
	n.dispatcher = jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	api.New(api.Config{ChainID: ethereum.DevelopmentChainID, Version: "coco/test", Chain: n.chain, Store: store, Past: past, Machine: machine,
		Pool: n.pool, Service: n, Now: func() time.Time { return w.now }}).Register(n.dispatcher)
	return n
}

// Block implements chain.Blocks: it opens the block as it lies in the log.
func (n *node) Block(_ context.Context, height uint64) (*envelope.Block, error) {
	if height == 0 {
		return n.network.genesis, nil
	}
	for i := range n.network.log[:n.network.committed] {
		if e := &n.network.log[i]; e.Kind == format.EntryBlock {
			if height--; height == 0 {
				return envelope.Open(n.network.ring, e)
			}
		}
	}
	return nil, fmt.Errorf("no block")
}

// The node is the Service too, with as much of one as these tests need.

func (n *node) Status(id sequencer.TxID) sequencer.Status { return n.sequencer.StatusOf(id) }

func (n *node) Receipt(context.Context, sequencer.TxID, ...uint64) (*proof.Receipt, error) {
	return nil, errors.New("no receipts here")
}

func (n *node) Checkpoint(context.Context) ([]byte, error) { return nil, errors.New("none here") }

func (n *node) Identity() api.Identity { return api.Identity{} }

// call makes one call and gives the result or error as JSON.
func (n *node) call(method string, params ...any) string {
	n.network.t.Helper()
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	must(n.network.t, err)
	var r struct{ Result, Error json.RawMessage }
	must(n.network.t, json.Unmarshal(n.dispatcher.Serve(n.network.t.Context(), request, nil), &r))
	if r.Error != nil {
		return string(r.Error)
	}
	return string(r.Result)
}

// admit gives a transaction to the node's pool.
func (n *node) admit(raw hexutil.Bytes) (*pool.Entry, error) {
	checked, err := n.forwarder.intake.Check(raw)
	must(n.network.t, err)
	e, err := n.pool.Admit(nil, checked)
	if e != nil && err == nil {
		n.entries = append(n.entries, e)
	}
	return e, err
}

// status is what the node says of a hash.
func (n *node) status(hash common.Hash) (s struct{ Status, TxID string }) {
	n.network.t.Helper()
	must(n.network.t, json.Unmarshal([]byte(n.call("coco_getTransactionStatus", hash)), &s))
	return s
}

// sign signs a transfer of a development account.
func (w *network) sign(account int, nonce uint64, value int64) (raw hexutil.Bytes, hash common.Hash) {
	w.t.Helper()
	raw = ethereumtest.Sign(w.t, ethereum.DevelopmentAccounts()[account].Key, &types.DynamicFeeTx{
		ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: nonce, To: &common.Address{0: 1}, Value: big.NewInt(value), Gas: 21000,
		GasFeeCap: new(big.Int), GasTipCap: new(big.Int),
	})
	return raw, crypto.Keccak256Hash(raw)
}
