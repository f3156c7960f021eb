package api

import (
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
