// Package ethereumtest is a ledger of one process in memory, for the tests of
// the rooms around Ethereum: it opens, executes, seals and publishes blocks as
// the sequencer does, with real records, and without log, consensus or time.
// Nothing of the product imports it.
package ethereumtest

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Ledger is a ledger in memory whose clock is set by hand. All but Block is for
// one goroutine.
type Ledger struct {
	Store   *kv.Store
	Machine *evm.Machine
	Room    *ethereum.Room
	Clock   uint64 // time of the next block, nanoseconds since 1970
	View    uint64 // of the next block

	ring   *keys.Ring
	tree   proof.Frontier
	seqno  uint64
	last   *format.Header
	mu     sync.Mutex
	bodies [][]byte
}

// New makes a ledger with its genesis block, in which the development accounts
// are funded.
func New(t testing.TB) *Ledger {
	t.Helper()
	store, err := kv.New(evm.Tables()...)
	must(t, err)
	machine, err := evm.New(store, ethereum.DevelopmentChainID)
	must(t, err)
	epoch := keys.Epoch{Domain: format.ServiceDomain, Number: 1}
	l := &Ledger{
		Store: store, Machine: machine, Clock: 1_700_000_000_000_000_000, View: 1,
		ring: keys.NewRing(keys.Service{Mode: format.ModeSimulated}, map[keys.Epoch]keys.Secret{epoch: {1, 2, 3}}),
	}
	l.Room = ethereum.NewRoom(machine, ethereum.DevelopmentChainID, l.hash)
	slot := sequencer.Slot{View: 1, FirstSeqno: 1, Time: l.Clock}
	writes, section := ethereum.Genesis(slot, ethereum.DevelopmentAllocation())
	draft := &envelope.Draft{Kind: format.KindGenesis, Private: format.Private{Writes: writes}}
	must(t, sequencer.Apply(store, l.seal(t, slot, []*envelope.Draft{draft}, section)))
	l.View = 2
	return l
}

// Block implements chain.Blocks: it opens the block as it is stored.
func (l *Ledger) Block(_ context.Context, height uint64) (*envelope.Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if height >= uint64(len(l.bodies)) {
		return nil, fmt.Errorf("no block %d", height)
	}
	return envelope.Open(l.ring, &format.Entry{Index: height + 1, Term: 1, Kind: format.EntryBlock, Body: l.bodies[height]})
}

// Ring holds the secrets of the ledger.
func (l *Ledger) Ring() *keys.Ring { return l.ring }

// Head is where the next block follows.
func (l *Ledger) Head() lineage.Head {
	return lineage.Head{Height: l.last.Height, Hash: format.Sum(l.last.Encode()), View: l.last.View, Seqno: l.seqno, Time: l.last.Time, Tree: l.tree.Clone()}
}

// Height is the height of the last block.
func (l *Ledger) Height() uint64 { return l.last.Height }

// Slot is the slot of the next block.
func (l *Ledger) Slot() sequencer.Slot {
	random, err := envelope.Random(l.ring, l.last.Height+1, format.Sum(l.last.Encode()))
	if err != nil {
		panic(err) // the ring holds the epoch
	}
	return sequencer.Slot{
		Height: l.last.Height + 1, View: l.View, FirstSeqno: l.seqno + 1, Time: l.Clock,
		Previous: format.Sum(l.last.Encode()), Root: l.tree.Root(), Random: random,
	}
}

// Open opens a block that is neither sealed nor published: for tests of
// execution. The caller discards it.
func (l *Ledger) Open(t testing.TB) (sequencer.Part, *kv.Block) {
	t.Helper()
	slot := l.Slot()
	block, err := l.Store.Begin(slot.Height)
	must(t, err)
	return l.Room.Open(slot), block
}

// Commit executes the raw transactions in one block, seals and publishes it.
// A transaction that is refused fails the test. A block that would be empty gets
// a record of another kind.
func (l *Ledger) Commit(t testing.TB, raw ...[]byte) *sequencer.Committed {
	t.Helper()
	slot := l.Slot()
	part, block := l.Open(t)
	var drafts []*envelope.Draft
	if len(raw) == 0 {
		drafts = append(drafts, &envelope.Draft{Kind: format.KindSnapshot})
	}
	for _, data := range raw {
		tx := block.Tx()
		r, err := part.Execute(tx, &sequencer.Request{Protocol: ethereum.Protocol, Bytes: data})
		must(t, err)
		drafts = append(drafts, &envelope.Draft{
			Kind: format.KindTransaction, Effects: []format.Effect{l.Room.Effect()}, Claims: r.Claims,
			Private: format.Private{
				Request: data, Outcome: r.Outcome, Events: r.Events, NativeID: r.NativeID, Writes: l.writes(tx),
			},
		})
		must(t, tx.Commit())
	}
	section, artefact := part.Close()
	_, err := block.Seal()
	must(t, err)
	sealed := l.seal(t, slot, drafts, section)
	must(t, l.Store.Publish(slot.Height))
	return &sequencer.Committed{Block: sealed, Artefacts: map[string]any{ethereum.Protocol: artefact}}
}

func (l *Ledger) writes(tx *kv.Tx) (writes []format.Write) {
	for _, w := range tx.Writes() {
		value := w.Value
		if w.Delete {
			value = nil
		}
		writes = append(writes, format.Write{Table: l.Store.Name(w.Table), Key: w.Key, Value: value})
	}
	return writes
}

func (l *Ledger) seal(t testing.TB, slot sequencer.Slot, drafts []*envelope.Draft, section []byte) *envelope.Block {
	t.Helper()
	sealer, err := envelope.KeysOf(l.ring, 0, envelope.Place{View: slot.View, Height: slot.Height, Previous: slot.Previous})
	must(t, err)
	raw := &format.Block{Section: sealer.SealSection(envelope.Section{{Protocol: ethereum.Protocol, Data: section}})}
	for i, d := range drafts {
		r := sealer.Seal(slot.FirstSeqno+uint64(i), d)
		l.tree.Append(r.Leaf)
		raw.Records = append(raw.Records, r.Stored)
	}
	digest := format.Sum(raw.Section)
	l.seqno += uint64(len(drafts))
	l.last = &format.Header{
		Format: format.Founding, Height: slot.Height, View: slot.View, FirstSeqno: slot.FirstSeqno, Count: uint64(len(drafts)),
		TreeSize: l.tree.Size(), Root: l.tree.Root(), Previous: slot.Previous, Time: slot.Time, Section: digest[:],
	}
	raw.Header = l.last.Encode()
	l.mu.Lock()
	l.bodies = append(l.bodies, raw.Encode())
	l.mu.Unlock()
	b, err := l.Block(context.Background(), slot.Height)
	must(t, err)
	return b
}

// hash is the hash of the Ethereum block at a committed height.
func (l *Ledger) hash(height uint64) (common.Hash, error) {
	opened, err := l.Block(context.Background(), height)
	if err != nil {
		return common.Hash{}, err
	}
	b, err := ethereum.Decode(opened)
	if err != nil {
		return common.Hash{}, err
	}
	return b.Hash, nil
}

// Sign signs a transaction for the development chain and gives its encoding.
func Sign(t testing.TB, key *ecdsa.PrivateKey, data types.TxData) []byte {
	t.Helper()
	tx, err := types.SignNewTx(key, types.NewPragueSigner(big.NewInt(ethereum.DevelopmentChainID)), data)
	must(t, err)
	raw, err := tx.MarshalBinary()
	must(t, err)
	return raw
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
