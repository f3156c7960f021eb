package upgrade

import (
	"context"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// writers is how many clients write at once.
const writers = 4

// load is clients that write all the time, through whichever node answers.
type load struct {
	net  *network
	stop context.CancelFunc
	done sync.WaitGroup

	mu           sync.Mutex
	where        []string // the nodes' addresses
	acknowledged []common.Hash
	progress     chan struct{} // closed at the next acknowledgement
}

// receipt is what these tests read of a transaction's receipt.
type receipt struct {
	TransactionHash common.Hash    `json:"transactionHash"`
	BlockHash       common.Hash    `json:"blockHash"`
	BlockNumber     hexutil.Uint64 `json:"blockNumber"`
	Status          hexutil.Uint64 `json:"status"`
}

// load begins to write.
func (net *network) load(t *testing.T) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{net: net, stop: stop, progress: make(chan struct{})}
	l.look()
	t.Cleanup(l.end)
	for i := range writers {
		l.done.Go(func() { l.write(ctx, net.nodes[0].ChainID, i) })
	}
	return l
}

func (l *load) end() {
	l.stop()
	l.done.Wait()
}

// look takes note of where the nodes are now.
func (l *load) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.where = nil
	for _, n := range l.net.nodes {
		if n.running() {
			l.where = append(l.where, n.RPC)
		}
	}
}

func (l *load) node(i int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.where[i%len(l.where)]
}

// write is one client: transactions of an account of its own, one after the other,
// each until it is committed. One that is sent again is the same one.
func (l *load) write(ctx context.Context, chain uint64, at int) {
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err) // the system has no randomness
	}
	id, self := new(big.Int).SetUint64(chain), crypto.PubkeyToAddress(key.PublicKey)
	for nonce := uint64(0); ; nonce++ {
		tx := types.MustSignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{ChainID: id, Nonce: nonce,
			GasTipCap: new(big.Int), GasFeeCap: new(big.Int), Gas: 21_000, To: &self})
		raw, err := tx.MarshalBinary()
		if err != nil {
			panic(err) // just made
		}
		for !l.send(ctx, l.node(at), raw, tx.Hash()) {
			if ctx.Err() != nil {
				return
			}
			at++
		}
	}
}

// send sends a transaction to a node and waits a little for its receipt.
func (l *load) send(ctx context.Context, url string, raw hexutil.Bytes, hash common.Hash) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := rpc.DialContext(ctx, url)
	if err != nil {
		return false
	}
	defer client.Close()
	var r *receipt
	if err := client.CallContext(ctx, &r, "eth_sendRawTransactionSync", raw); err != nil || r == nil {
		r = nil
		if client.CallContext(ctx, &r, "eth_getTransactionReceipt", hash) != nil || r == nil { // it may have been there already
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, r.TransactionHash)
	close(l.progress)
	l.progress = make(chan struct{})
	return true
}

// goesOn waits for some more writes, through the nodes that are there now.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	l.look()
	guard := time.After(hang)
	for range 10 * writers {
		l.mu.Lock()
		next := l.progress
		l.mu.Unlock()
		select {
		case <-next:
		case <-guard:
			t.Fatal("writes do not go on")
		}
	}
}

// settle ends the load and waits until all nodes have all of it.
func (l *load) settle(t *testing.T) {
	t.Helper()
	l.end()
	l.net.await(t, "all nodes to hold the same ledger", func() bool {
		var first status
		for i, n := range l.net.nodes {
			s, err := n.ask()
			if i == 0 {
				first = s
			}
			if err != nil || s.Ledger != first.Ledger || s.Ledger.Commit != s.Ledger.Last || s.Ledger.Durable != s.Ledger.Last || s.Ledger.Applied != s.Ledger.Last {
				return false
			}
		}
		return true
	})
	for _, n := range l.net.nodes {
		l.present(t, n)
	}
	t.Logf("%d acknowledged writes are on every node", len(l.acknowledged))
}

// present fails the test unless a node has every acknowledged write.
func (l *load) present(t *testing.T, n *node) {
	t.Helper()
	client, err := rpc.DialContext(t.Context(), n.RPC)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for from := 0; from < len(l.acknowledged); from += 500 {
		part := l.acknowledged[from:min(from+500, len(l.acknowledged))]
		answers := make([]*receipt, len(part))
		batch := make([]rpc.BatchElem, len(part))
		for i := range part {
			batch[i] = rpc.BatchElem{Method: "eth_getTransactionReceipt", Args: []any{part[i]}, Result: &answers[i]}
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i, r := range answers {
			if batch[i].Error != nil || r == nil || r.TransactionHash != part[i] || r.Status != 1 {
				t.Fatalf("%s: the acknowledged transaction %s: %+v %v", n.data, part[i], r, batch[i].Error)
			}
		}
	}
}
