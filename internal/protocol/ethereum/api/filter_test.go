package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/test/contracts"
)

// filter makes a filter and gives its id.
func (w *world) filter(method string, params ...any) (id string) {
	w.t.Helper()
	w.into(&id, method, params...)
	return id
}

// transfer sends tokens from account 0.
func (w *world) transfer(token common.Address, nonce uint64, to int, amount int64) *types.Receipt {
	w.t.Helper()
	return w.sendSync(0, nonce, &token, 0, contracts.Token.Call("transfer", address(to), big.NewInt(amount)))
}

// Filters give what comes after they were made, once, in order.
func TestFilters(t *testing.T) {
	w := newWorld(t)
	token := w.deploy()
	w.transfer(token, 1, 1, 5)
	bob := common.BytesToHash(address(1).Bytes())
	blocks, pending := w.filter("eth_newBlockFilter"), w.filter("eth_newPendingTransactionFilter", true)
	all := w.filter("eth_newFilter", map[string]any{"fromBlock": "earliest", "address": token})
	toBob := w.filter("eth_newFilter", map[string]any{"topics": []any{nil, nil, []any{bob}}})
	later := w.filter("eth_newFilter", map[string]any{"fromBlock": "0x4", "toBlock": "0x4"})
	for _, id := range []string{blocks, pending, all, toBob, later} {
		if got := w.call("eth_getFilterChanges", id); got != "[]" {
			t.Errorf("before there was anything: %s", got)
		}
	}
	third, fourth, fifth := w.transfer(token, 2, 1, 6), w.transfer(token, 3, 2, 7), w.transfer(token, 4, 1, 8)
	hashes := func(receipts ...*types.Receipt) (list []common.Hash) {
		for _, r := range receipts {
			list = append(list, r.TxHash)
		}
		return list
	}
	for _, c := range []struct {
		name, id string
		want     []common.Hash
	}{
		{"blocks", blocks, []common.Hash{third.BlockHash, fourth.BlockHash, fifth.BlockHash}},
		{"pending", pending, nil},
		{"all", all, hashes(third, fourth, fifth)},
		{"to bob", toBob, hashes(third, fifth)},
		{"block 4", later, hashes(fourth)},
	} {
		var got []common.Hash
		if c.name == "blocks" || c.name == "pending" {
			w.into(&got, "eth_getFilterChanges", c.id)
		} else {
			var logs []types.Log
			w.into(&logs, "eth_getFilterChanges", c.id)
			for _, l := range logs {
				got = append(got, l.TxHash)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if again := w.call("eth_getFilterChanges", c.id); again != "[]" {
			t.Errorf("%s: twice %s", c.name, again)
		}
	}
	// The whole of what a filter is for, as eth_getLogs gives it.
	if got, want := w.call("eth_getFilterLogs", all), w.call("eth_getLogs", map[string]any{"fromBlock": "earliest", "address": token}); got != want || strings.Count(got, "blockHash") != 5 {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := w.call("eth_uninstallFilter", all); got != "true" {
		t.Errorf("uninstalled: %s", got)
	}
	if got := w.call("eth_uninstallFilter", all); got != "false" {
		t.Errorf("uninstalled again: %s", got)
	}
}

// What geth says of filters that there are not, or cannot be.
func TestFilterRefusals(t *testing.T) {
	w := newWorld(t)
	blocks := w.filter("eth_newBlockFilter")
	for _, c := range []struct {
		method string
		params []any
		want   string
	}{
		{"eth_newFilter", []any{map[string]any{"fromBlock": "0x5", "toBlock": "0x1"}}, `{"code":-32602,"message":"invalid block range params"}`},
		{"eth_newFilter", []any{map[string]any{"fromBlock": "latest", "toBlock": "0x9"}}, `{"code":-32602,"message":"invalid block range params"}`},
		{"eth_newFilter", []any{map[string]any{"fromBlock": "pending"}}, `{"code":-32602,"message":"pending logs are not supported"}`},
		{"eth_newFilter", nil, `{"code":-32602,"message":"missing value for required argument 0"}`},
		{"eth_newFilter", []any{7}, `"code":-32602`},
		{"eth_getFilterChanges", []any{"0x1"}, `{"code":-32000,"message":"filter not found"}`},
		{"eth_getFilterChanges", []any{1}, `"code":-32602`},
		{"eth_getFilterLogs", []any{"0x1"}, `{"code":-32000,"message":"filter not found"}`},
		{"eth_getFilterLogs", []any{blocks}, `{"code":-32000,"message":"filter not found"}`},
		{"eth_uninstallFilter", []any{"0x1"}, `false`},
	} {
		contains(t, w.call(c.method, c.params...), c.want)
	}
}

// A filter is its maker's alone.
func TestFilterBelongsToItsCaller(t *testing.T) {
	w := newWorld(t)
	id := w.filter("eth_newBlockFilter")
	other := caller.With(t.Context(), &caller.Caller{Kind: "certificate", Subject: "bob"})
	for _, method := range []string{"eth_getFilterChanges", "eth_getFilterLogs"} {
		request := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"%s","params":["%s"]}`, method, id)
		contains(t, string(w.dispatcher.Serve(other, request, nil)), "filter not found")
	}
	request := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"eth_uninstallFilter","params":["%s"]}`, id)
	contains(t, string(w.dispatcher.Serve(other, request, nil)), `"result":false`)
	if got := w.call("eth_getFilterChanges", id); got != "[]" {
		t.Errorf("its caller gets %s", got)
	}
}

// What does not fit into one answer comes with the next, log by log.
func TestFilterPages(t *testing.T) {
	w := newWorld(t)
	a := &API{Config: Config{Chain: w.chain}}
	f := &filter{place: place{next: 1}, to: forever}
	code := []byte{byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.LOG0)} // a contract whose making logs nothing
	const n = 25
	var raw [][]byte
	for i := range uint64(n) {
		tx, _ := w.sign(0, i, nil, 0, code)
		raw = append(raw, tx)
	}
	w.chain.Committed(w.Commit(t, raw[:20]...))
	w.chain.Committed(w.Commit(t, raw[20:]...))
	var seen []common.Hash
	for _, want := range []int{8, 8, 8, 1, 0} {
		logs, err := a.newLogs(t.Context(), f, &f.place, 8*500)
		if err != nil || len(logs) != want {
			t.Fatalf("%d logs, want %d: %v", len(logs), want, err)
		}
		for _, l := range logs {
			seen = append(seen, l.TxHash)
		}
	}
	for i, hash := range seen {
		if hash != crypto.Keccak256Hash(raw[i]) {
			t.Errorf("log %d is of another transaction", i)
		}
	}
	// One that is too large by itself is answered alone.
	tx, _ := w.sign(0, n, nil, 0, code)
	w.chain.Committed(w.Commit(t, tx))
	if logs, err := a.newLogs(t.Context(), f, &f.place, 1); err != nil || len(logs) != 1 {
		t.Errorf("%d logs, %v", len(logs), err)
	}
}

// slow is a time limit that is over after so many looks at it.
type slow struct {
	context.Context
	looks int
}

func (s *slow) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

func (s *slow) Err() error {
	if s.looks--; s.looks < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A filter for which one poll has too little time gets on with every poll.
func TestFilterTime(t *testing.T) {
	w := newWorld(t)
	const n = 1100 // more than are kept in memory
	code := []byte{byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.LOG0)}
	for i := range uint64(n) {
		if i%50 > 0 {
			w.chain.Committed(w.Commit(t))
			continue
		}
		tx, _ := w.sign(0, i/50, nil, 0, code)
		w.chain.Committed(w.Commit(t, tx))
	}
	a := &API{Config: Config{Chain: w.chain}}
	f := &filter{place: place{next: 1}, to: forever}
	polls, logs := 0, 0
	for ; f.next <= n && polls < n; polls++ {
		got, err := a.newLogs(&slow{t.Context(), 10}, f, &f.place, pollBytes)
		if err != nil {
			t.Fatal(err)
		}
		logs += len(got)
	}
	if logs != n/50 || polls < 2 || f.next != n+1 {
		t.Errorf("%d logs in %d polls, then at %d", logs, polls, f.next)
	}
}

// A filter that nobody polls is gone; polling keeps it.
func TestFilterLife(t *testing.T) {
	var r filters
	now := time.Unix(1000, 0)
	kept, err := r.add(&filter{owner: "a"}, now)
	if err != nil {
		t.Fatal(err)
	}
	left, err := r.add(&filter{owner: "a"}, now)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(filterLife)
	if r.get(jsonrpc.ID(kept), "a", now) == nil {
		t.Error("gone too soon")
	}
	now = now.Add(time.Second)
	if r.get(jsonrpc.ID(kept), "a", now) == nil {
		t.Error("a poll does not keep it")
	}
	if r.get(jsonrpc.ID(left), "a", now) != nil || r.remove(jsonrpc.ID(left), "a", now) || len(r.byID) != 1 || r.taken["a"] != (share{1, 1}) || r.terms != 1 {
		t.Errorf("it lives on: %+v", r.taken)
	}
}

// Filters are bounded for each caller, for all, and in what they name. Those that
// have expired make room.
func TestFilterLimits(t *testing.T) {
	var r filters
	now := time.Unix(1000, 0)
	add := func(owner string, addresses int) error {
		_, err := r.add(&filter{owner: owner, logs: logFilter{addresses: make([]common.Address, addresses)}}, now)
		return err
	}
	refused := func(owner string, addresses int, want string) {
		t.Helper()
		if err := add(owner, addresses); err == nil || !strings.Contains(err.Error(), want) || err.(*jsonrpc.Error).Code != jsonrpc.CodeLimit {
			t.Errorf("%s: %v", owner, err)
		}
	}
	for owner := range maxFilters / maxOwnFilters {
		name := fmt.Sprint(owner)
		for range maxOwnFilters {
			if err := add(name, 0); err != nil {
				t.Fatal(err)
			}
		}
		refused(name, 0, "too many filters: uninstall")
	}
	refused("another", 0, "too many filters on this node")
	now = now.Add(filterLife + 1)
	if err := add("another", 0); err != nil || len(r.byID) != 1 {
		t.Errorf("expired filters leave no room: %v, %d", err, len(r.byID))
	}
	for r.taken["another"].terms+1001 <= maxOwnTerms {
		if err := add("another", 1000); err != nil {
			t.Fatal(err)
		}
	}
	refused("another", 1000, "too many addresses and topics: end those")
	refuses := func(owner string, terms int) {
		t.Helper()
		if r.hold(owner, terms, now) == nil {
			t.Errorf("%s holds %d terms more", owner, terms)
		}
	}
	// Subscriptions take from the same.
	refuses("another", 1000)
	rest := maxFilterTerms - r.terms
	if err := errors.Join(r.hold("third", rest-maxOwnTerms, now), r.hold("fourth", maxOwnTerms, now)); err != nil {
		t.Fatal(err)
	}
	refuses("fifth", 1)
	refused("fifth", 0, "too many addresses and topics on this node")
	r.release("third", rest-maxOwnTerms)
	r.release("fourth", maxOwnTerms)
	if _, left := r.taken["fourth"]; left || r.terms != maxFilterTerms-rest {
		t.Errorf("%d terms are left, %+v", r.terms, r.taken["fourth"])
	}
}

// While a poll is at work another one answers with nothing rather than the same.
func TestFilterPolledTwice(t *testing.T) {
	w := newWorld(t)
	a := &API{Config: Config{Chain: w.chain, Now: time.Now}}
	id, err := a.newBlockFilter(t.Context(), caller.Anonymous, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.chain.Committed(w.Commit(t))
	f := a.filters.byID[jsonrpc.ID(id.(string))]
	poll := func() string {
		result, err := a.filterChanges(context.Background(), caller.Anonymous, &struct{ ID jsonrpc.ID }{jsonrpc.ID(id.(string))})
		if err != nil {
			t.Fatal(err)
		}
		text, err := jsonrpc.AppendResult(nil, result)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := result.(jsonrpc.Settler); ok {
			s.Settle(true)
		}
		return string(text)
	}
	f.mu.Lock()
	if got := poll(); got != "[]" {
		t.Errorf("while another is at work: %s", got)
	}
	f.mu.Unlock()
	if got := poll(); got != `["`+w.chain.Head().Hash.Hex()+`"]` {
		t.Errorf("afterwards: %s", got)
	}
}

// What could not be answered comes with the next poll.
func TestFilterKeepsWhatIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	a := &API{Config: Config{Chain: w.chain, Now: time.Now}}
	d := jsonrpc.New(jsonrpc.Limits{ResponseBytes: 1000}, nil, slog.New(slog.DiscardHandler))
	a.registerFilters(d)
	one, other := w.filterOf(d), w.filterOf(d)
	for range 10 {
		w.chain.Committed(w.Commit(t))
	}
	poll := func(id string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"eth_getFilterChanges","params":["` + id + `"]}`
	}
	serve := func(request string) string { return string(d.Serve(t.Context(), []byte(request), nil)) }
	if got := serve(strings.Replace(poll(one), `"id":1,`, "", 1)); got != "" {
		t.Errorf("a notification is answered by %s", got)
	}
	if got := serve("[" + poll(one) + "," + poll(other) + "]"); strings.Count(got, "0x") != 10 || !strings.Contains(got, "response too large") {
		t.Errorf("two polls: %s", got)
	}
	if got := serve(poll(other)); strings.Count(got, "0x") != 10 {
		t.Errorf("the one that had no room: %s", got)
	}
	if got := serve(poll(one)); !strings.Contains(got, `"result":[]`) {
		t.Errorf("the one that had: %s", got)
	}
}

// filterOf makes a filter for blocks elsewhere than in the world's API.
func (w *world) filterOf(d *jsonrpc.Dispatcher) string {
	w.t.Helper()
	var r struct{ Result string }
	if err := json.Unmarshal(d.Serve(w.t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_newBlockFilter"}`), nil), &r); err != nil {
		w.t.Fatal(err)
	}
	return r.Result
}

// FuzzLogFilter decodes filters: what is accepted keeps its limits.
func FuzzLogFilter(f *testing.F) {
	word := hexutil.Encode(make([]byte, 32))
	for _, text := range []string{
		`{}`, `null`, `7`, `{"fromBlock":"0x1","toBlock":"latest"}`, `{"fromBlock":"0x10000000000000000"}`, `{"blockHash":"` + word + `"}`,
		`{"blockHash":"` + word + `","fromBlock":"0x1"}`, `{"address":"0x` + strings.Repeat("0", 40) + `"}`, `{"address":["0x` + strings.Repeat("0", 40) + `",null]}`,
		`{"topics":[null,"` + word + `",["` + word + `",null],[]]}`, `{"topics":[1,2,3,4,5]}`, `{"topics":[[[]]]}`, `{"address":{"a":1},"address":[]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return // the dispatcher has seen to that
		}
		var filter logFilter
		if jsonrpc.DecodeArgument(0, text, &filter) != nil {
			return
		}
		if len(filter.topics) > 4 || len(filter.addresses) > 1000 {
			t.Fatalf("%d topics, %d addresses", len(filter.topics), len(filter.addresses))
		}
		if from, to, err := filter.future(11); err == nil && (from <= 10 || filter.to.exact && to > filter.to.number) {
			t.Fatalf("from %d to %d", from, to)
		}
		if q, err := filter.query(10); err == nil && (q.From > q.To || q.To > 10) {
			t.Fatalf("query from %d to %d", q.From, q.To)
		}
	})
}
