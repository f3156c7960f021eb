package api

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// Clients that wish it read what is confirmed: each request asks once, a batch
// too, over HTTP and WebSocket; the others, and writes, do not ask.
func TestLinearizable(t *testing.T) {
	w := newWorld(t)
	w.hold(true)
	var asked atomic.Uint64
	w.api.Linearizable = func(context.Context) error {
		asked.Add(1)
		w.chain.Committed(w.Commit(t)) // what another node answered a moment ago
		return nil
	}
	host := w.serve()
	for i, scheme := range []string{"http://", "ws://"} {
		c, err := rpc.DialContext(t.Context(), scheme+host+"/?read=linearizable")
		must(t, err)
		defer c.Close()
		plain, err := rpc.DialContext(t.Context(), scheme+host)
		must(t, err)
		defer plain.Close()
		want := func(who *rpc.Client, times int) {
			t.Helper()
			var number, chain hexutil.Uint64
			batch := []rpc.BatchElem{
				{Method: "eth_chainId", Result: &chain},
				{Method: "eth_getBlockTransactionCountByNumber", Args: []any{"latest"}, Result: new(string)},
				{Method: "eth_blockNumber", Result: &number},
			}
			must(t, who.BatchCallContext(t.Context(), batch))
			if asked.Load() != uint64(times) || uint64(number) != uint64(times) {
				t.Errorf("%s: block %d, asked %d times, want %d", scheme, number, asked.Load(), times)
			}
		}
		want(c, 3*i+1)
		want(plain, 3*i+1)
		var number hexutil.Uint64
		must(t, c.CallContext(t.Context(), &number, "eth_blockNumber"))
		var hash common.Hash
		raw, _ := w.sign(1+i, 0, &common.Address{1}, 1, nil)
		must(t, c.CallContext(t.Context(), &hash, "eth_sendRawTransaction", raw))
		must(t, c.CallContext(t.Context(), new(string), "eth_chainId"))
		if asked.Load() != uint64(3*i+2) || uint64(number) != asked.Load() {
			t.Errorf("%s: block %d, asked %d times", scheme, number, asked.Load())
		}
		want(c, 3*i+3)
	}
}

// A read that is not confirmed is an error that says what to do; what reads
// nothing of the ledger is answered.
func TestNotConfirmed(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.api.Linearizable = func(context.Context) error {
		asked++
		return errors.New("no majority")
	}
	c, err := rpc.DialContext(t.Context(), "http://"+w.serve()+"/?read=linearizable")
	must(t, err)
	defer c.Close()
	batch := []rpc.BatchElem{
		{Method: "eth_chainId", Result: new(string)},
		{Method: "eth_blockNumber", Result: new(string)},
		{Method: "eth_call", Args: []any{map[string]any{"to": address(1)}, "latest"}, Result: new(string)},
	}
	must(t, c.BatchCallContext(t.Context(), batch))
	if batch[0].Error != nil || asked != 1 {
		t.Errorf("%v, asked %d times", batch[0].Error, asked)
	}
	for _, b := range batch[1:] {
		var coded rpc.Error
		var more rpc.DataError
		if !errors.As(b.Error, &coded) || coded.ErrorCode() != -32005 || !strings.Contains(b.Error.Error(), "could not make sure with a majority") {
			t.Errorf("%s: %v", b.Method, b.Error)
		}
		if !errors.As(b.Error, &more) || more.ErrorData().(map[string]any)["code"] != "READ_NOT_CONFIRMED" {
			t.Errorf("%s: %v", b.Method, b.Error)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
