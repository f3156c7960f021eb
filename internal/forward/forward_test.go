package forward

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/sequencer/sequencertest"
)

func request(n uint64) *sequencer.Request {
	return &sequencer.Request{Protocol: sequencertest.Protocol, ID: binary.BigEndian.AppendUint64(nil, n)}
}

// led makes the first node lead and keeps consensus going until the test ends.
func (w *world) led(t testing.TB) {
	t.Helper()
	leader := w.Nodes[0]
	if !leader.Elect(func(*sequencertest.Node) bool { return true }) {
		t.Fatal("no majority")
	}
	w.group.Go(func() {
		for w.ctx.Err() == nil {
			if err := w.Round(leader); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(50 * time.Microsecond)
		}
	})
}

func wait(t testing.TB, k *Ticket) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guard)
	defer cancel()
	err := k.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("no outcome")
	}
	return err
}

func TestBeyondTheBoundIsBusyAtOnce(t *testing.T) {
	w := newWorld(t, 2, Limits{Requests: 3}, nil)
	f := w.nodes[1].forwarder
	for n := range uint64(3) {
		if _, err := f.Submit(request(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Submit(request(9)); !errors.Is(err, sequencer.ErrBusy) {
		t.Fatal(err)
	}
	if _, err := f.Submit(request(1)); err != nil {
		t.Fatalf("one that is kept already: %v", err)
	}
	f = newWorld(t, 2, Limits{Bytes: 1000}, nil).nodes[1].forwarder
	big := request(1)
	big.Bytes = make([]byte, 600)
	if _, err := f.Submit(big); err != nil {
		t.Fatal(err)
	}
	big = request(2)
	big.Bytes = make([]byte, 600)
	if _, err := f.Submit(big); !errors.Is(err, sequencer.ErrBusy) {
		t.Fatal(err)
	}
	big.Bytes = make([]byte, maxRequest+1)
	if _, err := f.Submit(big); !errors.Is(err, ErrSize) {
		t.Fatal(err)
	}
}

func TestWithoutAPrimary(t *testing.T) {
	w := newWorld(t, 3, Limits{}, nil)
	f := w.nodes[1].forwarder
	kept, err := f.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.lost = f.lost.Add(-DefaultLimits.Patience)
	f.mu.Unlock()
	_, refused := f.Submit(request(2))
	if !errors.Is(refused, ErrNoPrimary) {
		t.Fatal(refused)
	}
	if view, lost := f.Primary(); view != 0 || lost.IsZero() {
		t.Fatalf("view %d, lost since %v", view, lost)
	}
	w.led(t)
	if err := wait(t, kept); err != nil {
		t.Fatalf("what was taken before: %v", err)
	}
}

func TestExpiredBeforeItWasSent(t *testing.T) {
	w := newWorld(t, 2, Limits{Expiry: time.Millisecond}, nil)
	k, err := w.nodes[1].forwarder.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
	if _, ok := k.TxID(); ok {
		t.Fatal("it has a TxID")
	}
}

// TestExpiredHereAndBroughtByAnother: what the ledger holds is never said to have
// expired, whoever brought it.
func TestExpiredHereAndBroughtByAnother(t *testing.T) {
	w := newWorld(t, 2, Limits{}, nil)
	w.led(t)
	d := w.nodes[1]
	k, err := d.forwarder.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); err != nil {
		t.Fatal(err)
	}
	idle := New(Config{Intake: d.intake, Leader: d.Leader, Logger: quiet()}) // it is told of nothing
	for n, want := range []error{1: nil, 2: ErrExpired} {
		if n == 0 {
			continue
		}
		again, err := idle.Submit(request(uint64(n)))
		if err != nil {
			t.Fatal(err)
		}
		idle.end(again)
		if err := wait(t, again); !errors.Is(err, want) {
			t.Fatalf("request %d: %v", n, err)
		}
		tx, named := again.TxID()
		if was, _ := k.TxID(); want == nil && tx != was || named != (want == nil) {
			t.Fatalf("request %d is %v, was %v", n, tx, was)
		}
	}
}

func TestStoppingAnswersEverything(t *testing.T) {
	w := newWorld(t, 2, Limits{}, nil)
	k, err := w.nodes[0].forwarder.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	if err := wait(t, k); !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
	if _, err := w.nodes[0].forwarder.Submit(request(2)); err == nil {
		t.Fatal("it takes requests after its end")
	}
}

// TestAnExecutedRequestOfALostPrimary is cut off with its primary: the outcome is
// unknown until an entry of a later view is published, and then it is not.
func TestAnExecutedRequestOfALostPrimary(t *testing.T) {
	w := newWorld(t, 3, Limits{}, nil)
	w.Nodes[0].Elect(func(*sequencertest.Node) bool { return true })
	for range 3 {
		if err := w.Round(w.Nodes[0]); err != nil {
			t.Fatal(err)
		}
	}
	f := w.nodes[0].forwarder
	k, err := f.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	<-k.Executed()
	if i := w.nodes[0].intake; !i.OnItsWay(request(1).ID) || i.OnItsWay(request(2).ID) {
		t.Error("what is executed and not committed is on its way, and nothing else is")
	}
	tx, _ := k.TxID()
	if err := f.fate(tx.View, tx); !errors.Is(err, sequencer.ErrOutcomeUnknown) {
		t.Fatalf("in the log: %v", err)
	}
	if !w.Nodes[1].Elect(func(n *sequencertest.Node) bool { return n.ID == 3 }) {
		t.Fatal("no majority")
	}
	for range 3 {
		if err := w.Round(w.Nodes[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.fate(tx.View, tx); !errors.Is(err, ErrExpired) {
		t.Fatalf("overwritten: %v", err)
	}
	w.group.Go(func() {
		for w.ctx.Err() == nil {
			if err := w.Round(w.Nodes[1]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err := wait(t, k); err != nil {
		t.Fatal(err)
	}
	if again, _ := k.TxID(); again.View <= tx.View {
		t.Fatalf("it is %v and was %v", again, tx)
	}
	if w.nodes[0].intake.OnItsWay(request(1).ID) {
		t.Error("what is committed is on its way")
	}
}

func TestWhoIsNoPrimarySaysSo(t *testing.T) {
	w := newWorld(t, 3, Limits{}, nil)
	w.led(t)
	for {
		id, _, changed := w.Nodes[2].Leader()
		if id == 1 {
			break
		}
		<-changed
	}
	conn, err := w.pipe(w.nodes[1], 3)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	k, body, err := readFrame(bufio.NewReader(conn), maxFrame)
	if err != nil || k != kindNotPrimary || len(body) != 1 || body[0] != 1 {
		t.Fatal(k, body, err)
	}
}

func TestCallerAndTraceTravel(t *testing.T) {
	w := newWorld(t, 2, Limits{}, nil)
	var mu sync.Mutex
	var got []sequencer.Request
	w.nodes[0].Tally.Seen = func(r *sequencer.Request) {
		mu.Lock()
		got = append(got, *r)
		mu.Unlock()
	}
	w.led(t)
	r := request(1)
	r.Caller, r.Trace = []byte("anonymous"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	k, err := w.nodes[1].forwarder.Submit(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || string(got[0].Caller) != "anonymous" || got[0].Trace != r.Trace || string(got[0].ID) != string(r.ID) {
		t.Fatalf("%+v", got)
	}
}

// TestRefusalsTravel submits what the protocol refuses.
func TestRefusalsTravel(t *testing.T) {
	w := newWorld(t, 2, Limits{}, nil)
	w.led(t)
	r := request(1)
	r.Bytes = sequencertest.Turn(0, 7)
	k, err := w.nodes[1].forwarder.Submit(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); !errors.Is(err, sequencer.ErrExecution) {
		t.Fatal(err)
	}
	r = request(2)
	r.Protocol = "nobody's"
	if k, err = w.nodes[1].forwarder.Submit(r); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); !errors.Is(err, ErrForm) {
		t.Fatal(err)
	}
}

// TestASilentPrimaryIsLeft answers the first stream with a greeting alone.
func TestASilentPrimaryIsLeft(t *testing.T) {
	w := newWorld(t, 2, Limits{Silence: 20 * time.Millisecond, Backoff: time.Millisecond}, nil)
	first := true // only the second node dials
	w.dial = func(w *world, from *node, to uint64) (net.Conn, error) {
		if !first {
			return w.pipe(from, to)
		}
		first = false
		a, b := net.Pipe()
		w.group.Go(func() {
			defer b.Close()
			var frame writer
			_, _ = b.Write(frame.numbers(kindHello, 2, 10, 1000))
			in := bufio.NewReader(b)
			for {
				if _, _, err := readFrame(in, maxFrame); err != nil {
					return
				}
			}
		})
		return a, nil
	}
	w.led(t)
	k, err := w.nodes[1].forwarder.Submit(request(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(t, k); err != nil {
		t.Fatal(err)
	}
	if c := w.nodes[1].forwarder.Counts(); c.Again == 0 || c.Streams < 2 {
		t.Fatalf("%+v", c)
	}
}

// TestBadOriginsKeepNobody opens streams that send junk, more than the window, or
// requests without ever reading an answer.
func TestBadOriginsKeepNobody(t *testing.T) {
	w := newWorld(t, 2, Limits{Window: 8, Silence: 50 * time.Millisecond}, nil)
	w.led(t)
	for {
		view, turned := w.nodes[0].Serving()
		if view != 0 {
			break
		}
		<-turned
	}
	var frame writer
	many := make([]message, 9)
	for n := range many {
		many[n] = message{number: uint64(n + 1), Request: *request(uint64(1000 + n))}
	}
	junk := map[string][]byte{
		"a long frame":      {0xff, 0xff, 0xff, 0xff, 3},
		"an unknown kind":   {0, 0, 0, 1, 9},
		"an answer":         append([]byte(nil), frame.answers(nil)...),
		"beyond the window": append([]byte(nil), frame.requests(many)...),
	}
	for name, data := range junk {
		from := &node{Node: &sequencertest.Node{ID: 77}}
		conn, err := w.pipe(from, 1)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		if k, _, err := readFrame(in, maxFrame); err != nil || k != kindHello {
			t.Fatal(k, err)
		}
		if _, err := conn.Write(data); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readFrame(in, maxFrame); err == nil {
			t.Errorf("%s: the stream goes on", name)
		}
		conn.Close()
	}
	deaf, err := w.pipe(&node{Node: &sequencertest.Node{ID: 78}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	_ = deaf.SetWriteDeadline(time.Now().Add(guard))
	_, _ = deaf.Write(frame.requests(many[:8])) // it may be cut off meanwhile
	for n := range uint64(100) {
		k, err := w.nodes[1].forwarder.Submit(request(n))
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(t, k); err != nil {
			t.Fatal(err)
		}
	}
}
