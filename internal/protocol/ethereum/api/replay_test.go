package api

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/contracts"
)

// from is where a subscription begins.
func from(number uint64) map[string]any {
	return map[string]any{"fromBlock": hexutil.Uint64(number)}
}

// wantHeads takes heads from a channel: those of the blocks between two, each once.
func (w *world) wantHeads(t *testing.T, heads chan *types.Header, first, last uint64) {
	t.Helper()
	for number := first; number <= last; number++ {
		h := <-heads
		if b, err := w.chain.ByNumber(t.Context(), number); err != nil || h.Hash() != b.Hash {
			t.Fatalf("head %v, want block %d, %v", h.Number, number, err)
		}
	}
}

// A subscription that begins with a block that has been tells of it and all that
// follow, also of those that are committed meanwhile, and one that begins with a
// block to come tells of none before.
func TestSubscribeFrom(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	event := func() {
		raw, _ := w.sign(0, w.chain.Head().Number(), &token, 0, contracts.Token.Call("transfer", address(1), new(big.Int)))
		w.chain.Committed(w.Commit(t, raw))
	}
	const past, all = 3 * nearReplay, 3*nearReplay + 100
	for range past {
		event()
	}
	client, err := rpc.Dial("ws://" + w.serve())
	must(t, err)
	defer client.Close()
	head := w.chain.Head().Number()
	old, near, ahead := make(chan *types.Header, 2*all), make(chan *types.Header, all), make(chan *types.Header, all)
	logs, receipts := make(chan types.Log, 2*all), make(chan []*types.Receipt, 2*all)
	for _, s := range []struct {
		channel any
		params  []any
	}{
		{old, []any{"newHeads", from(0)}},
		{near, []any{"newHeads", from(head - 10)}},
		{ahead, []any{"newHeads", from(head + 20)}},
		{logs, []any{"logs", map[string]any{"address": token, "fromBlock": "0x0"}, from(2)}},
		{receipts, []any{"transactionReceipts", nil, from(5)}},
	} {
		_, err := client.EthSubscribe(t.Context(), s.channel, s.params...)
		must(t, err)
	}
	for range 100 {
		event()
	}
	last := w.chain.Head().Number()
	w.wantHeads(t, old, 0, last)
	w.wantHeads(t, near, head-10, last)
	w.wantHeads(t, ahead, head+20, last)
	for number := uint64(2); number <= last; number++ {
		if l := <-logs; l.BlockNumber != number || l.Address != token {
			t.Fatalf("log %v, want that of block %d", l, number)
		}
	}
	for number := uint64(5); number <= last; number++ {
		if r := <-receipts; len(r) != 1 || r[0].BlockNumber.Uint64() != number {
			t.Fatalf("receipts %v, want those of block %d", r, number)
		}
	}
	if n := len(old) + len(near) + len(ahead) + len(logs) + len(receipts); n > 0 {
		t.Errorf("%d notifications too many", n)
	}
}

// The filter's own fromBlock means what it means with geth: nothing of what has
// been. Clients (web3) that write it there ask eth_getLogs for that themselves.
func TestFilterFromBlock(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	send := func(amount int64) {
		w.sendSync(0, uint64(amount), &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(amount)))
	}
	send(1)
	client, err := rpc.Dial("ws://" + w.serve())
	must(t, err)
	defer client.Close()
	logs := make(chan types.Log, 9)
	_, err = client.EthSubscribe(t.Context(), logs, "logs", map[string]any{"fromBlock": "0x0"})
	must(t, err)
	send(2)
	if l := <-logs; new(big.Int).SetBytes(l.Data).Int64() != 2 || len(logs) > 0 {
		t.Errorf("log %v and %d more", l, len(logs))
	}
}

// Blocks that come in one burst, as on a node that was paused, are told of each
// once, however many they are.
func TestBurst(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	must(t, err)
	defer client.Close()
	const blocks = 6 * subscriptionQueue
	var channels []chan *types.Header
	for range 5 {
		heads := make(chan *types.Header, blocks)
		_, err := client.EthSubscribe(t.Context(), heads, "newHeads")
		must(t, err)
		channels = append(channels, heads)
	}
	for range blocks {
		w.chain.Committed(w.Commit(t))
	}
	for _, heads := range channels {
		w.wantHeads(t, heads, 1, blocks)
	}
}

func TestSubscribeFromRefusals(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	must(t, err)
	defer client.Close()
	for want, params := range map[string][]any{
		"not with the pending one":                 {"newHeads", map[string]any{"fromBlock": "pending"}},
		"invalid argument 1":                       {"newHeads", map[string]any{"fromBlock": "soon"}},
		"invalid argument 2":                       {"logs", map[string]any{}, map[string]any{"fromBlock": 7}},
		`no "weather" subscription in eth namespa`: {"weather", nil, from(0)},
	} {
		var id string
		if err := client.Call(&id, "eth_subscribe", params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", params, err)
		}
	}
	text := func(number uint64) string { return fmt.Sprintf(`{"fromBlock":"%#x"}`, number) }
	for head, first := range map[uint64]uint64{0: 0, maxReplay - 1: 0, maxReplay: 1, maxReplay + 77: 78} {
		if got, err := firstOf(1, []byte(text(first)), head); err != nil || got != first {
			t.Errorf("from block %d at %d: %d, %v", first, head, got, err)
		}
		if first == 0 {
			continue
		}
		if _, err := firstOf(1, []byte(text(first-1)), head); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("now to block %#x", first)) {
			t.Errorf("from block %d at %d: %v", first-1, head, err)
		}
	}
	for _, other := range []string{"", "null", "{}", "true", `{"fromBlock":"latest"}`, `{"includeTransactions":true}`} {
		if got, err := firstOf(1, []byte(other), 7); err != nil || got != 8 {
			t.Errorf("%s: from %d, %v", other, got, err)
		}
	}
}
