package api

import (
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"

	goethereum "github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/contracts"
)

// Heads and logs reach geth's client over WebSocket, each once and in order, and
// not any more after the end of the subscription.
func TestSubscriptions(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	client, err := ethclient.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	heads, logs := make(chan *types.Header, 100), make(chan types.Log, 100)
	newHeads, err := client.SubscribeNewHead(t.Context(), heads)
	if err != nil {
		t.Fatal(err)
	}
	bob := common.BytesToHash(address(1).Bytes())
	transfers, err := client.SubscribeFilterLogs(t.Context(), goethereum.FilterQuery{Addresses: []common.Address{token}, Topics: [][]common.Hash{nil, nil, {bob}}}, logs)
	if err != nil {
		t.Fatal(err)
	}
	const n = 10
	for i := range n {
		to := address(1 + i%2)
		w.sendSync(0, uint64(1+i), &token, 0, contracts.Token.Call("transfer", to, big.NewInt(int64(i))))
	}
	number := w.chain.Head().Number()
	for i := range n {
		h := <-heads
		if want, err := w.chain.ByNumber(t.Context(), number-n+1+uint64(i)); err != nil || h.Hash() != want.Hash {
			t.Fatalf("head %d: %v, %v", i, h.Number, err)
		}
	}
	for i := range n / 2 {
		if l := <-logs; new(big.Int).SetBytes(l.Data).Int64() != int64(2*i) || l.Topics[2] != bob || l.Removed {
			t.Errorf("log %d: %+v", i, l)
		}
	}
	transfers.Unsubscribe()
	w.sendSync(0, n+1, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(1)))
	<-heads
	newHeads.Unsubscribe()
	if len(heads)+len(logs) != 0 {
		t.Errorf("%d heads and %d logs too many", len(heads), len(logs))
	}
}

func TestSubscriptionRefusals(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for want, params := range map[string][]any{
		`no "weather" subscription in eth namespace`: {"weather"},
		"pending logs are not supported":             {"logs", map[string]any{"fromBlock": "pending"}},
		"missing value for required argument 0":      {},
		"expected subscription name as first":        {7},
		"invalid block range params":                 {"logs", map[string]any{"fromBlock": "0x5", "toBlock": "0x1"}},
		"invalid argument 1: ":                       {"logs", 7},
		"exceed max number of transaction hashes":    {"transactionReceipts", map[string]any{"transactionHashes": make([]common.Hash, 201)}},
	} {
		var id string
		if err := client.Call(&id, "eth_subscribe", params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", params, err)
		}
	}
	var ended bool
	if err := client.Call(&ended, "eth_unsubscribe", "0x1"); err == nil || err.Error() != "subscription not found" {
		t.Errorf("got %v", err)
	}
}

// What subscriptions name counts for as long as they last.
func TestSubscriptionTerms(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r := &w.api.filters
	terms := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.terms
	}
	subscribe := func(params ...any) (*rpc.ClientSubscription, error) {
		return client.EthSubscribe(t.Context(), make(chan any, 1), params...)
	}
	var open []*rpc.ClientSubscription
	for _, c := range []struct {
		name   string
		filter any
		want   int
	}{
		{"logs", map[string]any{"address": make([]common.Address, 3), "topics": []any{nil, make([]common.Hash, 2)}}, 6},
		{"transactionReceipts", map[string]any{"transactionHashes": []common.Hash{{1}, {2}}}, 9},
	} {
		s, err := subscribe(c.name, c.filter)
		if err != nil || terms() != c.want {
			t.Fatalf("after %s: %d terms, %v", c.name, terms(), err)
		}
		open = append(open, s)
	}
	if err := r.hold("another", maxOwnTerms, w.api.Now()); err != nil {
		t.Fatal(err)
	}
	if err := r.hold("one more", maxFilterTerms-maxOwnTerms-9, w.api.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs", "transactionReceipts"} {
		if _, err := subscribe(name); err == nil || !strings.Contains(err.Error(), "too many addresses and topics") {
			t.Errorf("one subscription to %s more: %v", name, err)
		}
	}
	for _, s := range open {
		s.Unsubscribe()
	}
	for terms() != maxFilterTerms-9 {
		runtime.Gosched() // until they have ended
	}
}

// Receipts come in one list for each block; of pending transactions nobody hears.
func TestReceiptSubscriptions(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	first, hash := w.sign(0, 0, &common.Address{1}, 1, nil)
	second, _ := w.sign(1, 0, &common.Address{1}, 1, nil)
	all, one, pending := make(chan []*types.Receipt, 9), make(chan []*types.Receipt, 9), make(chan common.Hash, 9)
	for _, s := range []struct {
		channel any
		params  []any
	}{
		{pending, []any{"newPendingTransactions", true}},
		{one, []any{"transactionReceipts", map[string]any{"transactionHashes": []common.Hash{hash}}}},
		{all, []any{"transactionReceipts"}},
	} {
		if _, err := client.EthSubscribe(t.Context(), s.channel, s.params...); err != nil {
			t.Fatal(err)
		}
	}
	w.chain.Committed(w.Commit(t, first, second))
	if got := <-all; len(got) != 2 || got[0].TxHash != hash || got[1].TransactionIndex != 1 {
		t.Errorf("all: %v", got)
	}
	if got := <-one; len(got) != 1 || got[0].TxHash != hash {
		t.Errorf("one: %v", got)
	}
	w.chain.Committed(w.Commit(t))
	third, _ := w.sign(0, 1, &common.Address{1}, 1, nil)
	w.chain.Committed(w.Commit(t, third))
	if got := <-all; len(got) != 1 || got[0].BlockNumber.Uint64() != 3 {
		t.Errorf("all: %v", got)
	}
	if len(one)+len(pending) != 0 {
		t.Errorf("%d and %d too many", len(one), len(pending))
	}
}

// Receipts that many subscribers want are encoded once, and a list that is much
// longer than a frame arrives whole.
func TestReceiptsAreShared(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("ws://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var raw [][]byte
	var odd []common.Hash
	for i := range uint64(60) {
		tx, hash := w.sign(0, i, &common.Address{1}, 1, nil)
		if raw = append(raw, tx); i%2 == 1 {
			odd = append(odd, hash)
		}
	}
	all, some := make(chan []*types.Receipt, 1), make(chan []*types.Receipt, 1)
	if _, err := client.EthSubscribe(t.Context(), all, "transactionReceipts"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.EthSubscribe(t.Context(), some, "transactionReceipts", map[string]any{"transactionHashes": odd}); err != nil {
		t.Fatal(err)
	}
	news := w.chain.Subscribe(1)
	defer news.Close()
	w.chain.Committed(w.Commit(t, raw...))
	if got := <-all; len(got) != 60 {
		t.Errorf("%d receipts of 60", len(got))
	}
	got := <-some
	for i, r := range got {
		if len(got) != len(odd) || r.TxHash != odd[i] {
			t.Fatalf("receipt %d of %d: %v", i, len(got), r.TxHash)
		}
	}
	texts := encodingsOf(<-news.Blocks())
	made := 0
	for i := range texts.receiptTexts {
		if texts.receiptTexts[i].text != nil {
			made++
		}
	}
	if made != len(odd) || texts.receiptsText.text == nil {
		t.Errorf("%d receipts and %d bytes of all are shared", made, len(texts.receiptsText.text))
	}
}

// A client whose connection is lost again and again misses no log and works on
// none twice, when it goes on as docs/reference/json-rpc.md says.
func TestResume(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	url := "ws://" + w.serve()
	const n = 40
	sent := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		defer close(sent)
		for i := range uint64(n) {
			w.sendSync(0, 1+i, &token, 0, contracts.Token.Call("transfer", address(1), big.NewInt(int64(i))))
		}
	})
	defer sending.Wait()
	query := goethereum.FilterQuery{Addresses: []common.Address{token}}
	number, index := uint64(1), uint(0) // of the last log that was worked on
	var amounts []int64
	work := func(l types.Log) {
		if l.BlockNumber < number || l.BlockNumber == number && l.Index <= index {
			return
		}
		number, index = l.BlockNumber, l.Index
		amounts = append(amounts, new(big.Int).SetBytes(l.Data).Int64())
	}
	connect := func(messages int) {
		client, err := ethclient.Dial(url)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		news := make(chan types.Log, n)
		if _, err := client.SubscribeFilterLogs(t.Context(), query, news); err != nil {
			t.Fatal(err)
		}
		past := query
		past.FromBlock = new(big.Int).SetUint64(number)
		logs, err := client.FilterLogs(t.Context(), past)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range logs {
			work(l)
		}
		for ; messages > 0 && len(amounts) < n; messages-- {
			select {
			case l := <-news:
				work(l)
			case <-sent: // there may be no more news; the next query finds the rest
				return
			}
		}
	}
	for len(amounts) < n {
		connect(len(amounts) % 7)
	}
	<-sent
	for i, amount := range amounts {
		if amount != int64(i) || len(amounts) != n {
			t.Fatalf("worked on %v", amounts)
		}
	}
}

// Forty transactions of one sender, signed beforehand and sent at once in any
// order over many connections, are all admitted and committed.
func TestFortyParallelSends(t *testing.T) {
	w := newWorld(t)
	url := "http://" + w.serve()
	const n = 40
	hashes := make([]common.Hash, n)
	var clients sync.WaitGroup
	for i := range n {
		raw, hash := w.sign(0, uint64(n-1-i), &common.Address{1}, 1, nil)
		hashes[i] = hash
		clients.Go(func() {
			client, err := rpc.Dial(url)
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			var receipt types.Receipt
			if err := client.Call(&receipt, "eth_sendRawTransactionSync", raw); err != nil || receipt.Status != 1 || receipt.TxHash != hash {
				t.Errorf("nonce %d: %v", n-1-i, err)
			}
		})
	}
	clients.Wait()
	if got := w.call("eth_getTransactionCount", address(0), "latest"); got != `"0x28"` {
		t.Errorf("%s transactions were committed", got)
	}
	seen := map[common.Hash]bool{}
	for _, h := range hashes {
		var r types.Receipt
		w.into(&r, "eth_getTransactionReceipt", h)
		seen[r.TxHash] = true
	}
	if len(seen) != n {
		t.Errorf("%d receipts", len(seen))
	}
}

// A batch of raw transactions in the order of their nonces is admitted whole.
func TestBatchOfSends(t *testing.T) {
	w := newWorld(t)
	client, err := rpc.Dial("http://" + w.serve())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	batch := make([]rpc.BatchElem, 100)
	hashes := make([]common.Hash, len(batch))
	for i := range batch {
		raw, hash := w.sign(0, uint64(i), &common.Address{1}, 1, nil)
		hashes[i] = hash
		batch[i] = rpc.BatchElem{Method: "eth_sendRawTransaction", Args: []any{raw}, Result: new(common.Hash)}
	}
	if err := client.BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for i, b := range batch {
		if b.Error != nil || *b.Result.(*common.Hash) != hashes[i] {
			t.Fatalf("%d: %v", i, b.Error)
		}
	}
	if got := w.sendSync(0, uint64(len(batch)), &common.Address{1}, 1, nil); got.Status != 1 {
		t.Errorf("the next one: %+v", got)
	}
}

// The error codes of EIP-7966.
func TestSendSyncFailures(t *testing.T) {
	w := newWorld(t)
	w.hold(true)
	raw, hash := w.sign(0, 0, &common.Address{1}, 1, nil)
	contains(t, w.call("eth_sendRawTransactionSync", raw, 1), fmt.Sprintf(`{"code":4,"message":"The transaction was added to the transaction pool but wasn't processed in 1ms","data":"%v"}`, hash))
	raw, _ = w.sign(0, 5, &common.Address{1}, 1, nil)
	contains(t, w.call("eth_sendRawTransactionSync", raw, "0x1"), `{"code":6,"message":"nonce gap: the transaction waits for one with nonce 1 and was not processed in 1ms","data":"0x1"}`)
	contains(t, w.call("eth_sendRawTransactionSync", raw, "soon"), `invalid hex or decimal integer`)
	w.hold(false)
	// Of one whose outcome is not known nobody says that it was refused.
	for w.waiting() > 0 {
		runtime.Gosched() // until what was sent above is committed
	}
	w.hold(true)
	raw, hash = w.sign(2, 0, &common.Address{1}, 1, nil)
	lost := make(chan string)
	go func() { lost <- w.call("eth_sendRawTransactionSync", raw) }()
	for w.waiting() == 0 {
		runtime.Gosched() // until it waits
	}
	w.lose()
	contains(t, <-lost, fmt.Sprintf(`{"code":4,"message":"the transaction was added to the transaction pool and then: the node cannot tell whether the transaction was committed","data":"%v"}`, hash))
	contains(t, w.call("coco_getTransactionStatus", hash), `{"status":"Unknown"`)
	w.hold(false)
	// One that is replaced while it waits is refused.
	replaced := make(chan string)
	raw, hash = w.sign(1, 1, &common.Address{1}, 1, nil)
	go func() { replaced <- w.call("eth_sendRawTransactionSync", raw) }()
	for w.call("eth_getTransactionByHash", hash) == "null" {
		runtime.Gosched() // until it waits
	}
	w.replace(t)
	contains(t, <-replaced, `{"code":5,"message":"the transaction was added to the transaction pool and then refused: replaced by transaction `)
	contains(t, w.call("coco_getTransactionStatus", hash), `{"status":"refused: replaced by transaction `)
}

// replace replaces what waits with nonce 1 of account 1.
func (w *world) replace(t *testing.T) {
	t.Helper()
	tx, err := types.SignNewTx(key(1), types.NewPragueSigner(big.NewInt(49344)), &types.DynamicFeeTx{
		ChainID: big.NewInt(49344), Nonce: 1, To: &common.Address{2}, Gas: 21000, GasFeeCap: big.NewInt(4e9), GasTipCap: big.NewInt(2e9),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	contains(t, w.call("eth_sendRawTransaction", fmt.Sprintf("0x%x", raw)), tx.Hash().String())
}
