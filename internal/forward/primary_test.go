package forward

import (
	"bufio"
	"context"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// backup is the sequencer of a node that is no primary.
type backup struct{ turned chan struct{} }

func (backup) Submit(*sequencer.Request) (*sequencer.Ticket, error) {
	return nil, sequencer.ErrNotPrimary
}
func (b backup) Serving() (uint64, <-chan struct{})     { return 0, b.turned }
func (b backup) Room() <-chan struct{}                  { return b.turned }
func (backup) StatusOf(sequencer.TxID) sequencer.Status { return sequencer.StatusUnknown }

// compass says who leads.
type compass struct {
	mu      sync.Mutex
	id      uint64
	changed chan struct{}
}

func (c *compass) leader() (uint64, bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id, false, c.changed
}

func (c *compass) point(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.id, c.changed = id, make(chan struct{})
}

// alone runs the forwarder of a backup; each dialled node plays its part on the
// other end of a stream.
func alone(t *testing.T, l Limits, part func(to uint64, conn net.Conn)) (*Forwarder, *compass) {
	c, b := &compass{id: 2, changed: make(chan struct{})}, backup{make(chan struct{})}
	f := New(Config{Intake: NewIntake(b, nil, c.leader, l, quiet()), Leader: c.leader, Limits: l, Logger: quiet(),
		Dial: func(_ context.Context, to uint64) (net.Conn, error) {
			here, there := net.Pipe()
			go part(to, there)
			return here, nil
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return f, c
}

func happens(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(guard):
		t.Fatal(what + ": not in time")
	}
}

// TestANewPrimaryEndsWaitingForTheOld lets the old one stand still before its
// greeting, and behind it, when a request is to be written.
func TestANewPrimaryEndsWaitingForTheOld(t *testing.T) {
	for _, greets := range []bool{false, true} {
		old, fresh, end := make(chan struct{}), make(chan struct{}, 64), make(chan struct{})
		f, c := alone(t, Limits{Silence: time.Hour}, func(to uint64, conn net.Conn) {
			defer conn.Close()
			if to != 2 {
				select {
				case fresh <- struct{}{}:
				default:
				}
				return
			}
			if greets {
				var w writer
				_, _ = conn.Write(w.numbers(kindHello, 5, 100, 1<<20))
				_, _ = conn.Read(make([]byte, 1)) // a request is being written
			}
			close(old)
			<-end
		})
		if _, err := f.Submit(request(1)); err != nil {
			t.Fatal(err)
		}
		happens(t, old, "the old primary is reached")
		c.point(3)
		happens(t, fresh, "the new primary is dialled")
		close(end)
	}
}

// TestViewsFarAhead: a greeting or an answer that names a view which no network
// gets to is believed no more than any other junk.
func TestViewsFarAhead(t *testing.T) {
	for _, inGreeting := range []bool{true, false} {
		again := make(chan struct{}, 64)
		f, _ := alone(t, Limits{Backoff: time.Millisecond}, func(_ uint64, conn net.Conn) {
			defer conn.Close()
			select {
			case again <- struct{}{}:
			default:
			}
			var w writer
			if inGreeting {
				_, _ = conn.Write(w.numbers(kindHello, math.MaxUint64, 100, 1<<20))
				return
			}
			_, _ = conn.Write(w.numbers(kindHello, 5, 100, 1<<20))
			if _, _, err := readFrame(bufio.NewReader(conn), maxFrame); err == nil {
				_, _ = conn.Write(w.answers([]answer{{number: 1, verdict: verdictExecuted, tx: sequencer.TxID{View: math.MaxUint64, Seqno: 1}}}))
			}
		})
		k, err := f.Submit(request(1))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			happens(t, again, "a stream after the junk")
		}
		if tx, ok := k.TxID(); ok {
			t.Fatalf("it is %v", tx)
		}
		f.mu.Lock()
		if k.sent > 5 {
			t.Errorf("sent in view %d", k.sent)
		}
		f.mu.Unlock()
	}
}

// TestExpiredRequestsKeepTheirPlaces: what a primary did not answer counts in its
// window, whether anybody waits for it here or not.
func TestExpiredRequestsKeepTheirPlaces(t *testing.T) {
	const window = 3
	numbers, answer1 := make(chan uint64, 64), make(chan struct{})
	f, _ := alone(t, Limits{Silence: time.Hour, Expiry: time.Hour}, func(_ uint64, conn net.Conn) {
		defer conn.Close()
		var w writer
		_, _ = conn.Write(w.numbers(kindHello, 5, window, 1<<20))
		go func() {
			<-answer1
			_, _ = conn.Write(w.answers([]answer{{number: 1, verdict: verdictNotCommitted}}))
		}()
		in := bufio.NewReader(conn)
		for {
			_, body, err := readFrame(in, maxFrame)
			if err != nil {
				return
			}
			list, _ := readRequests(body)
			for _, m := range list {
				numbers <- m.number
			}
		}
	})
	next := func(want uint64) {
		t.Helper()
		select {
		case n := <-numbers:
			if n != want {
				t.Fatalf("request %d is sent, %d is next", n, want)
			}
		case <-time.After(guard):
			t.Fatal("no request")
		}
	}
	submit := func(n uint64) *Ticket {
		t.Helper()
		k, err := f.Submit(request(n))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for n := range uint64(window) {
		k := submit(n + 1)
		next(n + 1)
		f.end(k) // as when it expires
		_ = wait(t, k)
	}
	f.end(submit(window + 1)) // there is no place for it, so that it is never sent
	submit(window + 2)
	f.mu.Lock()
	if n := len(f.route.asked); n != window {
		t.Errorf("%d places are taken", n)
	}
	f.mu.Unlock()
	close(answer1)
	next(window + 2)
	select {
	case n := <-numbers:
		t.Fatalf("request %d is sent too", n)
	default:
	}
}
