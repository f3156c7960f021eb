package sequencer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a protocol whose requests add to one number.
type counter struct{ table, foreign kv.TableID }

func (c *counter) Effect() format.Effect  { return format.Effect{Protocol: "counter", Version: 1} }
func (c *counter) Room() string           { return "counter" }
func (c *counter) Open(Slot) Part         { return &counting{c: c} }
func (c *counter) Rollback(height uint64) {}

type counting struct {
	c *counter
	n int
}

var errOdd = errors.New("odd requests are refused")

func (p *counting) Execute(tx *kv.Tx, r *Request) (*Result, error) {
	add := r.Bytes[0]
	before, _ := tx.Get(p.c.table, []byte("sum"))
	sum := make([]byte, 8)
	if before != nil {
		copy(sum, before)
	}
	binary.BigEndian.PutUint64(sum, binary.BigEndian.Uint64(sum)+uint64(add))
	if err := tx.Put(p.c.table, []byte("sum"), sum); err != nil {
		return nil, err
	}
	switch {
	case add == 253:
		return nil, tx.Put(p.c.foreign, []byte("k"), []byte("v"))
	case add == 255:
		panic("this request breaks the protocol")
	case add%2 == 1:
		return nil, errOdd
	}
	p.n++
	return &Result{Outcome: sum, NativeID: r.Bytes, Claims: []proof.Claim{{Field: 1, Value: sum}}}, nil
}
func (p *counting) Full() bool           { return p.n >= 16 }
func (p *counting) Close() ([]byte, any) { return []byte{byte(p.n)}, p.n }

// desk is a log that the test decides for.
type desk struct {
	mu       sync.Mutex
	at       consensus.Position
	view     uint64
	proposed []format.Entry
	refuse   error // answer to the next proposal, after sealing
	arrived  chan struct{}
}

func (d *desk) Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if view != d.view {
		return consensus.Position{}, consensus.ErrNotLeader
	}
	body, err := seal(d.at)
	if err != nil {
		return consensus.Position{}, err
	}
	e := format.Entry{Index: d.at.Index + 1, Term: view, Kind: format.EntryBlock, Body: body}
	if d.refuse != nil {
		err := d.refuse
		d.refuse = nil
		d.proposed = append(d.proposed, e)
		d.arrived <- struct{}{}
		return consensus.Position{}, err
	}
	d.put(e)
	d.arrived <- struct{}{}
	return d.at, nil
}

func (d *desk) put(e format.Entry) {
	d.at = consensus.Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(d.at.Prefix, &e)}
	d.proposed = append(d.proposed, e)
}

type fixture struct {
	*Sequencer
	desk  *desk
	store *kv.Store
	table kv.TableID
	told  []*Committed
	mu    sync.Mutex
}

func (f *fixture) Committed(c *Committed) {
	f.mu.Lock()
	f.told = append(f.told, c)
	f.mu.Unlock()
}

type follower struct{ *fixture }

func (f follower) Committed(c *Committed) { f.fixture.Committed(c) }

func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	store, err := kv.New(kv.Table{Name: "counter.sums", Kind: kv.Point}, kv.Table{Name: format.TableService, Kind: kv.Ordered})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Apply(0, nil); err != nil {
		t.Fatal(err)
	}
	table, _ := store.Table("counter.sums")
	foreign, _ := store.Table(format.TableService)
	ring := keys.NewRing(keys.Service{ID: [16]byte{7}, Mode: format.ModeSimulated}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()})
	signer, err := keys.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	tree := &proof.Frontier{}
	tree.Append(format.Hash{1})
	f := &fixture{store: store, table: table, desk: &desk{at: consensus.Position{Index: 1, Term: 1}, arrived: make(chan struct{}, 1024)}}
	c := Config{Store: store, Ring: ring, Signer: signer, Writer: format.Sum(keys.SPKI(&signer.PublicKey)),
		Head: lineage.Head{View: 1, Seqno: 1, Tree: tree}, ViewAt: func(uint64) uint64 { return 1 }, Protocols: []Protocol{&counter{table, foreign}},
		Followers: []Follower{follower{f}}, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: DefaultLimits, ChunkUsed: func() uint64 { return 0 }}
	if change != nil {
		change(&c)
	}
	f.Sequencer = New(c)
	f.Attach(f.desk)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

// lead lets the sequencer lead a view whose first entry is committed.
func (f *fixture) lead(t *testing.T, view uint64) {
	t.Helper()
	f.desk.mu.Lock()
	f.desk.view = view
	e := format.Entry{Index: f.desk.at.Index + 1, Term: view, Kind: format.EntryRaftEmpty}
	f.desk.put(e)
	f.desk.mu.Unlock()
	f.Led(consensus.Lead{View: view})
	if err := f.Sequencer.Committed([]format.Entry{e}); err != nil {
		t.Fatal(err)
	}
}

// commit commits the n-th entry that was put into the log.
func (f *fixture) commit(t *testing.T, n int) {
	t.Helper()
	f.desk.mu.Lock()
	e := f.desk.proposed[n]
	f.desk.mu.Unlock()
	if err := f.Sequencer.Committed([]format.Entry{e}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) submit(t *testing.T, n byte) *Ticket {
	t.Helper()
	ticket, err := f.Submit(&Request{Protocol: "counter", Bytes: []byte{n}})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func (f *fixture) sum() uint64 {
	v := f.store.Pin()
	defer v.Release()
	b, ok := v.Get(f.table, []byte("sum"))
	if !ok {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func TestNothingIsVisibleBeforeItIsCommitted(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	ticket := f.submit(t, 4)
	<-ticket.Executed()
	<-f.desk.arrived
	tx, ok := ticket.TxID()
	if !ok || tx != (TxID{2, 2}) {
		t.Fatalf("TxID %v", tx)
	}
	if f.sum() != 0 || len(f.told) != 0 || f.StatusOf(tx) != StatusPending {
		t.Fatalf("before commit: sum %d, %d blocks told, status %v", f.sum(), len(f.told), f.StatusOf(tx))
	}
	select {
	case <-ticket.Done():
		t.Fatal("answered before commit")
	default:
	}
	f.commit(t, 1)
	if err := ticket.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.sum() != 4 || len(f.told) != 1 || f.StatusOf(tx) != StatusCommitted {
		t.Fatalf("after commit: sum %d, %d blocks told, status %v", f.sum(), len(f.told), f.StatusOf(tx))
	}
	if got := f.told[0].Artefacts["counter"]; got != 1 {
		t.Fatalf("artefact %v", got)
	}
}

func TestRefusalAndPanicHarmNoOther(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	good := f.submit(t, 2)
	odd := f.submit(t, 3)
	broken := f.submit(t, 255)
	foreign := f.submit(t, 253)
	after := f.submit(t, 8)
	if err := odd.Wait(t.Context()); !errors.Is(err, errOdd) {
		t.Fatal(err)
	}
	if err := broken.Wait(t.Context()); !errors.Is(err, ErrExecution) {
		t.Fatal(err)
	}
	if err := foreign.Wait(t.Context()); !errors.Is(err, kv.ErrForeign) {
		t.Fatalf("a write into another room's table: %v", err)
	}
	for n := 1; f.sum() != 10; n++ {
		<-f.desk.arrived
		f.commit(t, n)
	}
	for _, ticket := range []*Ticket{good, after} {
		if err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullQueueAnswersAtOnce(t *testing.T) {
	f := start(t, func(c *Config) { c.Limits.Queue = 3 })
	for range 3 {
		f.submit(t, 2)
	}
	if _, err := f.Submit(&Request{Protocol: "counter", Bytes: []byte{2}}); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
}

// TestOneBlockForAHeightInAView is the rule whose breach is proof of guilt.
func TestOneBlockForAHeightInAView(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	f.desk.mu.Lock()
	f.desk.refuse = consensus.ErrRefused
	f.desk.mu.Unlock()
	first := f.submit(t, 2)
	if err := first.Wait(t.Context()); !errors.Is(err, ErrNotCommitted) {
		t.Fatalf("a refused block's request: %v", err)
	}
	<-f.desk.arrived
	second := f.submit(t, 4)
	f.signal()
	select {
	case <-f.desk.arrived:
	case <-time.After(50 * time.Millisecond): // nothing should arrive; waiting longer only makes the test stricter
	}
	f.lead(t, 3)
	<-second.Executed()
	seen := map[[2]uint64]bool{}
	f.desk.mu.Lock()
	for _, e := range f.desk.proposed {
		if e.Kind == format.EntryBlock {
			_, h, err := format.DecodeBlock(e.Body)
			if err != nil {
				t.Error(err)
				continue
			}
			if k := [2]uint64{h.View, h.Height}; seen[k] {
				t.Errorf("two blocks of view %d and height %d were signed", k[0], k[1])
			} else {
				seen[k] = true
			}
		}
	}
	f.desk.mu.Unlock()
	if tx, _ := second.TxID(); tx.View != 3 && !t.Failed() {
		t.Fatalf("the next request is %v, want view 3", tx)
	}
}

func TestLostLeadership(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	flying := f.submit(t, 2)
	<-f.desk.arrived
	waiting := f.submit(t, 4) // in the open block: the log writer is busy
	<-waiting.Executed()
	f.Led(consensus.Lead{})
	if err := waiting.Wait(t.Context()); !errors.Is(err, ErrNotCommitted) {
		t.Fatalf("never proposed: %v", err)
	}
	tx, _ := flying.TxID()
	if s := f.StatusOf(tx); s != StatusPending {
		t.Fatalf("proposed: %v", s)
	}
	// A new view begins behind the old head: the flying block was overwritten.
	f.desk.mu.Lock()
	f.desk.at = consensus.Position{Index: 2, Term: 2}
	f.desk.proposed = nil
	f.desk.mu.Unlock()
	f.lead(t, 4)
	if err := flying.Wait(t.Context()); !errors.Is(err, ErrNotCommitted) {
		t.Fatalf("overwritten: %v", err)
	}
	if s := f.StatusOf(tx); s != StatusInvalid {
		t.Fatalf("overwritten: %v", s)
	}
	again := f.submit(t, 6)
	<-f.desk.arrived
	f.commit(t, 1)
	if err := again.Wait(t.Context()); err != nil || f.sum() != 6 {
		t.Fatalf("%v, sum %d", err, f.sum())
	}
}

// TestAdoptGivesTheSameState applies on a second node what the first one sealed.
func TestAdoptGivesTheSameState(t *testing.T) {
	f := start(t, nil)
	backup := start(t, func(c *Config) { c.Ring, c.Head = f.Ring, f.Config.Head })
	f.lead(t, 2)
	done := 0
	for n := byte(2); n < 42; n += 2 {
		f.submit(t, n)
	}
	for f.sum() != 420 {
		<-f.desk.arrived
		done++
		f.commit(t, done)
	}
	if err := backup.Sequencer.Committed(f.desk.proposed); err != nil {
		t.Fatal(err)
	}
	if backup.sum() != 420 || backup.Head().Hash != f.Head().Hash || backup.Head().Tree.Root() != f.Head().Tree.Root() {
		t.Fatalf("the backup has sum %d and another head", backup.sum())
	}
	for seqno := uint64(1); seqno <= f.Head().Seqno+1; seqno++ {
		for view := uint64(1); view < 4; view++ {
			if a, b := f.StatusOf(TxID{view, seqno}), backup.StatusOf(TxID{view, seqno}); a != b {
				t.Fatalf("%d.%d is %v here and %v there", view, seqno, a, b)
			}
		}
	}
	if err := backup.Sequencer.Committed(f.desk.proposed[1:2]); err == nil {
		t.Fatal("a block was applied twice")
	}
}

func TestNoncesNeverRepeat(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	for range 24 {
		f.submit(t, 2)
	}
	nonces := map[[12]byte]bool{}
	for n := 1; f.sum() != 48; n++ {
		<-f.desk.arrived
		f.commit(t, n)
	}
	for _, e := range f.desk.proposed {
		if e.Kind != format.EntryBlock {
			continue
		}
		raw, _, err := format.DecodeBlock(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range raw.Records {
			r, _, err := format.DecodeRecord(stored)
			if err != nil {
				t.Fatal(err)
			}
			if nonces[r.Sealed[0].Nonce] {
				t.Fatal("a nonce was used twice")
			}
			nonces[r.Sealed[0].Nonce] = true
		}
	}
}

func TestFailEndsEverythingWithAnAnswer(t *testing.T) {
	f := start(t, nil)
	f.lead(t, 2)
	flying := f.submit(t, 2)
	<-f.desk.arrived
	open := f.submit(t, 4)
	<-open.Executed()
	broken := errors.New("the disk is full")
	f.Fail(broken)
	if err := flying.Wait(t.Context()); !errors.Is(err, ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	if err := open.Wait(t.Context()); err == nil {
		t.Fatal("an abandoned request was called committed")
	}
	if _, err := f.Submit(&Request{Protocol: "counter", Bytes: []byte{2}}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

func TestDrainWaitsForEveryOutcome(t *testing.T) {
	f := start(t, nil)
	if err := f.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.lead(t, 2)
	ticket := f.submit(t, 2)
	<-f.desk.arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("a block is in flight: %v", err)
	}
	f.commit(t, 1)
	if err := f.Drain(t.Context()); err != nil || ticket.Err() != nil {
		t.Fatal(err, ticket.Err())
	}
}

func TestStatusRule(t *testing.T) {
	local := views{{1, 1}, {2, 2}, {4, 10}}
	for _, c := range []struct {
		tx                             TxID
		last, committed, committedView uint64
		want                           Status
	}{
		{TxID{1, 1}, 12, 5, 4, StatusCommitted},
		{TxID{2, 1}, 12, 5, 4, StatusInvalid},
		{TxID{2, 5}, 12, 5, 4, StatusCommitted},
		{TxID{4, 5}, 12, 5, 4, StatusInvalid},
		{TxID{2, 6}, 12, 5, 2, StatusPending},
		{TxID{4, 10}, 12, 5, 2, StatusPending},
		{TxID{3, 10}, 12, 5, 2, StatusUnknown},
		{TxID{3, 10}, 12, 5, 4, StatusInvalid},
		{TxID{4, 13}, 12, 5, 2, StatusUnknown},
		{TxID{2, 13}, 12, 5, 4, StatusInvalid},
	} {
		if got := statusOf(c.tx, local, c.last, c.committed, c.committedView); got != c.want {
			t.Errorf("%v with commit %d in view %d: %v, want %v", c.tx, c.committed, c.committedView, got, c.want)
		}
	}
}

func TestParseTxID(t *testing.T) {
	if tx, err := ParseTxID("2.17"); err != nil || tx != (TxID{2, 17}) {
		t.Fatal(tx, err)
	}
	for _, text := range []string{"", "2", "2.", ".2", "0.1", "1.0", "02.1", "2.1.1", "-1.2", "+1.2", "99999999999999999999.1", "0x1.1"} {
		if _, err := ParseTxID(text); !errors.Is(err, ErrTxID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
