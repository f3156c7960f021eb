package sequencer

import (
	"crypto"
	"encoding/binary"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

// transfers is a protocol whose requests leave records of the size and shape of
// ERC-20 transfers, at no cost of its own.
type transfers struct{ accounts, storage kv.TableID }

func (p *transfers) Effect() format.Effect { return format.Effect{Protocol: "ethereum", Version: 1} }
func (p *transfers) Room() string          { return "eth" }
func (p *transfers) Open(Slot) Part        { return &transferring{transfers: p} }
func (p *transfers) Rollback(uint64)       {}

type transferring struct {
	*transfers
	n int
}

var (
	transferOutcome = make([]byte, 38)
	transferEvents  = make([]byte, 166)
)

func (p *transferring) Execute(tx *kv.Tx, r *Request) (*Result, error) {
	p.n++
	from, to := uint64(p.n%64), binary.BigEndian.Uint64(r.Bytes)
	var account [20]byte
	var slot [52]byte
	binary.BigEndian.PutUint64(account[:], from)
	err := tx.Put(p.accounts, account[:], r.Bytes[8:20])
	for _, owner := range []uint64{from, to} {
		binary.BigEndian.PutUint64(slot[20:], owner)
		if err == nil {
			err = tx.Put(p.storage, slot[:], r.Bytes[:12])
		}
	}
	claims := make([]proof.Claim, 0, 11)
	for i, size := range []int{32, 1, 20, 20, 0, 2, 3, 0, 1, 4, 166} {
		claims = append(claims, proof.Claim{Field: uint64(i + 1), Value: r.Bytes[:size]})
	}
	return &Result{Outcome: transferOutcome, Events: transferEvents, NativeID: r.Bytes[:32], Claims: claims}, err
}
func (p *transferring) Full() bool           { return false }
func (p *transferring) Close() ([]byte, any) { return transferEvents, nil }

// mill is a sequencer without goroutines over a log that takes everything.
type mill struct {
	*Sequencer
	blocks, signatures int
	at                 consensus.Position
	entry              format.Entry
	bytes              int
	seqno              uint64
}

func (m *mill) Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error) {
	body, err := seal(m.at)
	m.entry = format.Entry{Index: m.at.Index + 1, Term: view, Kind: format.EntryBlock, Body: body}
	m.at = consensus.Position{Index: m.entry.Index, Term: view}
	m.blocks, m.bytes = m.blocks+1, m.bytes+len(body)
	return m.at, err
}

// signer counts signatures.
type signer struct {
	crypto.Signer
	mill *mill
}

func (s signer) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.mill.signatures++
	return s.Signer.Sign(r, digest, o)
}

func newMill(t testing.TB, records int) *mill {
	t.Helper()
	store, err := kv.New(kv.Table{Name: "eth.accounts", Kind: kv.Point}, kv.Table{Name: "eth.storage", Kind: kv.Point})
	if err == nil {
		err = store.Apply(0, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &transfers{}
	p.accounts, _ = store.Table("eth.accounts")
	p.storage, _ = store.Table("eth.storage")
	ring := keys.NewRing(keys.Service{ID: [16]byte{7}, Mode: format.ModeSimulated}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()})
	key, err := keys.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	tree := &proof.Frontier{}
	tree.Append(format.Hash{1})
	limits := DefaultLimits
	limits.Records, limits.Pace = records, time.Hour // none is sealed before it is full
	m := &mill{at: consensus.Position{Index: 1, Term: 1}}
	m.Sequencer = New(Config{Store: store, Ring: ring, Signer: signer{key, m}, Writer: format.Sum(keys.SPKI(&key.PublicKey)),
		Head: lineage.Head{View: 1, Seqno: 1, Tree: tree}, ViewAt: func(uint64) uint64 { return 1 }, Protocols: []Protocol{p},
		Clock: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Limits: limits, ChunkUsed: func() uint64 { return 0 }, Workers: 1})
	m.Attach(m)
	m.Led(consensus.Lead{View: 2})
	m.entry = format.Entry{Index: 2, Term: 2, Kind: format.EntryRaftEmpty}
	m.at = consensus.Position{Index: 2, Term: 2}
	m.commit(t)
	m.Step()
	return m
}

func (m *mill) commit(t testing.TB) {
	if err := m.Sequencer.Committed([]format.Entry{m.entry}); err != nil {
		t.Fatal(err)
	}
}

// block takes n requests from their admission to the answer.
func (m *mill) block(t testing.TB, n int) {
	tickets := make([]*Ticket, n)
	for i := range tickets {
		raw := make([]byte, 176)
		m.seqno++
		binary.BigEndian.PutUint64(raw, m.seqno%100000)
		var err error
		if tickets[i], err = m.Submit(&Request{Protocol: "ethereum", Bytes: raw, Caller: []byte("anonymous")}); err != nil {
			t.Fatal(err)
		}
	}
	for m.Step(); m.inFlight.Load() > 0; m.Step() {
		m.commit(t)
	}
	for _, ticket := range tickets {
		<-ticket.Done()
		if ticket.Err() != nil {
			t.Fatal(ticket.Err())
		}
	}
}

// BenchmarkTransfers is the sequencer's share of an ERC-20 transfer: all but the
// protocol, consensus and the disk.
func BenchmarkTransfers(b *testing.B) {
	for _, c := range []struct {
		name    string
		records int
	}{{"block=1", 1}, {"block=300", 300}} {
		b.Run(c.name, func(b *testing.B) {
			m := newMill(b, c.records)
			b.ReportAllocs()
			m.bytes = 0
			for b.Loop() {
				m.block(b, c.records)
			}
			n := float64(b.N * c.records)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/tx")
			b.ReportMetric(float64(m.bytes)/n, "ledgerB/tx")
		})
	}
}

// TestBlockTakesInWhatWaits: what is queued goes with the block, unless that keeps
// the block back for the pace.
func TestBlockTakesInWhatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		passes time.Duration // each time that the clock is read
		first  uint64        // records of the first block
	}{"at once": {0, 20}, "slowly": {time.Hour, 1}} {
		m := newMill(t, DefaultLimits.Records)
		now := time.Now()
		m.Clock = func() time.Time { now = now.Add(c.passes); return now }
		for range 20 {
			if _, err := m.Submit(&Request{Protocol: "ethereum", Bytes: make([]byte, 176)}); err != nil {
				t.Fatal(err)
			}
		}
		m.Step()
		h, err := format.PeekHeader(m.entry.Body)
		if err != nil || h.Count != c.first {
			t.Errorf("%s: the first block has %d records, want %d: %v", name, h.Count, c.first, err)
		}
	}
}
