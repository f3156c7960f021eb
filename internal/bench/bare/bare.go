// Package bare is the upper bound that coco is measured against: the same
// JSON-RPC server, admission, EVM and state, and nothing else. No disk, no
// ledger, no index, no encryption, no signatures, no consensus. What it has in
// memory is gone when it ends.
//
// It answers for the newest blocks only (chain's tail), and refuses what needs
// a ledger. It is for measuring and for nothing else.
package bare

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/api"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

var errBare = problem.New("BARE_SERVER", "the bare server has no ledger",
	"ask a node of coco; this server exists to be measured")

// Serve serves on l until ctx ends, with the development network's chain id and
// accounts.
func Serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	s, d, err := open(ctx, log)
	if err != nil {
		return err
	}
	front := server.New(d, server.Options{Log: log})

	var running sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	running.Go(func() { s.run(ctx) })
	running.Go(func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		front.Shutdown(drain)
	})
	err = front.Serve(l)
	stop()
	running.Wait()
	return err
}

// open puts a line with block 0 and the methods that lead to it together.
func open(ctx context.Context, log *slog.Logger) (*line, *jsonrpc.Dispatcher, error) {
	state, err := kv.New(evm.Tables()...)
	if err != nil {
		return nil, nil, err
	}
	machine, err := evm.New(state, ethereum.DevelopmentChainID)
	if err != nil {
		return nil, nil, err
	}
	s := &line{store: state, queue: make(chan *ticket, sequencer.DefaultLimits.Queue)}
	s.room = ethereum.NewRoom(machine, ethereum.DevelopmentChainID, func(height uint64) (common.Hash, error) { return s.chain.Hash(height) })
	if err := s.found(ctx); err != nil {
		return nil, nil, err
	}
	view := machine.View(state.Speculative())
	admission := pool.New(pool.Config{
		Now: time.Now,
		Account: func(a common.Address) (uint64, uint256.Int) {
			account, _ := view.Account(a)
			return account.Nonce, account.Balance
		},
		Submit: s.submit,
	})
	d := jsonrpc.New(jsonrpc.Limits{}, nil, log)
	api.New(api.Config{ChainID: ethereum.DevelopmentChainID, Version: "bare", Chain: s.chain, Store: state, Past: history.NewPast(state),
		Machine: machine, Pool: admission, Service: nothing{}, Now: time.Now}).Register(d)
	return s, d, nil
}

// line executes requests one after another, in blocks, as the sequencer does.
type line struct {
	store *kv.Store
	room  *ethereum.Room
	chain *chain.Chain
	queue chan *ticket
	seqno uint64
	last  atomic.Uint64 // height
}

// found makes block 0.
func (s *line) found(ctx context.Context) error {
	slot := sequencer.Slot{View: 1, FirstSeqno: 1, Time: uint64(time.Now().UnixNano())}
	list, header := ethereum.Genesis(slot, ethereum.DevelopmentAllocation())
	writes, err := sequencer.Writes(s.store, list)
	if err != nil {
		return err
	}
	if err := s.store.Apply(0, writes); err != nil {
		return err
	}
	genesis := &envelope.Block{Header: &format.Header{}, Section: envelope.Section{{Protocol: ethereum.Protocol, Data: header}}}
	s.seqno = 1
	s.chain, err = chain.Open(ctx, only{genesis}, none{&s.last}, 0)
	return err
}

func (s *line) submit(r *sequencer.Request) (pool.Ticket, error) {
	t := &ticket{request: r, executed: make(chan struct{}), done: make(chan struct{})}
	select {
	case s.queue <- t:
		return t, nil
	default:
		return nil, sequencer.ErrBusy
	}
}

// run makes blocks until the context ends: at once when idle, and under load not
// more often than the sequencer would.
func (s *line) run(ctx context.Context) {
	limits, pace := sequencer.DefaultLimits, time.NewTimer(0)
	defer pace.Stop()
	crowded := false
	for {
		var first *ticket
		select {
		case first = <-s.queue:
		case <-ctx.Done():
			return
		}
		if crowded { // let what comes in the meantime come along
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
		}
		n, err := s.block(first, limits.Records)
		if err != nil {
			panic(err) // the state is this function's alone
		}
		crowded = n > 1
		pace.Reset(limits.Pace)
	}
}

// block makes one block of a ticket and of what waits behind it.
func (s *line) block(first *ticket, most int) (n int, err error) {
	height := s.last.Load() + 1
	slot := sequencer.Slot{Height: height, View: 1, FirstSeqno: s.seqno + 1, Time: uint64(time.Now().UnixNano())}
	if _, err := rand.Read(slot.Random[:]); err != nil {
		return 0, err
	}
	state, err := s.store.Begin(height)
	if err != nil {
		return 0, err
	}
	part := s.room.Open(slot)
	var taken []*ticket
	for t := first; t != nil; {
		if s.execute(state, part, t) {
			taken = append(taken, t)
		}
		t = nil
		if len(taken) < most && !part.Full() {
			select {
			case t = <-s.queue:
			default:
			}
		}
	}
	if len(taken) == 0 {
		state.Discard()
		return 0, nil
	}
	_, artefact := part.Close()
	if _, err := state.Seal(); err != nil {
		return 0, err
	}
	if err := s.store.Publish(height); err != nil {
		return 0, err
	}
	s.last.Store(height)
	s.chain.Committed(&sequencer.Committed{Block: s.named(height, taken), Artefacts: map[string]any{ethereum.Protocol: artefact}})
	for _, t := range taken {
		close(t.done)
	}
	return len(taken), nil
}

// execute reports whether the request is in the block.
func (s *line) execute(state *kv.Block, part sequencer.Part, t *ticket) bool {
	tx := state.Tx()
	defer tx.Discard()
	_, err := part.Execute(tx, t.request)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		t.err = err
		close(t.executed)
		close(t.done)
		return false
	}
	s.seqno++
	t.tx = sequencer.TxID{View: 1, Seqno: s.seqno}
	close(t.executed)
	return true
}

// named is what chain wants to know of a block's records: their TxIDs.
func (s *line) named(height uint64, taken []*ticket) *envelope.Block {
	b := &envelope.Block{Header: &format.Header{Height: height, View: 1}, Records: make([]envelope.Record, len(taken))}
	effects := []format.Effect{s.room.Effect()}
	for i, t := range taken {
		b.Records[i].Prelude = &format.Prelude{View: 1, Seqno: t.tx.Seqno, Kind: format.KindTransaction, Effects: effects}
	}
	return b
}

// ticket follows a request.
type ticket struct {
	request  *sequencer.Request
	executed chan struct{}
	done     chan struct{}
	tx       sequencer.TxID // before executed is closed
	err      error          // before done is closed
}

func (t *ticket) Executed() <-chan struct{} { return t.executed }
func (t *ticket) Done() <-chan struct{}     { return t.done }

func (t *ticket) TxID() (sequencer.TxID, bool) {
	select {
	case <-t.executed:
		return t.tx, t.tx.Seqno != 0
	default:
		return sequencer.TxID{}, false
	}
}

func (t *ticket) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// only is a ledger of one block.
type only struct{ genesis *envelope.Block }

func (o only) Block(_ context.Context, height uint64) (*envelope.Block, error) {
	if height == 0 {
		return o.genesis, nil
	}
	return nil, errBare
}

// none is an index that is complete and holds nothing.
type none struct{ height *atomic.Uint64 }

func (n none) Height() (uint64, bool) { return n.height.Load(), true }

func (n none) Find([]byte, uint64, uint64, int, bool) ([]history.Found, error) { return nil, nil }

// nothing is a service that proves nothing.
type nothing struct{}

func (nothing) Receipt(context.Context, sequencer.TxID, ...uint64) (*proof.Receipt, error) {
	return nil, errBare
}
func (nothing) Status(sequencer.TxID) sequencer.Status     { return sequencer.StatusUnknown }
func (nothing) Checkpoint(context.Context) ([]byte, error) { return nil, errBare }
func (nothing) Identity() api.Identity                     { return api.Identity{Mode: "bare"} }
