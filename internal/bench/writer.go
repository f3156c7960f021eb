package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// writers are clients that write all the time, each with an account of its own, to
// whichever node answers. A write is acknowledged when a node says that the
// account's committed nonce is behind it: a batch of transactions is sent with
// ?send=committed and ends with the question for that nonce. What is not
// acknowledged is sent again, the same bytes, to another node if need be, as a
// client does that survives elections.
type writers struct {
	target *target
	seats  []*seat // where the nodes answer now
	batch  int
	rate   atomic.Uint64 // of all together, transactions a second, as bits; 0 is as fast as they are acknowledged
	list   []*writer
	start  time.Time
	group  sync.WaitGroup
	cancel context.CancelFunc
}

// seat is where a node answers, while it does.
type seat struct{ url atomic.Pointer[string] }

func (s *seat) set(url string) { s.url.Store(&url) }

func (s *seat) get() string {
	if u := s.url.Load(); u != nil {
		return *u
	}
	return ""
}

// ack is one acknowledged batch; times are in nanoseconds from the start.
type ack struct {
	at, due int64
	n       int
}

// writer is one client.
type writer struct {
	all     *writers
	account *account
	to      common.Address // who receives
	node    int            // index of the seat it writes to

	mu       sync.Mutex
	acks     []ack
	hashes   []common.Hash // of what was acknowledged
	again    int           // batches that were sent again
	refusals map[string]int
}

// newWriters prepares a writer for each account of a target.
func newWriters(t *target, seats []*seat, batch int) (*writers, error) {
	if err := t.refresh(); err != nil {
		return nil, err
	}
	w := &writers{target: t, seats: seats, batch: batch}
	for i := range t.accounts {
		to := t.accounts[(i+1)%len(t.accounts)].address
		w.list = append(w.list, &writer{all: w, account: &t.accounts[i], to: to, node: i % len(seats), refusals: map[string]int{}})
	}
	return w, nil
}

// run starts the writers; stop ends them, each behind the batch it is at.
func (w *writers) run(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.start = time.Now()
	for i, one := range w.list {
		w.group.Go(func() { one.run(ctx, float64(i)/float64(len(w.list))) })
	}
}

func (w *writers) stop() {
	w.cancel()
	w.group.Wait()
}

func (w *writers) now() int64 { return int64(time.Since(w.start)) }

// pace sets what all write together in a second.
func (w *writers) pace(rate float64) { w.rate.Store(math.Float64bits(rate)) }

// period is the time from one batch of a writer to its next.
func (w *writers) period() time.Duration {
	rate := math.Float64frombits(w.rate.Load())
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(w.batch*len(w.list)) / rate * float64(time.Second))
}

// run writes until ctx ends. phase spreads the writers over their period.
func (o *writer) run(ctx context.Context, phase float64) {
	var c *httpConn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	var pace time.Duration
	var due time.Time
	for ctx.Err() == nil {
		body, hashes, err := o.sign()
		if err != nil {
			o.refuse("signing: " + errorKind(err))
			return
		}
		switch p := o.all.period(); {
		case p == 0:
			due = time.Now()
		case p != pace: // a new pace begins here, without arrears, the writers spread over it
			periods := math.Ceil(float64(o.all.now())/float64(p) - phase)
			due = o.all.start.Add(time.Duration((periods + phase) * float64(p)))
		default:
			due = due.Add(p)
		}
		pace = o.all.period()
		if !sleepUntil(ctx, due) {
			return
		}
		if !o.write(ctx, &c, body, hashes, due) {
			return
		}
	}
}

// sign makes the writer's next batch.
func (o *writer) sign() (body []byte, hashes []common.Hash, err error) {
	t := o.all.target
	p := plan{hashes: make([]common.Hash, o.all.batch)}
	l := Load{Contract: "erc20", Batch: max(2, o.all.batch)}
	for i := range o.all.batch {
		raw, err := p.sign(t, l, draft{from: o.account, nonce: o.account.nonce + uint64(i), to: o.to}, i)
		if err != nil {
			return nil, nil, err
		}
		body = appendCall(body, l, i, raw)
	}
	body = fmt.Appendf(body, `,{"jsonrpc":"2.0","id":%d,"method":"eth_getTransactionCount","params":["%s","latest"]}]`, o.all.batch, o.account.address)
	return body, p.hashes, nil
}

// A writer asks again after a while whether its batch is committed, and turns to
// another node when this one has not committed it for so long.
const (
	askAgain  = 20 * time.Millisecond
	turnAfter = 3 * time.Second
)

// write sends a batch until it is acknowledged, and says whether it was.
func (o *writer) write(ctx context.Context, c **httpConn, body []byte, hashes []common.Hash, due time.Time) bool {
	for since := time.Now(); ; {
		next, err := o.send(ctx, c, body)
		if err == nil && next >= o.account.nonce+uint64(len(hashes)) {
			o.mu.Lock()
			o.acks = append(o.acks, ack{at: o.all.now(), due: int64(due.Sub(o.all.start)), n: len(hashes)})
			o.hashes = append(o.hashes, hashes...)
			o.mu.Unlock()
			o.account.nonce += uint64(len(hashes))
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		o.mu.Lock()
		o.again++
		o.mu.Unlock()
		if err != nil || time.Since(since) > turnAfter {
			if *c != nil {
				(*c).close()
				*c = nil
			}
			o.node, since = (o.node+1)%len(o.all.seats), time.Now()
		}
		if !sleepUntil(ctx, time.Now().Add(askAgain)) {
			return false
		}
	}
}

// send sends a batch once and gives the account's committed nonce then.
func (o *writer) send(ctx context.Context, c **httpConn, body []byte) (uint64, error) {
	url := o.all.seats[o.node].get() + "/?send=committed"
	if *c == nil {
		fresh, err := dialHTTP(ctx, url)
		if err != nil {
			return 0, err
		}
		*c = fresh
	}
	encode, err := httpEncoding(url)
	if err != nil {
		return 0, err
	}
	raw, err := (*c).send(encode(body))
	if err != nil {
		return 0, err
	}
	answers, err := parseAnswers(raw, o.all.batch+1)
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		if a.Error != nil {
			o.refuse(a.Error.kind())
		}
	}
	last := answers[o.all.batch]
	if last.Error != nil {
		return 0, last.Error
	}
	var nonce hexutil.Uint64
	err = json.Unmarshal(last.Result, &nonce)
	return uint64(nonce), err
}

func (o *writer) refuse(kind string) {
	o.mu.Lock()
	o.refusals[kind]++
	o.mu.Unlock()
}
