package client_test

import (
	"context"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
)

func TestMain(m *testing.M) { ledgertest.Main(m) }

func start(t *testing.T, dir string, args ...string) *binary.Node {
	t.Helper()
	return binary.StartCommand(t, ledgertest.Coco(t, append([]string{"start", "--json", "--portal", "off", "--rpc", "127.0.0.1:0", "--data", dir}, args...)...))
}

func dial(t *testing.T, address string, o client.Options) *client.Client {
	t.Helper()
	c, err := client.Dial(address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sender signs transactions of a new account.
func sender(t *testing.T, chain uint64) func(to *common.Address, data []byte) *types.Transaction {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	id, nonce := new(big.Int).SetUint64(chain), uint64(0)
	return func(to *common.Address, data []byte) *types.Transaction {
		tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: 2_000_000, To: to, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		nonce++
		return tx
	}
}

// TestProofs asks for everything that a node proves, and checks it.
func TestProofs(t *testing.T) {
	n := start(t, t.TempDir())
	service, err := os.ReadFile(filepath.Join(n.Data, "service.pem"))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, n.RPC, client.Options{Service: service, Linearizable: true})
	sign := sender(t, n.ChainID)
	tx := sign(nil, contracts.Diary.Deploy())
	receipt, err := c.SendSync(t.Context(), tx)
	if err != nil || receipt.TxHash != tx.Hash() || receipt.Status != 1 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	again, err := c.SendSync(t.Context(), tx)
	if err != nil || again.BlockHash != receipt.BlockHash {
		t.Errorf("sent again: %v, %v", again, err)
	}
	status, err := c.Status(t.Context(), tx.Hash().Hex())
	if err != nil || status.State != client.Committed {
		t.Fatalf("%+v, %v", status, err)
	}
	byID, err := c.Status(t.Context(), status.TxID)
	if err != nil || byID.State != client.Committed || byID.TxID != status.TxID {
		t.Errorf("by its TxID: %+v, %v", byID, err)
	}
	for _, name := range []string{tx.Hash().Hex(), status.TxID} {
		for form, ask := range map[string]func(context.Context, string, ...string) (*client.Proof, error){"JSON": c.Receipt, "COSE": c.ReceiptCOSE} {
			p, err := ask(t.Context(), name, "ethereum.from")
			if err != nil || p.Report == nil || p.Report.Transaction != status.TxID || len(p.Receipt) == 0 {
				t.Errorf("%s of %s: %+v, %v", form, name, p, err)
				continue
			}
			if _, err := client.CheckReceipt(p.Receipt, name, service, false); err == nil {
				t.Error("a simulated service passes for hardware")
			}
			if _, err := client.CheckReceipt(p.Receipt, common.Hash{1}.Hex(), service, true); !errors.Is(err, client.ErrProof) {
				t.Errorf("for another transaction: %v", err)
			}
		}
	}
	text, report, err := c.Checkpoint(t.Context())
	if err != nil || report == nil || report.Height < receipt.BlockNumber.Uint64() || len(text) == 0 {
		t.Errorf("%s, %+v, %v", text, report, err)
	}
	id, err := c.ServiceIdentity(t.Context())
	if err != nil || strings.TrimSpace(id.PEM) != strings.TrimSpace(string(service)) {
		t.Errorf("%+v, %v", id, err)
	}
	_, err = c.Receipt(t.Context(), common.Hash{9}.Hex())
	var said *client.Error
	if !errors.As(err, &said) || said.Name != "NO_RECEIPT" || said.Next == "" {
		t.Errorf("the receipt of nothing: %v", err)
	}
	if _, err := c.HeadAt(t.Context(), 1<<40); !errors.Is(err, client.ErrNoBlock) {
		t.Errorf("a block to come: %v", err)
	}
	sign = sender(t, n.ChainID)
	sign(nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // it waits for an earlier one
	defer cancel()
	if _, err := c.SendSync(ctx, sign(nil, contracts.Diary.Deploy())); !errors.Is(err, client.ErrNotCommitted) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a transaction that waits for another: %v", err)
	}
}

// TestHeads follows blocks through a node that is stopped and started, with
// subscriptions and without: each comes once, in order, from the one asked for.
func TestHeads(t *testing.T) {
	for name, subscribes := range map[string]bool{"subscribing": true, "asking": false} {
		t.Run(name, func(t *testing.T) {
			dir, port := t.TempDir(), ledgertest.FreePort(t)
			n := start(t, dir, "--rpc", "127.0.0.1:"+port)
			o := client.Options{Patience: 200 * time.Millisecond, Poll: 20 * time.Millisecond}
			if !subscribes {
				o.WebSocket = "ws://127.0.0.1:1" // nothing is there
			}
			c := dial(t, n.RPC, o)
			patient := dial(t, n.RPC, client.Options{Patience: time.Minute})
			sign := sender(t, n.ChainID)
			more := func(k int) (last uint64) {
				t.Helper()
				for range k {
					r, err := patient.SendSync(t.Context(), sign(nil, contracts.Diary.Deploy()))
					if err != nil {
						t.Fatal(err)
					}
					last = r.BlockNumber.Uint64()
				}
				return last
			}
			const from = 2
			more(4)
			heads, done := make(chan client.Head, 1000), make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				done <- c.Heads(ctx, from, func(h client.Head) error {
					heads <- h
					return nil
				})
			}()
			next, parent := uint64(from), common.Hash{}
			until := func(last uint64) {
				t.Helper()
				for next <= last {
					h := <-heads
					if h.Number != next || parent != (common.Hash{}) && h.Parent != parent || h.Time.IsZero() {
						t.Fatalf("block %d came, not %d, or with another parent", h.Number, next)
					}
					next, parent = next+1, h.Hash
				}
			}
			until(more(5))
			n.Stop(t)
			start(t, dir, "--rpc", "127.0.0.1:"+port)
			until(more(5))
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
			enough := errors.New("enough")
			if err := c.Heads(t.Context(), 0, func(h client.Head) error {
				if h.Number == 3 {
					return enough
				}
				return nil
			}); err != enough {
				t.Errorf("it ended with %v, not with the error of whom it told", err)
			}
		})
	}
}

// TestBlocksByReceipts compares blocks with and without traces.
func TestBlocksByReceipts(t *testing.T) {
	n := start(t, t.TempDir())
	c := dial(t, n.RPC, client.Options{})
	sign := sender(t, n.ChainID)
	var garden common.Address
	for i, data := range [][]byte{contracts.Token.Deploy("a", "b", big.NewInt(5)), contracts.Token.Call("transfer", common.Address{1}, big.NewInt(1)),
		contracts.Token.Call("transfer", common.Address{1}, big.NewInt(1000)), contracts.Token.Deploy("a", "b", big.NewInt(5))} {
		to := &garden
		if i%3 == 0 {
			to = nil
		}
		r, err := c.SendSync(t.Context(), sign(to, data))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			garden = r.ContractAddress
		}
	}
	read := func(want client.Want) (list []client.Block) {
		t.Helper()
		for {
			more, err := c.Blocks(t.Context(), uint64(len(list)), 100, want)
			if err != nil {
				t.Fatal(err)
			}
			if list = append(list, more...); len(more) == 0 {
				return list
			}
		}
	}
	traced, plain := read(client.Want{Traces: true, TxIDs: true}), read(client.Want{TxIDs: true})
	if len(traced) != len(plain) || len(traced) < 5 {
		t.Fatalf("%d and %d blocks", len(traced), len(plain))
	}
	failed, created := 0, 0
	for i := range traced {
		for j, a := range traced[i].Transactions {
			b := plain[i].Transactions[j]
			if a.Hash != b.Hash || a.Failed != b.Failed || (a.Created == nil) != (b.Created == nil) || a.TxID != b.TxID ||
				a.Failure != b.Failure || a.Failed && string(a.Output) != string(b.Output) || !a.Traced || b.Traced {
				t.Errorf("traced\n%+v, by its receipt\n%+v", a, b)
			}
			if a.Failed {
				failed++
			}
			if a.Created != nil && *a.Created == *b.Created {
				created++
			}
		}
	}
	if failed != 1 || created != 2 {
		t.Errorf("%d failed, %d created", failed, created)
	}
}

// TestWaysToFail has what answers behave as no node does.
func TestWaysToFail(t *testing.T) {
	var answer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer.Load().(http.HandlerFunc)(w, r) }))
	defer server.Close()
	c := dial(t, server.URL, client.Options{Timeout: 300 * time.Millisecond, Patience: time.Millisecond, MaxAnswer: 10_000})
	text := func(status int, s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, s)
		}
	}
	for name, f := range map[string]struct {
		answer http.HandlerFunc
		code   problem.Code
		says   string
	}{
		"a page":           {text(200, "<html>\x1b[2J"), "NODE_ANSWER", "no {"},
		"nothing":          {text(200, ""), "NODE_ANSWER", ""},
		"null":             {text(200, "null"), "NODE_ANSWER", ""},
		"no result":        {text(200, `{"id":0}`), "NODE_ANSWER", "neither"},
		"another shape":    {text(200, `{"id":0,"result":{"a":1}}`), "NODE_ANSWER", ""},
		"a large quantity": {text(200, `{"id":0,"result":"0x11112222333344445"}`), "NODE_ANSWER", "64 bits"},
		"without end":      {text(200, strings.Repeat(" ", 20_000)), "NODE_ANSWER_SIZE", "10000"},
		"forbidden":        {text(403, "go away\x07"), "NODE_ANSWER", "403 Forbidden: go away "},
		"broken":           {text(502, "bad gateway"), "NODE_UNREACHABLE", "502"},
		"elsewhere":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, "NODE_ANSWER", "elsewhere"},
		"silent":           {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }, "NODE_UNREACHABLE", "no answer within"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"id":0,`)
		}, "NODE_UNREACHABLE", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			answer.Store(f.answer)
			_, err := c.BlockNumber(t.Context())
			if problem.CodeOf(err) != f.code || !strings.Contains(err.Error(), f.says) || strings.ContainsAny(err.Error(), "\x1b\x07") {
				t.Errorf("%v", err)
			}
		})
	}
	answer.Store(text(503, `{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"too much","data":{"code":"BUSY","next":"wait"}}}`))
	_, err := c.BlockNumber(t.Context())
	var said *client.Error
	if !errors.As(err, &said) || said.Name != "BUSY" || said.Next != "wait" || said.ErrorCode() != -32005 || !client.Temporary(err) {
		t.Errorf("a busy node: %v", err)
	}
	answer.Store(text(200, `[{"id":1,"result":"0x2"},null,{"id":7,"result":1},{"id":"a","result":1}]`))
	calls := []client.Request{{Method: "a"}, {Method: "b"}}
	if err := c.Batch(t.Context(), calls); err != nil || string(calls[1].Result) != `"0x2"` || !errors.Is(calls[0].Err, client.ErrAnswer) {
		t.Errorf("an answer is missing: %v, %+v", err, calls)
	}
	for _, address := range []string{"", "localhost:8545", "ftp://x", "http://", "http://%zz"} {
		if _, err := client.Dial(address, client.Options{}); !errors.Is(err, client.ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := dial(t, "http://127.0.0.1:1", client.Options{Patience: time.Millisecond}).Head(t.Context()); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestWatchBehindProxy watches through a proxy that serves no WebSocket.
func TestWatchBehindProxy(t *testing.T) {
	n := start(t, t.TempDir())
	target, err := url.Parse(n.RPC)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no", http.StatusNotImplemented)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	c := dial(t, server.URL, client.Options{Poll: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed, done := make(chan struct{}, 1000), make(chan struct{})
	go func() {
		defer close(done)
		c.Watch(ctx, func() { changed <- struct{}{} })
	}()
	<-changed
	sign := sender(t, n.ChainID)
	for range 3 {
		r, err := c.SendSync(t.Context(), sign(nil, contracts.Diary.Deploy()))
		if err != nil {
			t.Fatal(err)
		}
		for range changed {
			if h, err := c.Head(t.Context()); err == nil && h.Number >= r.BlockNumber.Uint64() {
				break
			}
		}
	}
	cancel()
	<-done
}
