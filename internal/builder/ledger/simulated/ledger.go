package simulated

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// ChainID is the chain id of every ledger of this package.
const ChainID = 1337

// Signer signs for it.
var Signer = types.LatestSignerForChainID(big.NewInt(ChainID))

// Depth is how many blocks upon a block make it final where blocks may be replaced.
const Depth = 6

// Options say what kind of ledger it is.
type Options struct {
	Manual   bool // blocks are made by Mine only; else every transaction makes one
	Replaces bool // blocks may be replaced (Fork), unless Depth others are upon them
	Blind    bool // calls inside transactions are not told
	Seed     uint64
	// Hook is asked before each operation of the driver, by its name; an error is
	// what the operation gives, without having been done.
	Hook func(operation string) error
	// After is asked after each operation that was done: an error hides its answer.
	After func(operation string) error
}

// Ledger is the ledger and its driver.
type Ledger struct {
	Options
	mu       sync.Mutex
	blocks   []block
	height   map[common.Hash]uint64 // of committed transactions
	pool     map[common.Address]map[uint64]*types.Transaction
	arrived  []common.Hash        // order of the pool
	heard    []*types.Transaction // all that was ever handed over
	watchers map[int]chan struct{}
	watched  int
	forks    uint64
	final    int    // height of the newest block that once had Depth others upon it
	keeps    uint64 // blocks whose state is kept; 0: all
}

type block struct {
	ledger.Block
	after *state.StateDB
	txs   []*types.Transaction
}

var _ ledger.Driver = (*Ledger)(nil)

// New makes a ledger with its block 0.
func New(o Options) *Ledger {
	l := &Ledger{Options: o, height: map[common.Hash]uint64{}, pool: map[common.Address]map[uint64]*types.Transaction{},
		watchers: map[int]chan struct{}{}}
	s, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		panic(err)
	}
	l.blocks = []block{{Block: ledger.Block{Ref: ledger.Ref{Hash: l.hash(0, common.Hash{})}, Time: l.time(0), Traced: true}, after: s}}
	return l
}

func (l *Ledger) hash(number uint64, parent common.Hash) common.Hash {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], number)
	binary.BigEndian.PutUint64(b[8:], l.forks)
	binary.BigEndian.PutUint64(b[16:], l.Seed)
	return crypto.Keccak256Hash(b[:], parent[:])
}

func (l *Ledger) time(number uint64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(number) * time.Second)
}

// Genesis is the hash of block 0.
func (l *Ledger) Genesis() common.Hash { return l.blocks[0].Hash }

// Height is the number of the newest block.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks) - 1)
}

// Keep makes the ledger forget the state after all but the newest blocks.
func (l *Ledger) Keep(blocks uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keeps = blocks
}

// Mine makes a block of everything that can be in one, also of nothing.
func (l *Ledger) Mine() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mine()
}

func (l *Ledger) mine() {
	last := &l.blocks[len(l.blocks)-1]
	number := last.Number + 1
	b := block{Block: ledger.Block{Ref: ledger.Ref{Number: number, Hash: l.hash(number, last.Hash)}, Parent: last.Hash,
		Time: l.time(number), Traced: !l.Blind}, after: last.after.Copy()}
	for again := true; again; {
		again = false
		for _, h := range slices.Clone(l.arrived) {
			tx, from := l.waiting(h)
			if tx == nil || tx.Nonce() != b.after.GetNonce(from) {
				continue
			}
			l.leave(tx, from)
			t, err := apply(b.after, number, uint64(b.Time.Unix()), tx, from)
			if err != nil {
				continue // no funds: dropped
			}
			if l.Blind {
				t.Calls = t.Calls[:1]
			}
			again = true
			b.Transactions = append(b.Transactions, t)
			b.txs = append(b.txs, tx)
			l.height[t.Hash] = number
		}
	}
	l.blocks = append(l.blocks, b)
	l.final = max(l.final, len(l.blocks)-1-Depth)
	l.tell()
}

// tell wakes who watches.
func (l *Ledger) tell() {
	for _, w := range l.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// replaceable is how many of the newest blocks may be replaced: what was final once
// is so for ever, however short the chain is now.
func (l *Ledger) replaceable() int { return len(l.blocks) - 1 - l.final }

// Cut takes the newest n blocks away, and what was in them is lost: as debug_setHead
// does, or a machine that lost what it had not written. Blocks that are final stay.
func (l *Ledger) Cut(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, l.replaceable())
	for _, b := range l.blocks[len(l.blocks)-n:] {
		for _, tx := range b.txs {
			delete(l.height, tx.Hash())
		}
	}
	l.blocks = l.blocks[:len(l.blocks)-n]
	l.forks++
	l.tell()
}

func (l *Ledger) waiting(h common.Hash) (*types.Transaction, common.Address) {
	for from, txs := range l.pool {
		for _, tx := range txs {
			if tx.Hash() == h {
				return tx, from
			}
		}
	}
	return nil, common.Address{}
}

func (l *Ledger) leave(tx *types.Transaction, from common.Address) {
	delete(l.pool[from], tx.Nonce())
	l.arrived = slices.DeleteFunc(l.arrived, func(h common.Hash) bool { return h == tx.Hash() })
}

// Fork replaces the newest n blocks by n+1 others, with their transactions again
// except those that drop says. Blocks that are final stay.
func (l *Ledger) Fork(n int, drop func(*types.Transaction) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, l.replaceable())
	gone := slices.Clone(l.blocks[len(l.blocks)-n:])
	l.blocks = l.blocks[:len(l.blocks)-n]
	l.forks++
	for _, b := range gone {
		for _, tx := range b.txs {
			delete(l.height, tx.Hash())
			if from, err := types.Sender(Signer, tx); err == nil && !drop(tx) {
				l.enter(tx, from)
			}
		}
	}
	for range n + 1 {
		l.mine()
	}
}

func (l *Ledger) enter(tx *types.Transaction, from common.Address) {
	if l.pool[from] == nil {
		l.pool[from] = map[uint64]*types.Transaction{}
	}
	l.pool[from][tx.Nonce()] = tx
	l.arrived = append(l.arrived, tx.Hash())
}

// do runs an operation of the driver between its hooks.
func do[T any](ctx context.Context, l *Ledger, name string, f func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if l.Hook != nil {
		if err := l.Hook(name); err != nil {
			return none, err
		}
	}
	l.mu.Lock()
	v, err := f()
	l.mu.Unlock()
	if l.After != nil {
		if err := l.After(name); err != nil {
			return none, err
		}
	}
	return v, err
}

// Info implements ledger.Driver.
func (l *Ledger) Info(ctx context.Context) (ledger.Info, error) {
	return do(ctx, l, "info", func() (ledger.Info, error) {
		return ledger.Info{ChainID: big.NewInt(ChainID), Client: "simulated", Traces: !l.Blind, Final: !l.Replaces}, nil
	})
}

// Head implements ledger.Driver.
func (l *Ledger) Head(ctx context.Context) (ledger.Ref, error) {
	return do(ctx, l, "head", func() (ledger.Ref, error) { return l.blocks[len(l.blocks)-1].Ref, nil })
}

// Watch implements ledger.Driver.
func (l *Ledger) Watch(ctx context.Context, _ uint64, changed func()) error {
	l.mu.Lock()
	id, c := l.watched, make(chan struct{}, 1)
	l.watched++
	l.watchers[id] = c
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, id)
	}()
	for {
		changed()
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Blocks implements ledger.Driver.
func (l *Ledger) Blocks(ctx context.Context, from uint64, limit int) ([]ledger.Block, error) {
	return do(ctx, l, "blocks", func() ([]ledger.Block, error) {
		var list []ledger.Block
		for n := from; n < uint64(len(l.blocks)) && len(list) < limit; n++ {
			list = append(list, l.blocks[n].Block)
		}
		return list, nil
	})
}

// Read implements ledger.Driver.
func (l *Ledger) Read(ctx context.Context, at ledger.Ref, calls []ledger.Call) ([]ledger.Result, error) {
	return do(ctx, l, "read", func() ([]ledger.Result, error) {
		if at.Number >= uint64(len(l.blocks)) || l.blocks[at.Number].Hash != at.Hash {
			return nil, ledger.ErrReplaced
		}
		if l.keeps > 0 && at.Number+l.keeps < uint64(len(l.blocks)) {
			return nil, ledger.ErrStateGone
		}
		b := &l.blocks[at.Number]
		var results []ledger.Result
		for _, c := range calls {
			results = append(results, ask(b.after, b.Number, uint64(b.Time.Unix()), c))
		}
		return results, nil
	})
}

// Prepare implements ledger.Driver: it runs the transaction after all that wait.
func (l *Ledger) Prepare(ctx context.Context, r ledger.Request) (*types.Transaction, error) {
	return do(ctx, l, "prepare", func() (*types.Transaction, error) {
		tx := types.NewTx(&types.LegacyTx{Nonce: r.Nonce, To: r.To, Data: r.Data, Gas: 8_000_000, GasPrice: new(big.Int)})
		s := l.blocks[len(l.blocks)-1].after.Copy()
		number := uint64(len(l.blocks))
		now := uint64(l.time(number).Unix())
		for again := true; again; {
			again = false
			for _, h := range l.arrived {
				if tx, from := l.waiting(h); tx != nil && tx.Nonce() == s.GetNonce(from) {
					if _, err := apply(s, number, now, tx, from); err == nil {
						again = true
					}
				}
			}
		}
		if r.To != nil && len(r.Data) > 0 && s.GetCodeSize(*r.To) == 0 {
			return nil, ledger.ErrReplaced
		}
		return tx, simulate(s, number, now, tx, r.From)
	})
}

// NextNonce implements ledger.Driver.
func (l *Ledger) NextNonce(ctx context.Context, a common.Address) (uint64, error) {
	return do(ctx, l, "nonce", func() (uint64, error) {
		n := l.blocks[len(l.blocks)-1].after.GetNonce(a)
		for l.pool[a][n] != nil {
			n++
		}
		return n, nil
	})
}

// FinalNonce implements ledger.Driver.
func (l *Ledger) FinalNonce(ctx context.Context, a common.Address, most uint64) (n uint64, at ledger.Ref, err error) {
	n, err = do(ctx, l, "final nonce", func() (uint64, error) {
		last := uint64(len(l.blocks) - 1)
		if l.Replaces {
			last -= min(last, Depth)
		}
		b := &l.blocks[min(last, most)]
		at = b.Ref
		return b.after.GetNonce(a), nil
	})
	return n, at, err
}

// Submit implements ledger.Driver.
func (l *Ledger) Submit(ctx context.Context, tx *types.Transaction) error {
	_, err := do(ctx, l, "submit", func() (struct{}, error) { return struct{}{}, l.submit(tx) })
	return err
}

func (l *Ledger) submit(tx *types.Transaction) error {
	from, err := types.Sender(Signer, tx)
	if err != nil {
		return ledger.ErrRefused.From(err)
	}
	if _, ok := l.height[tx.Hash()]; ok {
		return nil
	}
	if there := l.pool[from][tx.Nonce()]; there != nil {
		if there.Hash() == tx.Hash() {
			return nil
		}
		return ledger.ErrNonceUsed
	}
	if tx.Nonce() < l.blocks[len(l.blocks)-1].after.GetNonce(from) {
		return ledger.ErrNonceUsed
	}
	l.enter(tx, from)
	l.heard = append(l.heard, tx)
	if !l.Manual {
		l.mine()
	}
	return nil
}

// Echo hands over again what other nodes still have of all that was ever handed
// over: what pick says, if the chain could take it. It may take the place of another
// transaction that waits.
func (l *Ledger) Echo(pick func(*types.Transaction) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tx := range l.heard {
		from, err := types.Sender(Signer, tx)
		if _, there := l.height[tx.Hash()]; err != nil || there || tx.Nonce() < l.blocks[len(l.blocks)-1].after.GetNonce(from) || !pick(tx) {
			continue
		}
		if other := l.pool[from][tx.Nonce()]; other != nil {
			l.leave(other, from)
		}
		l.enter(tx, from)
	}
}

// Status implements ledger.Driver.
func (l *Ledger) Status(ctx context.Context, h common.Hash) (ledger.Status, error) {
	return do(ctx, l, "status", func() (ledger.Status, error) {
		if _, ok := l.height[h]; ok {
			return ledger.Status{State: ledger.Committed}, nil
		}
		if tx, _ := l.waiting(h); tx != nil {
			return ledger.Status{State: ledger.Pending}, nil
		}
		return ledger.Status{State: ledger.Unknown}, nil
	})
}

// Proof implements ledger.Driver.
func (l *Ledger) Proof(context.Context, common.Hash) (json.RawMessage, error) {
	return nil, ledger.ErrNoProof
}

// Close implements ledger.Driver.
func (l *Ledger) Close() {}

// Drop forgets what waits for a block.
func (l *Ledger) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = nil
	clear(l.pool)
}

// Transactions lists all transactions of the chain, oldest first.
func (l *Ledger) Transactions() []ledger.Transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []ledger.Transaction
	for _, b := range l.blocks {
		all = append(all, b.Transactions...)
	}
	return all
}
