package pool

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

const chainID = 49344

// account is a key with which tests sign.
type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
}

func newAccount(t testing.TB) account {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return account{key, crypto.PubkeyToAddress(key.PublicKey)}
}

func sign(t testing.TB, a account, chain int64, data types.TxData) []byte {
	t.Helper()
	tx, err := types.SignNewTx(a.key, types.LatestSignerForChainID(big.NewInt(chain)), data)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// transfer signs a transfer of value wei with a tip and fee cap.
func transfer(t testing.TB, a account, nonce uint64, value int64, price ...int64) *Transaction {
	t.Helper()
	price = append(price, 0)
	checked, err := NewChecker(chainID).Check(sign(t, a, chainID, &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: nonce, Gas: 21000, To: &common.Address{1}, Value: big.NewInt(value),
		GasFeeCap: big.NewInt(price[0]), GasTipCap: big.NewInt(price[0]),
	}))
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

// ticket and ledger stand for the sequencer: a queue, the state after what was
// executed, and tickets.
type ticket struct {
	t              *ethereum.Transaction
	executed, done chan struct{}
	id             sequencer.TxID
	err            error
}

func (t *ticket) Executed() <-chan struct{}    { return t.executed }
func (t *ticket) Done() <-chan struct{}        { return t.done }
func (t *ticket) Err() error                   { return t.err }
func (t *ticket) TxID() (sequencer.TxID, bool) { return t.id, t.id.Seqno != 0 }

type ledger struct {
	mu       sync.Mutex
	nonce    map[common.Address]uint64
	balance  map[common.Address]int64
	queue    []*ticket
	executed []*ticket
	full     bool
	seqno    uint64
	now      time.Time
}

func newLedger() *ledger {
	return &ledger{nonce: map[common.Address]uint64{}, balance: map[common.Address]int64{}, now: time.Unix(1000, 0)}
}

func (l *ledger) pool(limits Limits) *Pool {
	return New(Config{
		Limits: limits,
		Now:    func() time.Time { return l.now },
		Account: func(a common.Address) (uint64, uint256.Int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.nonce[a], *uint256.NewInt(uint64(l.balance[a]))
		},
		Submit: func(r *sequencer.Request) (Ticket, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.full {
				return nil, sequencer.ErrBusy
			}
			k := &ticket{t: r.Decoded.(*ethereum.Transaction), executed: make(chan struct{}), done: make(chan struct{})}
			l.queue = append(l.queue, k)
			return k, nil
		},
	})
}

// execute executes what is queued, up to n; what does not fit the state is refused.
func (l *ledger) execute(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; n > 0 && len(l.queue) > 0; n-- {
		k := l.queue[0]
		l.queue = l.queue[1:]
		from, value := k.t.From, k.t.Value().Int64()
		if l.nonce[from] != k.t.Nonce() || l.balance[from] < value {
			k.err = problem.New("TEST_REFUSED", "does not fit the state", "")
			close(k.executed)
			close(k.done)
			continue
		}
		l.nonce[from]++
		l.balance[from] -= value
		l.seqno++
		k.id = sequencer.TxID{View: 2, Seqno: l.seqno}
		close(k.executed)
		l.executed = append(l.executed, k)
	}
}

// commit commits what was executed.
func (l *ledger) commit() {
	for _, k := range l.executed {
		close(k.done)
	}
	l.executed = nil
}

func (l *ledger) queued() (nonces []uint64) {
	for _, k := range l.queue {
		nonces = append(nonces, k.t.Nonce())
	}
	return nonces
}

func wantRefusal(t *testing.T, err error, text string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || !strings.HasPrefix(p.What, text) || p.Next == "" {
		t.Errorf("got %v, want %q", err, text)
	}
}

// Forty transactions of one sender that arrive together in any order are all
// admitted and reach the sequencer in order, while it executes and commits.
func TestFortyParallelTransactions(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 1000
	p := l.pool(Limits{})
	txs := make([]*Transaction, 40)
	for i := range txs {
		txs[i] = transfer(t, a, uint64(i), 1)
	}
	rand.Shuffle(len(txs), func(i, j int) { txs[i], txs[j] = txs[j], txs[i] })
	var clients sync.WaitGroup
	for _, tx := range txs {
		clients.Go(func() {
			if _, err := p.Admit(nil, tx); err != nil {
				t.Errorf("nonce %d: %v", tx.Nonce(), err)
			}
			l.execute(1)
			p.Next(a.address)
		})
	}
	clients.Wait()
	l.execute(100)
	if l.nonce[a.address] != 40 {
		t.Fatalf("%d transactions were executed", l.nonce[a.address])
	}
	l.commit()
	p.Tick()
	if len(p.entries)+len(p.senders)+len(p.flights)+len(p.waiting)+p.places+p.bytes+len(p.refusals.of) != 0 {
		t.Errorf("left in the pool: %+v", p)
	}
}

func TestOrderAndPendingNonce(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	for i, step := range []struct{ nonce, next uint64 }{{2, 0}, {1, 0}, {4, 0}, {0, 3}, {3, 5}} {
		if _, err := p.Admit(nil, transfer(t, a, step.nonce, 0)); err != nil {
			t.Fatal(err)
		}
		if got := p.Next(a.address); got != step.next {
			t.Errorf("step %d: next nonce %d, want %d", i, got, step.next)
		}
	}
	if got := l.queued(); len(got) != 5 || got[0] != 0 || got[1] != 1 || got[2] != 2 || got[3] != 3 || got[4] != 4 {
		t.Errorf("handed over as %v", got)
	}
	l.execute(3)
	if got := p.Next(a.address); got != 5 {
		t.Errorf("next nonce %d", got)
	}
}

func TestNonceRules(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.nonce[a.address] = 5
	p := l.pool(Limits{})
	_, err := p.Admit(nil, transfer(t, a, 4, 0))
	wantRefusal(t, err, "nonce too low: next nonce 5, tx nonce 4")
	first := transfer(t, a, 5, 0)
	if _, err := p.Admit(nil, first); err != nil {
		t.Fatal(err)
	}
	_, err = p.Admit(nil, first)
	wantRefusal(t, err, "already known")
	_, err = p.Admit(nil, transfer(t, a, 5, 0, 100)) // flies: cannot be replaced
	wantRefusal(t, err, "nonce too low: next nonce 6, tx nonce 5")
	if _, err := p.Admit(nil, transfer(t, a, 6+64, 0)); err != nil {
		t.Errorf("64 ahead: %v", err)
	}
	_, err = p.Admit(nil, transfer(t, a, 6+65, 0))
	wantRefusal(t, err, "nonce too high: next nonce 6, tx nonce 71, at most 64 ahead")
	l.execute(1)
	l.commit()
	_, err = p.Admit(nil, first)
	wantRefusal(t, err, "nonce too low: next nonce 6, tx nonce 5")
}

func TestFunds(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 10
	p := l.pool(Limits{})
	_, err := p.Admit(nil, transfer(t, a, 0, 11))
	wantRefusal(t, err, "insufficient funds for gas * price + value: balance 10, tx cost 11, overshot 1")
	if _, err := p.Admit(nil, transfer(t, a, 0, 8)); err != nil {
		t.Fatal(err)
	}
	_, err = p.Admit(nil, transfer(t, a, 1, 8))
	wantRefusal(t, err, "insufficient funds for gas * price + value: balance 10, queued cost 8, tx cost 8, overshot 6")
	l.execute(1) // paid and executed: not counted twice
	if _, err := p.Admit(nil, transfer(t, a, 1, 2)); err != nil {
		t.Errorf("what is left: %v", err)
	}
}

func TestReplacementWhileWaiting(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	old := transfer(t, a, 1, 0, 100)
	waiting, err := p.Admit(nil, old)
	if err != nil {
		t.Fatal(err)
	}
	for _, price := range []int64{101, 109} {
		_, err := p.Admit(nil, transfer(t, a, 1, 0, price))
		wantRefusal(t, err, "replacement transaction underpriced")
	}
	replacement := transfer(t, a, 1, 0, 110)
	if _, err := p.Admit(nil, replacement); err != nil {
		t.Fatal(err)
	}
	if err := waiting.Wait(t.Context()); Reason(err) != "replaced by transaction "+replacement.Hash().String() {
		t.Errorf("the replaced one: %v", err)
	}
	if s := p.Status(old.Hash()); s.Pending || s.Refused == nil {
		t.Errorf("status of the replaced one: %+v", s)
	}
	if _, err := p.Admit(nil, transfer(t, a, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if len(l.queue) != 2 || l.queue[1].t.Hash() != replacement.Hash() {
		t.Errorf("handed over: %v", l.queued())
	}
}

// A gap is waited for a minute; the refusal is remembered ten, and forgotten
// when the transaction comes again.
func TestGapExpires(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	tx := transfer(t, a, 3, 0)
	e, err := p.Admit(nil, tx)
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(60*time.Second - 1)
	p.Tick()
	if s := p.Status(tx.Hash()); !s.Pending || s.TxID != nil || !e.Waiting() {
		t.Errorf("before a minute: %+v", s)
	}
	if found, ok := p.Find(tx.Hash()); !ok || found != e {
		t.Error("not found by its hash")
	}
	l.now = l.now.Add(1)
	p.Tick()
	const reason = "nonce gap: the transaction of nonce 0 did not come within 1m0s"
	if s := p.Status(tx.Hash()); s.Pending || Reason(s.Refused) != reason {
		t.Errorf("after a minute: %+v", s)
	}
	if err := e.Wait(t.Context()); Reason(err) != reason {
		t.Errorf("waited for it: %v", err)
	}
	if _, ok := p.Find(tx.Hash()); ok || len(p.senders) != 0 || p.places != 0 || p.bytes != 0 {
		t.Error("it is still there")
	}
	l.now = l.now.Add(10 * time.Minute)
	p.Tick()
	if s := p.Status(tx.Hash()); s.Refused != nil || len(p.refusals.order) != 0 {
		t.Errorf("after ten minutes more: %+v", s)
	}
	if _, err := p.Admit(nil, tx); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestAdmittedAgainIsNotRefused(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{Wait: time.Second})
	tx := transfer(t, a, 1, 0)
	p.Admit(nil, tx)
	l.now = l.now.Add(time.Second)
	p.Tick()
	if _, err := p.Admit(nil, tx); err != nil {
		t.Fatal(err)
	}
	if s := p.Status(tx.Hash()); !s.Pending || s.Refused != nil {
		t.Errorf("status %+v", s)
	}
}

// A second refusal is remembered from when it came.
func TestRefusedTwice(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{Wait: time.Minute, Remember: 10 * time.Minute})
	tx := transfer(t, a, 1, 0)
	for range 2 {
		if _, err := p.Admit(nil, tx); err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(time.Minute)
		p.Tick()
	}
	l.now = l.now.Add(9 * time.Minute) // ten after the first refusal
	p.Tick()
	if s := p.Status(tx.Hash()); s.Refused == nil {
		t.Error("the second refusal was forgotten with the first")
	}
}

func TestWaitingRoomIsBounded(t *testing.T) {
	l, a, b := newLedger(), newAccount(t), newAccount(t)
	p := l.pool(Limits{Waiting: 2})
	for nonce := range uint64(2) {
		if _, err := p.Admit(nil, transfer(t, a, nonce+1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.Admit(nil, transfer(t, b, 1, 0))
	wantRefusal(t, err, "txpool is full")
	if len(p.senders) != 1 {
		t.Errorf("%d senders are known", len(p.senders))
	}
	if _, err := p.Admit(nil, transfer(t, b, 0, 0)); err != nil {
		t.Errorf("a transaction whose turn it is: %v", err)
	}
}

// A replacement takes the place of what it replaces, and nothing is given up for
// one that has no room.
func TestReplacementInAFullRoom(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	old := transfer(t, a, 1, 0, 100)
	p := l.pool(Limits{Waiting: 1, WaitingBytes: len(old.Raw) + 8})
	if _, err := p.Admit(nil, old); err != nil {
		t.Fatal(err)
	}
	large, err := NewChecker(chainID).Check(sign(t, a, chainID, &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: 1, Gas: 100_000, To: &common.Address{1}, Data: make([]byte, 99), GasFeeCap: big.NewInt(200), GasTipCap: big.NewInt(200),
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Admit(nil, large)
	wantRefusal(t, err, "txpool is full")
	if s := p.Status(old.Hash()); !s.Pending {
		t.Errorf("what it would have replaced: %+v", s)
	}
	replacement := transfer(t, a, 1, 0, 110)
	if _, err := p.Admit(nil, replacement); err != nil {
		t.Errorf("one that fits: %v", err)
	}
	if p.places != 1 || p.bytes != len(replacement.Raw) {
		t.Errorf("%d wait with %d bytes", p.places, p.bytes)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{Refusals: 3, Wait: 1})
	for nonce := range uint64(10) {
		p.Admit(nil, transfer(t, a, nonce+1, 0))
	}
	l.now = l.now.Add(1)
	p.Tick()
	if len(p.refusals.of) != 3 || len(p.refusals.order) != 3 {
		t.Errorf("%d refusals are remembered", len(p.refusals.of))
	}
}

// A full sequencer refuses the transaction whose turn it is, and the ones that
// waited for it go on waiting until it takes them.
func TestBusySequencer(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	p.Admit(nil, transfer(t, a, 1, 0))
	l.full = true
	tx := transfer(t, a, 0, 0)
	if _, err := p.Admit(nil, tx); !errors.Is(err, sequencer.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if s := p.Status(tx.Hash()); s.Pending {
		t.Error("it is pending")
	}
	l.full = false
	if _, err := p.Admit(nil, tx); err != nil {
		t.Fatal(err)
	}
	if len(l.queue) != 2 {
		t.Errorf("handed over: %v", l.queued())
	}
}

func TestTickSubmitsWhatTheStateAllows(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	for _, nonce := range []uint64{2, 3} {
		if _, err := p.Admit(nil, transfer(t, a, nonce, 0)); err != nil {
			t.Fatal(err)
		}
	}
	l.nonce[a.address] = 3 // through another node, or an EIP-7702 authorization
	p.Tick()
	if got := l.queued(); len(got) != 1 || got[0] != 3 {
		t.Errorf("handed over: %v", got)
	}
	if p.places != 0 || len(p.senders[a.address].waiting) != 0 {
		t.Errorf("%d wait", p.places)
	}
}

func TestStatusAndWait(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	e, err := p.Admit([]byte("me"), transfer(t, a, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := p.Status(e.Hash()); !s.Pending || s.TxID != nil {
		t.Errorf("admitted: %+v", s)
	}
	l.execute(1)
	if s := p.Status(e.Hash()); !s.Pending || *s.TxID != (sequencer.TxID{View: 2, Seqno: 1}) {
		t.Errorf("executed: %+v", s)
	}
	l.commit()
	if err := e.Wait(t.Context()); err != nil {
		t.Errorf("committed: %v", err)
	}
	if s := p.Status(e.Hash()); s.Pending || s.Refused != nil {
		t.Errorf("committed: %+v", s)
	}
}
