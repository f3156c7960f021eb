package forward

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/sequencer/sequencertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seed = flag.Uint64("forward.seed", 0, "run this seed of the model tests alone")

// guard is how long a test waits for what must come.
const guard = time.Minute

// node is a node of the network with its forwarder.
type node struct {
	*sequencertest.Node
	intake    *Intake
	forwarder *Forwarder
}

// world is a network of nodes that forward, over pipes that a test cuts.
type world struct {
	*sequencertest.Network
	nodes []*node
	ctx   context.Context
	stop  func() // ends everything and waits
	group sync.WaitGroup
	dial  func(*world, *node, uint64) (net.Conn, error)

	mu    sync.Mutex
	conns []net.Conn
	slow  *rand.Rand
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newWorld makes a network whose sequencers and forwarders run until the test
// ends.
func newWorld(t testing.TB, n int, limits Limits, change func(*sequencer.Config)) *world {
	t.Helper()
	w := &world{dial: (*world).pipe}
	w.Network = sequencertest.New(t, n, func(_ int, c *sequencer.Config) {
		if change != nil {
			change(c)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = ctx
	for _, s := range w.Nodes {
		d := &node{Node: s}
		d.intake = NewIntake(s.Sequencer, map[string]Decoder{sequencertest.Protocol: s.Tally}, s.Leader, limits, quiet())
		d.forwarder = New(Config{Intake: d.intake, Leader: s.Leader, Limits: limits, Logger: quiet(),
			Dial: func(_ context.Context, leader uint64) (net.Conn, error) { return w.dial(w, d, leader) }})
		s.Attach(s, d.forwarder)
		w.nodes = append(w.nodes, d)
	}
	for _, d := range w.nodes {
		w.group.Go(func() { d.Run(ctx) })
		w.group.Go(func() { d.forwarder.Run(ctx) })
	}
	w.stop = func() { cancel(); w.group.Wait() }
	t.Cleanup(w.stop)
	return w
}

// pipe is a stream in memory to a node's intake, slow at times.
func (w *world) pipe(from *node, to uint64) (net.Conn, error) {
	a, b := net.Pipe()
	w.mu.Lock()
	w.conns = append(w.conns, a)
	w.mu.Unlock()
	w.group.Go(func() { w.nodes[to-1].intake.Serve(w.ctx, from.ID, &lazy{b, w}) })
	return &lazy{a, w}, nil
}

// lazy is a connection whose writes take their time now and then.
type lazy struct {
	net.Conn
	w *world
}

func (l *lazy) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	var wait time.Duration
	if l.w.slow != nil && l.w.slow.IntN(6) == 0 {
		wait = time.Duration(l.w.slow.IntN(400)) * time.Microsecond
	}
	l.w.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
	return l.Conn.Write(b)
}

func (w *world) cut(rng *rand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.conns); n > 0 {
		i := rng.IntN(n)
		w.conns[i].Close()
		w.conns[i] = w.conns[n-1]
		w.conns = w.conns[:n-1]
	}
}

// sent is a request with its ticket.
type sent struct {
	*Ticket
	id []byte
	at *node
}

// model is one random run.
type model struct {
	*world
	t     *testing.T
	rng   *rand.Rand
	id    uint64
	turn  []uint64 // next number of each sender; the sender's node is fixed
	sent  []sent
	quick bool // requests expire
}

func (m *model) event() {
	d := m.nodes[m.rng.IntN(len(m.nodes))]
	switch k := m.rng.IntN(200); {
	case k < 60:
		m.submit(d)
	case k < 110:
		if l := m.leader(); l != nil {
			l.Replicate(d.Node, 1+m.rng.IntN(4))
		}
	case k < 180:
		if err := d.Deliver(1 + m.rng.IntN(6)); err != nil {
			m.t.Fatal(err)
		}
	case k < 190:
		time.Sleep(time.Duration(m.rng.IntN(200)) * time.Microsecond) // lets the others run: nothing is decided by it
	case k < 194:
		m.cut(m.rng)
	case k < 196 || m.leader() == nil:
		d.Elect(func(*sequencertest.Node) bool { return m.rng.IntN(4) > 0 })
	case k < 197:
		d.Resign()
	}
}

func (m *model) leader() *sequencertest.Node {
	var leaders []*sequencertest.Node
	for _, d := range m.nodes {
		if d.Leads() {
			leaders = append(leaders, d.Node)
		}
	}
	if len(leaders) == 0 {
		return nil
	}
	return leaders[m.rng.IntN(len(leaders))]
}

// submit submits something new, the next of a sender, or what another node got
// before.
func (m *model) submit(d *node) {
	m.id++
	r := &sequencer.Request{Protocol: sequencertest.Protocol, ID: binary.BigEndian.AppendUint64(nil, m.id), Caller: []byte("somebody")}
	sender := -1
	switch m.rng.IntN(3) {
	case 0:
		if !m.quick { // one that expires is missing to those behind it
			sender = m.rng.IntN(len(m.turn))
			d = m.nodes[sender%len(m.nodes)]
			r.Bytes = sequencertest.Turn(byte(sender), m.turn[sender])
		}
	case 1:
		if n := len(m.sent); n > 0 && m.rng.IntN(2) == 0 {
			if old := m.sent[n-1-m.rng.IntN(min(n, 40))]; len(old.request.Bytes) == 0 {
				r.ID = old.id
			}
		}
	}
	ticket, err := d.forwarder.Submit(r)
	if err != nil {
		if !errors.Is(err, sequencer.ErrBusy) && !errors.Is(err, ErrNoPrimary) {
			m.t.Fatal(err)
		}
		return
	}
	if sender >= 0 {
		m.turn[sender]++
	}
	m.sent = append(m.sent, sent{ticket, r.ID, d})
}

// settle ends all faults and waits for every ticket.
func (m *model) settle() {
	deadline := time.Now().Add(guard)
	var leader *sequencertest.Node
	for leader == nil {
		for _, d := range m.nodes {
			if d.Elect(func(*sequencertest.Node) bool { return true }) {
				leader = d.Node
				break
			}
		}
	}
	for _, s := range m.sent {
		for open := true; open; {
			select {
			case <-s.Done():
				open = false
			default:
				if err := m.Round(leader); err != nil {
					m.t.Fatal(err)
				}
				if time.Now().After(deadline) {
					m.t.Fatalf("%x has no outcome: %+v", s.id, s.at.forwarder.Counts())
				}
				time.Sleep(20 * time.Microsecond)
			}
		}
	}
	// What was executed and not yet committed when the last ticket ended.
	for range 3 {
		if err := m.Round(leader); err != nil {
			m.t.Fatal(err)
		}
	}
}

// judge holds every ticket to the ledger.
func (m *model) judge() {
	ledger := map[string]sequencer.TxID{}
	for _, e := range m.Ledger() {
		if e.Kind != format.EntryBlock {
			continue
		}
		b, err := envelope.Open(m.Ring, &e)
		if err != nil {
			m.t.Fatal(err)
		}
		for i := range b.Records {
			id := string(b.Records[i].Private.NativeID)
			tx := sequencer.TxID{View: e.Term, Seqno: b.Header.FirstSeqno + uint64(i)}
			if before, twice := ledger[id]; twice {
				m.t.Errorf("%x is in the ledger as %v and as %v", id, before, tx)
			}
			ledger[id] = tx
		}
	}
	times := map[string]int{}
	for _, s := range m.sent {
		times[string(s.id)]++
	}
	for _, s := range m.sent {
		name, committed := ledger[string(s.id)]
		tx, _ := s.TxID()
		switch err := s.Err(); {
		case err == nil && (!committed || tx != name):
			m.t.Errorf("%x was called committed as %v; in the ledger: %v, as %v", s.id, tx, committed, name)
		case err == nil && s.at.StatusOf(tx) != sequencer.StatusCommitted:
			m.t.Errorf("%x was called committed by a node that did not publish it", s.id)
		case err != nil && !m.quick:
			m.t.Errorf("%x: %v", s.id, err)
		case errors.Is(err, ErrExpired) && committed && times[string(s.id)] == 1: // else it came in another way too
			m.t.Errorf("%x was called expired; the ledger has it as %v", s.id, name)
		case err != nil && !errors.Is(err, ErrExpired) && !errors.Is(err, sequencer.ErrOutcomeUnknown):
			m.t.Errorf("%x: %v", s.id, err)
		}
	}
	for _, d := range m.nodes {
		if err := d.Tally.Wrong(); err != nil {
			m.t.Errorf("node %d: %v", d.ID, err)
		}
		if c := d.forwarder.Counts(); c.Kept != 0 || c.Bytes != 0 {
			m.t.Errorf("node %d keeps %+v", d.ID, c)
		}
	}
}

func runModel(t *testing.T, s uint64, quick bool) (c Counts, joined, found uint64, outcomes map[string]int) {
	limits := Limits{Requests: 400, Window: 16, Silence: 20 * time.Millisecond, Patience: 50 * time.Millisecond, Backoff: 2 * time.Millisecond, Expiry: 2 * guard}
	if quick {
		limits.Expiry = 8 * time.Millisecond
	}
	rng := rand.New(rand.NewPCG(s, 5))
	w := newWorld(t, 3+rng.IntN(3), limits, func(c *sequencer.Config) { c.Limits.Queue, c.Limits.Records = 12, 7 })
	w.slow = rand.New(rand.NewPCG(s, 6))
	m := &model{world: w, t: t, rng: rng, turn: make([]uint64, 8), quick: quick}
	for range 3000 {
		m.event()
	}
	m.settle()
	m.judge()
	outcomes = map[string]int{}
	for _, x := range m.sent {
		switch err := x.Err(); {
		case err == nil:
			outcomes["committed"]++
		case errors.Is(err, ErrExpired):
			outcomes["expired"]++
		default:
			outcomes["unknown"]++
		}
	}
	for _, d := range m.nodes {
		k := d.forwarder.Counts()
		c.Sent, c.Again, c.Streams, c.Expired = c.Sent+k.Sent, c.Again+k.Again, c.Streams+k.Streams, c.Expired+k.Expired
		j, f := d.intake.Noticed()
		joined, found = joined+j, found+f
	}
	return c, joined, found, outcomes
}

// TestEveryRequestOnceInOrder lets primaries come and go and cuts streams. Every
// request that a forwarder took is committed once, and each sender's in order.
func TestEveryRequestOnceInOrder(t *testing.T) { seeds(t, false) }

// TestExpiryTellsTheTruth does the same with requests that expire.
func TestExpiryTellsTheTruth(t *testing.T) { seeds(t, true) }

func seeds(t *testing.T, quick bool) {
	first, n := uint64(1), uint64(20)
	if testing.Short() {
		n = 8
	}
	if *seed != 0 {
		first, n = *seed, 1
	}
	var all Counts
	var joined, found uint64
	total := map[string]int{}
	for s := first; s < first+n; s++ {
		ok := t.Run("", func(t *testing.T) {
			c, j, f, outcomes := runModel(t, s, quick)
			all.Sent, all.Again, all.Streams, all.Expired = all.Sent+c.Sent, all.Again+c.Again, all.Streams+c.Streams, all.Expired+c.Expired
			joined, found = joined+j, found+f
			for k, v := range outcomes {
				total[k] += v
			}
		})
		if !ok {
			t.Fatalf("seed %d", s)
		}
	}
	t.Logf("%v; sent %d, again %d, streams %d, expired %d; joined %d, found %d", total, all.Sent, all.Again, all.Streams, all.Expired, joined, found)
	if *seed == 0 && (all.Again == 0 || joined == 0 || found == 0 || total["committed"] == 0 || quick && total["expired"] == 0) {
		t.Fatal("the runs are too tame")
	}
}
