package coco_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/contracts"
)

// calling is init code that calls account 0 and leaves no code: six zeros, GAS, CALL,
// and an empty RETURN. What runs it is not plain.
var calling = common.FromHex("5f5f5f5f5f5f5af15f5ff3")

// TestOldBlocks takes blocks whose state the node does not keep any more: those of
// contracts that call others come without the calls inside transactions, and say so.
// All else is there, and of contracts that never call nothing is missing.
func TestOldBlocks(t *testing.T) {
	n := start(t, t.TempDir(), "--state-blocks", "4")
	d := open(t, n)
	s := newSender(t, d)
	garden := crypto.CreateAddress(s.address, 0)
	s.send(nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(100)), 2_000_000)
	s.send(&garden, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(1000)), 100_000) // fails
	s.send(nil, calling, 100_000)
	fresh := all(t, d)
	for range 6 {
		s.send(&garden, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(1)), 100_000)
	}
	old := all(t, d)
	for i, b := range fresh {
		o := old[i]
		inner := i == len(fresh)-1
		if o.Hash != b.Hash || !b.Traced || o.Traced == inner || inner && len(b.Transactions[0].Calls) != 2 {
			t.Fatalf("block %d: traced %v, then %v", b.Number, b.Traced, o.Traced)
		}
		for j, tx := range b.Transactions {
			ox := o.Transactions[j]
			if ox.Failed != tx.Failed || ox.RevertReason != tx.RevertReason || !bytes.Equal(ox.RevertData, tx.RevertData) || ox.TxID != tx.TxID || tx.TxID == "" ||
				(ox.Created == nil) != (tx.Created == nil) || len(ox.Calls) != 1 || ox.Calls[0].To != tx.Calls[0].To || ox.Calls[0].Kind != tx.Calls[0].Kind {
				t.Errorf("with its trace it was\n%+v, without\n%+v", tx, ox)
			}
		}
	}
	if last := old[len(old)-1]; !last.Traced {
		t.Error("the newest block is not traced")
	}
	_, err := d.Read(t.Context(), old[1].Ref, []ledger.Call{{To: garden, Data: contracts.Token.Call("name")}})
	if !errors.Is(err, ledger.ErrStateGone) {
		t.Errorf("the state after an old block: %v", err)
	}
}

// TestRestart stops the node and starts it again: whoever watches is told of what
// came after, and what was submitted meanwhile says that there is no ledger.
func TestRestart(t *testing.T) {
	dir, port := t.TempDir(), ledgertest.FreePort(t)
	n := start(t, dir, "--rpc", "127.0.0.1:"+port)
	d, err := coco.Open(n.RPC, client.Options{Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := newSender(t, d)
	first := s.send(nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(100)), 2_000_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, done := make(chan ledger.Ref, 100), make(chan error)
	go func() {
		done <- d.Watch(ctx, 0, func() {
			if head, err := d.Head(ctx); err == nil {
				seen <- head
			}
		})
	}()
	<-seen
	if code := n.Stop(t); code != 0 {
		t.Fatalf("the node ended with %d", code)
	}
	tx := s.sign(nil, contracts.Diary.Deploy(), 2_000_000)
	if err := d.Submit(t.Context(), tx); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("without a node: %v", err)
	}
	if _, err := d.Blocks(t.Context(), 1, 1); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("without a node: %v", err)
	}
	start(t, dir, "--rpc", "127.0.0.1:"+port)
	ledgertest.Eventually(t, "the same transaction is taken", func() bool { return d.Submit(t.Context(), tx) == nil })
	for head := range seen {
		if list, err := d.Blocks(t.Context(), 0, 100); err == nil && head.Number >= list[len(list)-1].Number && has(list, tx.Hash()) && has(list, first) {
			break
		}
	}
	cancel()
	<-done
	if _, err := d.Info(t.Context()); err != nil {
		t.Errorf("the same ledger: %v", err)
	}
}

func has(list []ledger.Block, hash common.Hash) bool {
	for _, b := range list {
		for _, t := range b.Transactions {
			if t.Hash == hash {
				return true
			}
		}
	}
	return false
}

// TestForeign starts another ledger at the same address.
func TestForeign(t *testing.T) {
	port := ledgertest.FreePort(t)
	n := start(t, t.TempDir(), "--rpc", "127.0.0.1:"+port)
	d := open(t, n)
	if _, err := d.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newSender(t, d)
	hash := s.send(nil, contracts.Diary.Deploy(), 2_000_000)
	if _, err := d.Proof(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	n.Stop(t)
	start(t, t.TempDir(), "--rpc", "127.0.0.1:"+port)
	if _, err := d.Info(t.Context()); !errors.Is(err, ledger.ErrForeign) {
		t.Errorf("another ledger: %v", err)
	}
	s.nonce = 0
	hash = s.send(nil, contracts.Token.Deploy("a", "b", big.NewInt(1)), 2_000_000)
	if p, err := d.Proof(t.Context(), hash); !errors.Is(err, ledger.ErrProof) {
		t.Errorf("the proof of another service: %s, %v", p, err)
	}
}

// TestLies puts a liar between the driver and the node.
func TestLies(t *testing.T) {
	n := start(t, t.TempDir())
	honest := open(t, n)
	s := newSender(t, honest)
	one, two := s.send(nil, calling, 100_000), s.send(nil, calling, 100_000)
	var from, to atomic.Value
	from.Store("\x00")
	to.Store("")
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		change := func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(from.Load().(string)), []byte(to.Load().(string)))
		}
		response, err := http.Post(n.RPC, "application/json", bytes.NewReader(change(asked)))
		if err != nil {
			return
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		w.Write(change(answer))
	}))
	defer liar.Close()
	info, err := honest.Client.ServiceIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d, err := coco.Open(liar.URL, client.Options{Service: []byte(info.PEM), Patience: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Proof(t.Context(), one); err != nil {
		t.Fatalf("without a lie: %v", err)
	}
	for _, lie := range [][2]string{{one.Hex() + `","json"`, two.Hex() + `","json"`}, {`"commitEvidence": "`, `"commitEvidence": "00`}, {`"signature": "`, `"signature": "A`}} {
		from.Store(lie[0])
		to.Store(lie[1])
		if _, err := d.Proof(t.Context(), one); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("%q for %q: %v", lie[1], lie[0], err)
		}
	}
	for _, lie := range [][2]string{{`"hash":"0x`, `"hash":"0xzz`}, {`"transactions":[{`, `"transactions":[{"a":`}, {one.Hex() + `","input"`, two.Hex() + `","input"`},
		{`"timestamp":"0x`, `"timestamp":"0xffffffffffffffffff`}, {`"result":{"from"`, `"result":{"calls":{},"from"`}, {`"number":"0x1"`, `"number":"0x2"`},
		{`"result":`, `"result":[[[[`}, {`"parentHash"`, `"number"`}, {`"txHash":"` + one.Hex(), `"txHash":"` + two.Hex()}, {`"status":"Committed"`, `"status":"Pending"`}} {
		from.Store(lie[0])
		to.Store(lie[1])
		if list, err := d.Blocks(t.Context(), 1, 1); !errors.Is(err, ledger.ErrAnswer) && !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%q for %q: %d blocks, %v", lie[1], lie[0], len(list), err)
		}
	}
}

// TestNoPrimary has a node refuse writes for a while, as during an election.
func TestNoPrimary(t *testing.T) {
	n := start(t, t.TempDir())
	s := newSender(t, open(t, n))
	var refusals atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		if strings.Contains(string(asked), "eth_sendRawTransaction") && refusals.Add(-1) >= 0 {
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"no primary","data":{"code":"NO_PRIMARY","next":"wait"}}}`)
			return
		}
		response, err := http.Post(n.RPC, "application/json", bytes.NewReader(asked))
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		io.Copy(w, response.Body)
	}))
	defer proxy.Close()
	d, err := coco.Open(proxy.URL, client.Options{Patience: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	refusals.Store(3)
	tx := s.sign(nil, contracts.Diary.Deploy(), 2_000_000)
	if err := d.Submit(t.Context(), tx); err != nil {
		t.Errorf("after three refusals: %v", err)
	}
	s.nonce++
	refusals.Store(1 << 40)
	if err := d.Submit(t.Context(), s.sign(nil, contracts.Diary.Deploy(), 2_000_000)); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("with no primary at all: %v", err)
	}
}

// TestWideTrace has a transaction whose trace is larger than a node gives: it hides
// its own calls and no one else's.
func TestWideTrace(t *testing.T) {
	d := open(t, start(t, t.TempDir()))
	s := newSender(t, d)
	// It calls account 1 with 100,000 bytes of memory again and again:
	// JUMPDEST PUSH0 PUSH0 PUSH3 size PUSH0 PUSH1 1 GAS STATICCALL POP PUSH0 JUMP.
	loop := common.FromHex("5b5f5f620186a05f60055afa505f56")
	code := append([]byte{0x60, byte(len(loop)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3}, loop...)
	wide := crypto.CreateAddress(s.address, 0)
	s.send(nil, code, 2_000_000)
	hash := s.send(&wide, nil, 16_000_000)
	for _, b := range all(t, d) {
		if !has([]ledger.Block{b}, hash) {
			continue
		}
		if tx := b.Transactions[0]; b.Traced || !tx.Failed || len(tx.Calls) != 1 || tx.RevertReason != "out of gas" || tx.TxID == "" {
			t.Errorf("traced %v, %+v", b.Traced, tx)
		}
	}
	after := s.send(nil, contracts.Diary.Deploy(), 2_000_000)
	if list := all(t, d); !has(list, after) || !list[len(list)-1].Traced {
		t.Error("the blocks behind it are not there, or not traced")
	}
}

// sender signs for itself, past Prepare.
type sender struct {
	t       testing.TB
	d       *coco.Driver
	address common.Address
	sign    func(to *common.Address, data []byte, gas uint64) *types.Transaction
	nonce   uint64
}

func newSender(t testing.TB, d *coco.Driver) *sender {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.ChainID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{t: t, d: d, address: crypto.PubkeyToAddress(key.PublicKey)}
	s.sign = func(to *common.Address, data []byte, gas uint64) *types.Transaction {
		tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{ChainID: id, Nonce: s.nonce, Gas: gas, To: to, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	return s
}

// send waits for the commit.
func (s *sender) send(to *common.Address, data []byte, gas uint64) common.Hash {
	s.t.Helper()
	r, err := s.d.Client.SendSync(s.t.Context(), s.sign(to, data, gas))
	if err != nil {
		s.t.Fatal(err)
	}
	s.nonce++
	return r.TxHash
}

func all(t testing.TB, d *coco.Driver) []ledger.Block {
	t.Helper()
	var list []ledger.Block
	for {
		more, err := d.Blocks(t.Context(), uint64(len(list)), 100)
		if err != nil {
			t.Fatal(err)
		}
		if list = append(list, more...); len(more) == 0 {
			return list
		}
	}
}
