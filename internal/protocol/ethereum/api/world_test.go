package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the real rooms of Ethereum over a ledger in memory, with a
// sequencer of a few lines: it commits what was submitted, all that waits in
// one block, or when a test says so.
type world struct {
	*ethereumtest.Ledger
	chain      *chain.Chain
	pool       *pool.Pool
	dispatcher *jsonrpc.Dispatcher
	api        *API
	t          testing.TB

	mu      sync.Mutex
	queue   []*ticket
	held    bool // what is submitted waits for commit
	arrived chan struct{}
	txs     map[sequencer.TxID]bool
}

// ticket is the sequencer's answer to a submission.
type ticket struct {
	raw            []byte
	executed, done chan struct{}
	id             sequencer.TxID
	err            error
}

func (t *ticket) Executed() <-chan struct{}    { return t.executed }
func (t *ticket) Done() <-chan struct{}        { return t.done }
func (t *ticket) Err() error                   { return t.err }
func (t *ticket) TxID() (sequencer.TxID, bool) { return t.id, t.id.Seqno != 0 }

func newWorld(t testing.TB) *world { return newWorldWithin(t, 0) }

// newWorldWithin is a world that keeps old state of so many blocks, 0 for all.
func newWorldWithin(t testing.TB, blocks uint64) *world {
	w := &world{Ledger: ethereumtest.New(t), t: t, arrived: make(chan struct{}, 1), txs: map[sequencer.TxID]bool{}}
	index, err := history.Open("index", history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	past := history.OpenPast("past", w.Store, history.PastOptions{
		Options: history.Options{
			FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{2}, nil }, Window: history.Window{Blocks: blocks},
		},
		Constant: []string{evm.TableCode},
	})
	w.Store.Observe(past.Observe)
	past.Live()
	if w.chain, err = chain.Open(t.Context(), w, index, 0); err != nil {
		t.Fatal(err)
	}
	view := w.Machine.View(w.Store.Speculative())
	w.pool = pool.New(pool.Config{
		Now: time.Now,
		Account: func(a common.Address) (uint64, uint256.Int) {
			account, _ := view.Account(a)
			return account.Nonce, account.Balance
		},
		Submit: w.submit,
	})
	w.dispatcher = jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	w.api = New(Config{
		ChainID: ethereum.DevelopmentChainID, Version: "coco/test", Chain: w.chain, Store: w.Store, Past: past, Machine: w.Machine,
		Pool: w.pool, Service: w, Now: func() time.Time { return time.Unix(1_700_000_100, 0) },
	})
	w.api.Register(w.dispatcher)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := errors.Join(index.Close(), past.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) submit(r *sequencer.Request) (pool.Ticket, error) {
	k := &ticket{raw: r.Bytes, executed: make(chan struct{}), done: make(chan struct{})}
	w.mu.Lock()
	w.queue = append(w.queue, k)
	w.mu.Unlock()
	w.wake()
	return k, nil
}

func (w *world) wake() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// hold makes submissions wait; letting go commits them.
func (w *world) hold(held bool) {
	w.mu.Lock()
	w.held = held
	w.mu.Unlock()
	w.wake()
}

// waiting is how many submissions are held.
func (w *world) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// lose ends what is held with an outcome that is not known.
func (w *world) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.queue {
		k.err = sequencer.ErrOutcomeUnknown
		close(k.executed)
		close(k.done)
	}
	w.queue = nil
}

func (w *world) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.arrived:
		}
		w.mu.Lock()
		var block []*ticket
		if !w.held {
			block, w.queue = w.queue, nil
		}
		w.mu.Unlock()
		if len(block) > 0 {
			w.commit(block)
		}
	}
}

func (w *world) commit(block []*ticket) {
	var raw [][]byte
	for _, k := range block {
		raw = append(raw, k.raw)
	}
	committed := w.Commit(w.t, raw...)
	first := committed.Header.FirstSeqno
	w.mu.Lock()
	for i, k := range block {
		k.id = sequencer.TxID{View: committed.Header.View, Seqno: first + uint64(i)}
		w.txs[k.id] = true
		close(k.executed)
	}
	w.mu.Unlock()
	w.chain.Committed(committed)
	for _, k := range block {
		close(k.done)
	}
}

// The world is the Service too, with as much of one as these tests need.

func (w *world) Status(id sequencer.TxID) sequencer.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.txs[id] {
		return sequencer.StatusCommitted
	}
	return sequencer.StatusUnknown
}

var errNoReceipt = errors.New("no receipts here")

func (w *world) Receipt(context.Context, sequencer.TxID, ...uint64) (*proof.Receipt, error) {
	return nil, errNoReceipt
}

func (w *world) Checkpoint(context.Context) ([]byte, error) { return []byte("origin\n1\nroot\n"), nil }

func (w *world) Identity() Identity {
	return Identity{Service: "00ff", Mode: "simulated", PEM: "-----BEGIN", Evidence: []byte{1, 2}}
}

// call makes one call and gives the result or error as JSON.
func (w *world) call(method string, params ...any) string {
	w.t.Helper()
	if params == nil {
		params = []any{}
	}
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		w.t.Fatal(err)
	}
	var r struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal(w.dispatcher.Serve(w.t.Context(), request, nil), &r); err != nil {
		w.t.Fatalf("%s: %v", method, err)
	}
	if r.Error != nil {
		return string(r.Error)
	}
	return string(r.Result)
}

// into makes one call and decodes its result.
func (w *world) into(result any, method string, params ...any) {
	w.t.Helper()
	text := w.call(method, params...)
	if err := json.Unmarshal([]byte(text), result); err != nil {
		w.t.Fatalf("%s: %v: %s", method, err, text)
	}
}

// key is a development account's.
func key(i int) *ecdsa.PrivateKey { return ethereum.DevelopmentAccounts()[i].Key }

func address(i int) common.Address { return ethereum.DevelopmentAccounts()[i].Address }

// sign signs a transaction of the account with a nonce.
func (w *world) sign(i int, nonce uint64, to *common.Address, value int64, input []byte) (raw hexutil.Bytes, hash common.Hash) {
	w.t.Helper()
	raw = ethereumtest.Sign(w.t, key(i), &types.DynamicFeeTx{
		ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: nonce, To: to, Value: big.NewInt(value), Gas: 2_000_000, Data: input,
		GasFeeCap: big.NewInt(2e9), GasTipCap: big.NewInt(1e9),
	})
	return raw, crypto.Keccak256Hash(raw)
}

// sendSync sends a transaction and waits for its receipt.
func (w *world) sendSync(i int, nonce uint64, to *common.Address, value int64, input []byte) *types.Receipt {
	w.t.Helper()
	raw, _ := w.sign(i, nonce, to, value, input)
	var r types.Receipt
	w.into(&r, "eth_sendRawTransactionSync", raw)
	return &r
}

// serve serves the dispatcher over HTTP and WebSocket and gives its address.
func (w *world) serve() string {
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := server.New(w.dispatcher, server.Options{})
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	w.t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			w.t.Error(err)
		}
		if err := <-served; err != nil {
			w.t.Error(err)
		}
	})
	return l.Addr().String()
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s\nlacks %s", text, part)
		}
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
