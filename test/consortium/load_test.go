package consortium

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// load is clients at work on all nodes.
type load struct {
	*history
	net      *network
	contract common.Address
	ids      atomic.Uint64
	txids    *txids
	good     [writers + 1]atomic.Pointer[node] // which node answered a client last

	cancel  context.CancelFunc
	group   sync.WaitGroup
	readers map[*process]bool // plain readers
	failure sync.Map          // answers that no client should get
}

const (
	writers  = 4
	keys     = 4   // at a time
	perEpoch = 400 // actions, so that a history of one register stays small
)

// begin deploys the registers and lets clients work until the load is ended.
func (net *network) begin(t *testing.T) *load {
	t.Helper()
	l := &load{history: newHistory(), net: net, txids: newTxIDs(), readers: map[*process]bool{}}
	a := newAccount()
	raw, hash := a.sign(net.chain, nil, registers)
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	first := &action{client: -1, hash: hash}
	r := l.deliver(ctx, raw, first)
	if r == nil || r.Status != 1 || r.ContractAddress == nil {
		t.Fatalf("the registers are not deployed: %+v", r)
	}
	l.contract = *r.ContractAddress
	for client := range writers {
		l.group.Go(func() { l.work(ctx, client) })
	}
	l.group.Go(func() { l.look(ctx) })
	l.group.Go(func() { l.follow(ctx) })
	return l
}

// end ends the load.
func (l *load) end() {
	l.cancel()
	l.group.Wait()
}

// more waits until so many further writes are acknowledged.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	from := l.acknowledged()
	await(t, "writes to be acknowledged", func() bool { return l.acknowledged() >= from+n })
}

// pick is any node that runs, one that stands still or is cut off included.
func (l *load) pick() *node {
	all := l.net.running()
	if len(all) == 0 {
		return nil
	}
	return all[rand.IntN(len(all))]
}

// key is a register of the current epoch.
func (l *load) key() uint64 {
	return 1 + uint64(l.history.acknowledged()/perEpoch)*keys + uint64(rand.IntN(keys))
}

// work is one client: one action after the other.
func (l *load) work(ctx context.Context, client int) {
	who := newAccount()
	seen := map[uint64]uint64{}
	for ctx.Err() == nil {
		key := l.key()
		a := &action{client: client, input: input{key: key, value: l.ids.Add(1)}}
		switch p := rand.IntN(10); {
		case p < 4:
			a.kind = reads
		case p < 8:
			a.kind = swaps
		default:
			a.kind, a.expected = compare, seen[key]
		}
		if a.kind == reads {
			l.read(ctx, a)
		} else if !l.write(ctx, a, who) {
			who = newAccount() // the client gave up; another takes its place
		}
		if a.known {
			seen[key] = a.old
			if a.kind == swaps || a.done {
				seen[key] = a.value
			}
		}
		pause(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
	}
}

// pause spreads the load.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// read reads from any node. A read without an answer was none.
func (l *load) read(ctx context.Context, a *action) {
	n := l.pick()
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a.call = l.now()
	value, err := n.register(ctx, "/?read=linearizable", l.contract, a.key)
	if err != nil {
		return
	}
	a.end, a.known, a.old = l.now(), true, value
	l.add(a)
}

// write sends a transaction through any node, and again through others, until it
// knows the outcome or gives up; then false.
func (l *load) write(ctx context.Context, a *action, who *account) bool {
	data := swapData(a.key, a.value)
	if a.kind == compare {
		data = compareData(a.key, a.value, a.expected)
	}
	raw, hash := who.sign(l.net.chain, &l.contract, data)
	a.hash = hash
	a.call = l.now()
	r := l.deliver(ctx, raw, a)
	a.end = l.now()
	if r != nil {
		a.learn(r)
		a.acknowledged = true
	}
	l.add(a)
	return r != nil
}

// learn takes the answer from a receipt.
func (a *action) learn(r *receipt) {
	a.known, a.done = true, r.Status == 1
	if len(r.Logs) == 1 {
		_, a.old, _ = r.Logs[0].swapped()
	}
}

// deliver brings a transaction to its end; nil when the client gives up.
func (l *load) deliver(ctx context.Context, raw hexutil.Bytes, a *action) *receipt {
	good := &l.good[a.client+1]
	for try := 0; ctx.Err() == nil; try++ {
		n := good.Load()
		if n == nil || !n.serving() || rand.IntN(4) == 0 {
			n = l.pick()
		}
		if n == nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		var r *receipt
		short, cancel := context.WithTimeout(ctx, patience)
		err := n.call(short, &r, "eth_sendRawTransactionSync", raw, hexutil.Uint64(patience.Milliseconds()-500))
		cancel()
		switch {
		case err == nil && r != nil && r.TransactionHash == a.hash:
			good.Store(n)
			return r
		case err == nil:
			l.failure.Store("an answer that is not the transaction's receipt", a.hash)
			return nil
		case unexpected(err):
			l.failure.Store(err.Error(), a.hash)
		}
		good.Store(nil)
		if a.client >= 0 && try > 0 && rand.IntN(8) == 0 {
			return nil // a client that dies
		}
		pause(ctx, time.Duration(20+rand.IntN(80))*time.Millisecond)
	}
	return nil
}

// unexpected is whether a node should not have answered so. Its only sender sent
// each transaction once, in order, after its predecessor was committed.
func unexpected(err error) bool {
	text := err.Error()
	if strings.HasPrefix(text, "nonce gap") || strings.HasPrefix(text, "nonce too high") {
		return false // a node that lacks the block with the predecessor, or many blocks
	}
	for _, wrong := range []string{"nonce", "insufficient", "invalid", "underpriced", "internal"} {
		if strings.Contains(text, wrong) {
			return true
		}
	}
	return false
}

// look reads plainly from every node, over and over, one question at a time for
// each.
func (l *load) look(ctx context.Context) {
	for ctx.Err() == nil {
		for _, n := range l.net.running() {
			p := n.life()
			if l.readers[p] {
				continue
			}
			l.readers[p] = true
			l.group.Go(func() {
				for ctx.Err() == nil && !p.gone() {
					key := l.key()
					s := stale{node: n.number, life: p.lives, key: key, call: l.now()}
					short, cancel := context.WithTimeout(ctx, patience)
					value, err := n.register(short, "", l.contract, key)
					cancel()
					if s.value = value; err == nil && n.life() == p {
						l.mu.Lock()
						l.stale = append(l.stale, s)
						l.mu.Unlock()
					}
					pause(ctx, 25*time.Millisecond)
				}
			})
		}
		pause(ctx, 100*time.Millisecond)
	}
}
