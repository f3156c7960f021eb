package api

import (
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// A client that asks for the receipt right after sending has it at the commit.
func TestReceiptIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	to := address(1)
	first, hash := w.sign(0, 0, &to, 1, nil)
	later, gapped := w.sign(0, 2, &to, 1, nil)
	w.call("eth_sendRawTransaction", later)
	if got := w.call("eth_getTransactionReceipt", gapped); got != "null" {
		t.Errorf("the receipt of a transaction whose turn has not come: %s", got)
	}
	w.hold(true)
	w.call("eth_sendRawTransaction", first)
	answer := make(chan string)
	go func() { answer <- w.call("eth_getTransactionReceipt", hash) }()
	w.hold(false)
	contains(t, <-answer, `"status":"0x1"`, hash.Hex())

	if got := w.call("eth_getTransactionReceipt", common.Hash{1}); got != "null" {
		t.Errorf("the receipt of an unknown transaction: %s", got)
	}
	w.hold(true)
	stuck, hash := w.sign(1, 0, &to, 1, nil)
	w.call("eth_sendRawTransaction", stuck)
	if got := w.call("eth_getTransactionReceipt", hash); got != "null" {
		t.Errorf("the receipt of a transaction that is not committed: %s", got)
	}
	w.hold(false)
}

// With ?send=committed whoever reads after sending reads what was sent.
func TestSendCommitted(t *testing.T) {
	w := newWorld(t)
	host := w.serve()
	for i, url := range []string{"http://" + host + "/?key=1&send=committed", "ws://" + host + "/?send=committed"} {
		c, err := rpc.DialContext(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		to := common.Address{0: 1, 19: byte(i)}
		for nonce := range uint64(20) {
			raw, hash := w.sign(i, nonce, &to, 1, nil)
			var sent common.Hash
			var balance hexutil.Uint64
			if err := c.CallContext(t.Context(), &sent, "eth_sendRawTransaction", raw); err != nil || sent != hash {
				t.Fatalf("%v, %v", sent, err)
			}
			if err := c.CallContext(t.Context(), &balance, "eth_getBalance", to, "latest"); err != nil || uint64(balance) != nonce+1 {
				t.Fatalf("after %d transactions the balance is %d, %v", nonce+1, balance, err)
			}
		}
	}
}

// The transactions of a batch that is to be committed are admitted before any of
// them is waited for, and read after that.
func TestSendCommittedBatch(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.DialContext(t.Context(), "http://"+w.serve()+"/?send=committed")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const n = 40 // a patience for each would be more than a batch has
	to := common.Address{1}
	batch := make([]rpc.BatchElem, n, n+1)
	for i := range batch {
		raw, _ := w.sign(0, uint64(i), &to, 1, nil)
		batch[i] = rpc.BatchElem{Method: "eth_sendRawTransaction", Args: []any{raw}, Result: new(common.Hash)}
	}
	var balance hexutil.Uint64
	batch = append(batch, rpc.BatchElem{Method: "eth_getBalance", Args: []any{to, "latest"}, Result: &balance})
	w.hold(true)
	go func() {
		for w.waiting() < n {
			runtime.Gosched() // until all are admitted, though none is committed
		}
		w.hold(false)
	}()
	if err := client.BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for i, b := range batch {
		if b.Error != nil {
			t.Fatalf("%d: %v", i, b.Error)
		}
	}
	if balance != n || w.chain.Head().Number() != 1 {
		t.Errorf("the balance is %d after %d blocks", balance, w.chain.Head().Number())
	}
}
