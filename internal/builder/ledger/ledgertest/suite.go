package ledgertest

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// Contract makes the call data of a compiled contract: test/contracts has one.
type Contract interface {
	Deploy(args ...any) []byte
	Call(method string, args ...any) []byte
}

// suite is a driver that is tested, with an ERC-20 whose transferFrom has the
// error Allowance(address,uint256,uint256).
type suite struct {
	ledger.Driver
	token Contract
}

var allowance = crypto.Keccak256([]byte("Allowance(address,uint256,uint256)"))[:4]

// Run holds a driver of a running node against what ledger.Driver says. Accounts
// of the tests have no funds.
func Run(t *testing.T, d ledger.Driver, token Contract) {
	s := &suite{d, token}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"info", info}, {"creation", creation}, {"calls", calls}, {"failures", failures}, {"refusals", refusals}, {"reads", reads},
		{"order", order}, {"nonces", nonces}, {"proof", proof}, {"watch", watch}, {"unknown", unknown}, {"cancelled", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

func info(t *testing.T, d *suite) {
	a, err := d.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Info(t.Context())
	if err != nil || a.ChainID.Cmp(b.ChainID) != 0 || a.Client != b.Client || a.ChainID.Sign() <= 0 || a.Client == "" {
		t.Errorf("%+v, then %+v, %v", a, b, err)
	}
}

func creation(t *testing.T, d *suite) {
	a := newAccount(t, d)
	tx, b := a.do(nil, maker)
	want := crypto.CreateAddress(a.address, 0)
	if tx.From != a.address || tx.To != nil || tx.Nonce != 0 || !slices.Equal(tx.Input, maker) || tx.Failed || tx.Created == nil || *tx.Created != want || tx.Value.Sign() != 0 {
		t.Errorf("the transaction is %+v", tx)
	}
	if len(tx.Calls) != 1 || tx.Calls[0].Kind != "CREATE" || tx.Calls[0].To != want || tx.Calls[0].Input != nil || !slices.Equal(tx.Calls[0].Code, maker) ||
		tx.Calls[0].From != a.address || tx.Calls[0].Failed {
		t.Errorf("its calls are %+v", tx.Calls)
	}
	if b.Time.IsZero() || b.Number == 0 || b.Hash == (common.Hash{}) {
		t.Errorf("its block is %+v", b)
	}
}

// calls lets contracts create contracts.
func calls(t *testing.T, d *suite) {
	a := newAccount(t, d)
	made, b := a.do(nil, maker)
	undone, _ := a.do(nil, undoer)
	into := *made.Created
	if traced := b.Traced; traced != about(t, d).Traces {
		t.Fatalf("traced: %v, the driver said otherwise", traced)
	}

	tx, _ := a.do(&into, child)
	inner := ledger.CallFrame{Depth: 1, Kind: "CREATE", From: into, To: crypto.CreateAddress(into, 1), Code: child}
	check(t, d, tx, inner)

	tx, _ = a.do(&into, refusing) // the creation fails, the transaction does not
	inner = ledger.CallFrame{Depth: 1, Kind: "CREATE", From: into, Code: refusing, Failed: true}
	check(t, d, tx, inner)

	like := a.prepare(&into, child) // the creation succeeds, and what is around it does not
	failing := a.like(like, undone.Created, child, 300_000)
	a.submit(failing)
	tx, _ = find(t, d, failing.Hash())
	inner = ledger.CallFrame{Depth: 1, Kind: "CREATE", From: *undone.Created, To: crypto.CreateAddress(*undone.Created, 1), Code: child, Failed: true}
	check(t, d, tx, inner)
	if !tx.Failed || !tx.Calls[0].Failed {
		t.Errorf("%+v did not fail", tx)
	}
}

// check compares the calls of a transaction to a contract.
func check(t *testing.T, d *suite, tx ledger.Transaction, inner ...ledger.CallFrame) {
	t.Helper()
	want := []ledger.CallFrame{{Kind: "CALL", From: tx.From, To: *tx.To, Input: tx.Input, Failed: tx.Failed}}
	if about(t, d).Traces {
		want = append(want, inner...)
	}
	if !slices.EqualFunc(tx.Calls, want, func(a, b ledger.CallFrame) bool {
		return a.Depth == b.Depth && a.Kind == b.Kind && a.From == b.From && a.To == b.To && a.Failed == b.Failed &&
			slices.Equal(a.Input, b.Input) && slices.Equal(a.Code, b.Code)
	}) {
		t.Errorf("the calls are\n%+v, not\n%+v", tx.Calls, want)
	}
}

func about(t *testing.T, d ledger.Driver) ledger.Info {
	t.Helper()
	i, err := d.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// failures puts transactions that fail into blocks.
func failures(t *testing.T, d *suite) {
	a := newAccount(t, d)
	deployed, _ := a.do(nil, d.token.Deploy("Garden", "GDN", big.NewInt(100)))
	loop, _ := a.do(nil, endless)
	like := a.prepare(deployed.Created, d.token.Call("transfer", common.Address{1}, big.NewInt(1)))
	for _, c := range []struct {
		name   string
		to     *common.Address
		data   []byte
		reason string
		with   []byte
	}{
		{"with words", deployed.Created, d.token.Call("transfer", common.Address{1}, big.NewInt(1000)), "transfer amount exceeds balance", nil},
		{"with an error of its interface", deployed.Created, d.token.Call("transferFrom", common.Address{1}, a.address, big.NewInt(7)), "",
			allowance},
		{"without gas", loop.Created, nil, "out of gas", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tx := a.like(like, c.to, c.data, 100_000)
			a.submit(tx)
			got, _ := find(t, d, tx.Hash())
			if !got.Failed || got.Created != nil {
				t.Errorf("it did not fail: %+v", got)
			}
			if c.reason == "out of gas" && !about(t, d).Traces { // nobody says
				return
			}
			if got.RevertReason != c.reason || len(got.RevertData) < len(c.with) || !slices.Equal(got.RevertData[:len(c.with)], c.with) {
				t.Errorf("reason %q, data %x", got.RevertReason, got.RevertData)
			}
		})
	}
	// One that creates a contract fails without creating one.
	tx := a.like(like, nil, refusing, 100_000)
	a.submit(tx)
	if got, _ := find(t, d, tx.Hash()); !got.Failed || got.Created != nil || got.To != nil || got.Calls[0].Kind != "CREATE" || !got.Calls[0].Failed {
		t.Errorf("the failed creation is %+v", got)
	}
}

// refusals are those of contracts before anything is signed.
func refusals(t *testing.T, d *suite) {
	a := newAccount(t, d)
	deployed, _ := a.do(nil, d.token.Deploy("Garden", "GDN", big.NewInt(100)))
	for reason, data := range map[string][]byte{
		"transfer amount exceeds balance": d.token.Call("transfer", common.Address{1}, big.NewInt(1000)),
		"":                                d.token.Call("transferFrom", common.Address{1}, a.address, big.NewInt(7)),
	} {
		_, err := d.Prepare(t.Context(), ledger.Request{From: a.address, To: deployed.Created, Data: data, Nonce: a.nonce})
		var refused *ledger.Reverted
		if !errors.As(err, &refused) || refused.Reason != reason || len(refused.Data) < 4 {
			t.Errorf("not %q but %v, %+v", reason, err, refused)
		}
	}
	loop, _ := a.do(nil, endless)
	if _, err := d.Prepare(t.Context(), ledger.Request{From: a.address, To: loop.Created, Nonce: a.nonce}); !errors.Is(err, ledger.ErrRefused) {
		t.Errorf("a call without end is prepared with %v", err)
	}
}

// reads asks at old and new blocks.
func reads(t *testing.T, d *suite) {
	a := newAccount(t, d)
	made, before := a.do(nil, counter)
	garden, _ := a.do(nil, d.token.Deploy("Garden", "GDN", big.NewInt(100)))
	loop, _ := a.do(nil, endless)
	_, after := a.do(made.Created, common.BigToHash(big.NewInt(7)).Bytes())
	ask := []ledger.Call{{To: *made.Created}, {To: *garden.Created, Data: d.token.Call("name"), From: a.address}, {To: common.Address{0x99}}, {To: *loop.Created},
		{To: *garden.Created, Data: d.token.Call("transferFrom", a.address, a.address, big.NewInt(1))}, {To: *made.Created}}
	for _, c := range []struct {
		at   ledger.Ref
		want int64
	}{{before.Ref, 0}, {after.Ref, 7}, {before.Ref, 0}} {
		got, err := d.Read(t.Context(), c.at, ask)
		if err != nil || len(got) != len(ask) {
			t.Fatalf("%d results, %v", len(got), err)
		}
		for _, i := range []int{0, 5} {
			if got[i].Err != nil || new(big.Int).SetBytes(got[i].Data).Int64() != c.want {
				t.Errorf("at %d the counter is %x, %v, not %d", c.at.Number, got[i].Data, got[i].Err, c.want)
			}
		}
		if got[2].Err != nil || len(got[2].Data) != 0 {
			t.Errorf("an account without code returns %+v", got[2])
		}
		if c.want == 0 { // the others are not there yet
			continue
		}
		if !errors.Is(got[3].Err, ledger.ErrCall) {
			t.Errorf("a getter without end: %v", got[3].Err)
		}
		var refused *ledger.Reverted
		if !errors.As(got[4].Err, &refused) || len(refused.Data) < 4 {
			t.Errorf("a getter that reverts: %v", got[4].Err)
		}
		if got[1].Err != nil || len(got[1].Data) != 96 {
			t.Errorf("the name is %+v", got[1])
		}
	}
	if _, err := d.Read(t.Context(), ledger.Ref{Number: after.Number, Hash: common.Hash{1}}, ask); !errors.Is(err, ledger.ErrReplaced) {
		t.Errorf("a block that is not there: %v", err)
	}
	if got, err := d.Read(t.Context(), after.Ref, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing asked: %v, %v", got, err)
	}
	many := make([]ledger.Call, 2500)
	for i := range many {
		many[i] = ask[0]
	}
	got, err := d.Read(t.Context(), after.Ref, many)
	if err != nil || len(got) != len(many) || new(big.Int).SetBytes(got[2499].Data).Int64() != 7 {
		t.Errorf("%d results, %v", len(got), err)
	}
}

// order takes blocks in different steps: they are the same, and each is the next
// one's parent.
func order(t *testing.T, d *suite) {
	a := newAccount(t, d)
	for range 5 {
		a.do(nil, counter)
	}
	all := blocks(t, d, 0)
	for i, b := range all {
		if b.Number != uint64(i) || i > 0 && b.Parent != all[i-1].Hash {
			t.Fatalf("block %d has number %d and parent %s", i, b.Number, b.Parent)
		}
	}
	for from := range all {
		list, err := d.Blocks(t.Context(), uint64(from), 3)
		if err != nil || len(list) == 0 || len(list) > 3 {
			t.Fatalf("%d blocks, %v", len(list), err)
		}
		for i := range list {
			if list[i].Hash != all[from+i].Hash || len(list[i].Transactions) != len(all[from+i].Transactions) {
				t.Fatalf("from %d block %d is another one", from, i)
			}
		}
	}
	head, err := d.Head(t.Context())
	if err != nil || head != all[len(all)-1].Ref {
		t.Errorf("the head is %+v, %v", head, err)
	}
	for _, beyond := range []uint64{head.Number + 1, head.Number + 1000, 1 << 62} {
		if list, err := d.Blocks(t.Context(), beyond, 10); err != nil || len(list) != 0 {
			t.Errorf("from %d: %d blocks, %v", beyond, len(list), err)
		}
	}
	if list, err := d.Blocks(t.Context(), 0, 0); err != nil || len(list) != 0 {
		t.Errorf("none wanted: %d blocks, %v", len(list), err)
	}
}

func nonces(t *testing.T, d *suite) {
	a := newAccount(t, d)
	next := func(want uint64) {
		t.Helper()
		if n, err := d.NextNonce(t.Context(), a.address); err != nil || n != want {
			t.Errorf("the next nonce is %d, %v, not %d", n, err, want)
		}
	}
	next(0)
	tx := a.prepare(nil, counter)
	other := a.like(tx, nil, maker, 300_000)
	for range 3 {
		if err := d.Submit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		next(1) // what is pending counts
	}
	_, in := find(t, d, tx.Hash())
	next(1)
	n, at, err := d.FinalNonce(t.Context(), a.address, 1<<62)
	if b := blocks(t, d, at.Number); err != nil || at != b[0].Ref || n != map[bool]uint64{at.Number >= in.Number: 1}[true] || about(t, d).Final && n != 1 {
		t.Errorf("the nonce that is final is %d at %+v, %v", n, at, err)
	}
	if n, at, err = d.FinalNonce(t.Context(), a.address, in.Number-1); err != nil || n != 0 || at.Number > in.Number-1 {
		t.Errorf("before its block the nonce that is final is %d at %+v, %v", n, at, err)
	}
	if err := d.Submit(t.Context(), tx); err != nil {
		t.Errorf("what is committed is submitted again: %v", err)
	}
	if err := d.Submit(t.Context(), other); !errors.Is(err, ledger.ErrNonceUsed) {
		t.Errorf("another one with the same nonce: %v", err)
	}
	a.nonce = 1
	poor := a.like(tx, nil, counter, 21_000)
	if err := d.Submit(t.Context(), poor); !errors.Is(err, ledger.ErrRefused) {
		t.Errorf("one with too little gas to begin with: %v", err)
	}
}

func proof(t *testing.T, d *suite) {
	a := newAccount(t, d)
	tx, _ := a.do(nil, counter)
	p, err := d.Proof(t.Context(), tx.Hash)
	if !about(t, d).Proofs {
		if !errors.Is(err, ledger.ErrNoProof) {
			t.Errorf("no proof: %v", err)
		}
		return
	}
	if err != nil || len(p) == 0 || tx.TxID == "" {
		t.Errorf("a proof of %d bytes of %q, %v", len(p), tx.TxID, err)
	}
	if _, err := d.Proof(t.Context(), common.Hash{1}); !errors.Is(err, ledger.ErrNoProof) {
		t.Errorf("the proof of what is not there: %v", err)
	}
}

func watch(t *testing.T, d *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls atomic.Int64
	seen := make(chan ledger.Ref, 1000)
	done := make(chan error)
	go func() {
		done <- d.Watch(ctx, 0, func() {
			calls.Add(1)
			if head, err := d.Head(ctx); err == nil {
				seen <- head
			}
		})
	}()
	<-seen // once at the start
	a := newAccount(t, d)
	for range 3 {
		_, b := a.do(nil, counter)
		for head := range seen {
			if head.Number >= b.Number {
				break
			}
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	after := calls.Load()
	newAccount(t, d).do(nil, counter)
	if calls.Load() != after {
		t.Error("it was told after the end")
	}
}

func unknown(t *testing.T, d *suite) {
	s, err := d.Status(t.Context(), common.Hash{1, 2, 3})
	if err != nil || s.State != ledger.Unknown {
		t.Errorf("%+v, %v", s, err)
	}
}

func cancelled(t *testing.T, d *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err1 := d.Head(ctx)
	_, err2 := d.Blocks(ctx, 0, 10)
	_, err3 := d.NextNonce(ctx, common.Address{})
	_, err4 := d.Read(ctx, ledger.Ref{}, []ledger.Call{{}})
	_, err5 := d.Status(ctx, common.Hash{})
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
