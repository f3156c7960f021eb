// Package access is the way to one ledger: through whichever of its nodes answers,
// and never to another ledger.
//
// It is a ledger.Driver before the drivers of single nodes. A node must show that
// it is of the ledger before it is asked for anything, and again after it was away.
// One that does not answer, or falls behind the others, is left for the next; what
// was asked is asked there, which every operation of a driver bears.
package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// Identity tells one ledger from another. The zero value is not known yet.
type Identity struct {
	Chain   uint64
	Genesis common.Hash // hash of block 0
}

// Open makes the driver of a node. It does not connect.
type Open func() (ledger.Driver, error)

// Options are what a way to a ledger stands on.
type Options struct {
	Nodes []Open // of one ledger, in the order in which they are tried
	Log   *slog.Logger
	// Beat is how long a node may be silent before it is doubted, when there are
	// others; 0 is 2 seconds.
	Beat time.Duration
}

// Ledger is the way to one ledger.
type Ledger struct {
	Options
	learning chan struct{} // one node at a time says which ledger it is

	mu       sync.Mutex
	identity Identity
	learn    func(context.Context, Identity) error
	nodes    []*node
	at       int           // the node that is asked
	moved    chan struct{} // closed when another one is
	newest   uint64        // highest block that was told of
}

// node is one node of the ledger.
type node struct {
	number   int // from 1
	open     Open
	driver   ledger.Driver
	admitted bool // it showed that it is of the ledger
}

var _ ledger.Driver = (*Ledger)(nil)

// New makes the way to a ledger. It does not connect. Before it is used as a driver,
// Bind says which ledger it leads to.
func New(o Options) (*Ledger, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Beat <= 0 {
		o.Beat = 2 * time.Second
	}
	l := &Ledger{Options: o, learning: make(chan struct{}, 1), moved: make(chan struct{})}
	for i, open := range o.Nodes {
		driver, err := open()
		if err != nil {
			l.Close()
			return nil, err
		}
		l.nodes = append(l.nodes, &node{number: i + 1, open: open, driver: driver})
	}
	return l, nil
}

// Identify asks the nodes, until one answers, of which ledger it is.
func (l *Ledger) Identify(ctx context.Context) (id Identity, err error) {
	for _, n := range l.nodes {
		if id, err = identify(ctx, n.driver); err == nil || ctx.Err() != nil {
			return id, err
		}
	}
	return id, err
}

func identify(ctx context.Context, driver ledger.Driver) (Identity, error) {
	info, err := driver.Info(ctx)
	if err != nil {
		return Identity{}, err
	}
	blocks, err := driver.Blocks(ctx, 0, 1)
	if err != nil {
		return Identity{}, err
	}
	if len(blocks) == 0 || info.ChainID == nil || !info.ChainID.IsUint64() {
		return Identity{}, ledger.ErrAnswer.From(errors.New("no chain id, or no block 0"))
	}
	return Identity{info.ChainID.Uint64(), blocks[0].Hash}, nil
}

// Bind says which ledger it is. When that is not known yet, the first node that
// answers says it: learn is told before anything else is asked of the node, and its
// error refuses the node.
func (l *Ledger) Bind(known Identity, learn func(context.Context, Identity) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identity, l.learn = known, learn
}

// Info implements ledger.Driver.
func (l *Ledger) Info(ctx context.Context) (out ledger.Info, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Info(ctx); return err })
	return out, err
}

// Head implements ledger.Driver.
func (l *Ledger) Head(ctx context.Context) (out ledger.Ref, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Head(ctx); return err })
	if err == nil {
		l.told(out.Number)
	}
	return out, err
}

// Blocks implements ledger.Driver.
func (l *Ledger) Blocks(ctx context.Context, from uint64, limit int) (out []ledger.Block, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Blocks(ctx, from, limit); return err })
	if err == nil && len(out) > 0 {
		l.told(out[len(out)-1].Number)
	}
	return out, err
}

// Read implements ledger.Driver.
func (l *Ledger) Read(ctx context.Context, at ledger.Ref, calls []ledger.Call) (out []ledger.Result, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Read(ctx, at, calls); return err })
	return out, err
}

// Prepare implements ledger.Driver.
func (l *Ledger) Prepare(ctx context.Context, r ledger.Request) (out *types.Transaction, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Prepare(ctx, r); return err })
	return out, err
}

// NextNonce implements ledger.Driver.
func (l *Ledger) NextNonce(ctx context.Context, account common.Address) (out uint64, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.NextNonce(ctx, account); return err })
	return out, err
}

// FinalNonce implements ledger.Driver.
func (l *Ledger) FinalNonce(ctx context.Context, account common.Address, most uint64) (out uint64, at ledger.Ref, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error {
		out, at, err = d.FinalNonce(ctx, account, most)
		return err
	})
	return out, at, err
}

// Submit implements ledger.Driver.
func (l *Ledger) Submit(ctx context.Context, tx *types.Transaction) error {
	return l.do(ctx, func(ctx context.Context, d ledger.Driver) error { return d.Submit(ctx, tx) })
}

// Status implements ledger.Driver. What a node has kept to itself until somebody asks
// may be all that it can do, when it is cut off from those that make blocks: another
// node that does not know of it is used from then on, so that it can be sent there.
func (l *Ledger) Status(ctx context.Context, hash common.Hash) (out ledger.Status, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Status(ctx, hash); return err })
	if err != nil || out.State != ledger.Pending {
		return out, err
	}
	used, _ := l.current()
	for _, n := range l.nodes {
		if n == used || l.admit(ctx, n) != nil {
			continue
		}
		if other, err := l.driver(n).Status(ctx, hash); err == nil && other.State != ledger.Pending {
			l.turn(used, n, fmt.Errorf("it has kept transaction %s to itself", hash))
			return other, nil
		}
	}
	return out, nil
}

// Proof implements ledger.Driver.
func (l *Ledger) Proof(ctx context.Context, hash common.Hash) (out json.RawMessage, err error) {
	err = l.do(ctx, func(ctx context.Context, d ledger.Driver) error { out, err = d.Proof(ctx, hash); return err })
	return out, err
}

// Close implements ledger.Driver.
func (l *Ledger) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.nodes {
		n.driver.Close()
	}
}

// told remembers the newest block that was told of.
func (l *Ledger) told(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = max(l.newest, number)
}

func (l *Ledger) isAdmitted(n *node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.admitted
}

// admit lets a node be asked when it is of the ledger and, where there are others,
// has everything that was told before.
func (l *Ledger) admit(ctx context.Context, n *node) error {
	if l.isAdmitted(n) {
		return nil
	}
	select {
	case l.learning <- struct{}{}:
		defer func() { <-l.learning }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	admitted, known, learn, newest, driver := n.admitted, l.identity, l.learn, l.newest, n.driver
	l.mu.Unlock()
	if admitted {
		return nil
	}
	id, err := identify(ctx, driver)
	if err == nil && known == (Identity{}) && learn != nil {
		err = learn(ctx, id)
	} else if err == nil && known != (Identity{}) && known != id {
		err = ledger.ErrForeign.From(fmt.Errorf("chain id %d, first block %s; the connection's is %d, %s", id.Chain, id.Genesis, known.Chain, known.Genesis))
	}
	if err == nil && len(l.nodes) > 1 {
		var head ledger.Ref
		if head, err = driver.Head(ctx); err == nil && head.Number < newest {
			err = ledger.ErrUnavailable.From(fmt.Errorf("the node is behind: it has block %d of %d", head.Number, newest))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.identity, n.admitted = id, true
		return nil
	}
	if errors.Is(err, ledger.ErrForeign) { // a driver stays with the ledger that it met first
		if again, failed := n.open(); failed == nil {
			n.driver.Close()
			n.driver = again
		}
	}
	return err
}
