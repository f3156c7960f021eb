package replicated

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
)

func wantCommitted(t *testing.T, e *pool.Entry) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Wait(ctx); err != nil {
		t.Errorf("transaction of nonce %d: %v", e.Transaction().Nonce(), err)
	}
}

func wantRefused(t *testing.T, e *pool.Entry, code problem.Code) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Wait(ctx); problem.CodeOf(err) != code {
		t.Errorf("transaction of nonce %d: %v, want %s", e.Transaction().Nonce(), err, code)
	}
}

// A transaction that waits on one node goes on when the one before it, which went
// through another node, is committed: with the block, not with the time.
func TestTurnThroughAnotherNode(t *testing.T) {
	w := newNetwork(t, 3)
	w.elect(w.nodes[0], 0)
	w.step()
	first, _ := w.sign(0, 0, 1)
	second, _ := w.sign(0, 1, 1)
	third, _ := w.sign(0, 2, 1)
	last, err := w.nodes[2].admit(third)
	must(t, err)
	middle, err := w.nodes[1].admit(second)
	must(t, err)
	if _, err = w.nodes[0].admit(first); err != nil || !last.Waiting() || !middle.Waiting() {
		t.Fatalf("%v, or they do not wait for their turn", err)
	}
	w.settle()
	wantCommitted(t, middle)
	wantCommitted(t, last)
	for _, n := range w.nodes {
		if got := n.call("eth_getTransactionCount", last.Transaction().From, "pending"); got != `"0x3"` {
			t.Errorf("node %d: the next nonce is %s", n.id, got)
		}
	}
}

// Of two transactions with one nonce that go through two nodes one is committed.
// The other is refused for good, also where it waited for its turn.
func TestOvertaken(t *testing.T) {
	w := newNetwork(t, 3)
	w.elect(w.nodes[0], 0)
	w.step()
	zero, _ := w.sign(0, 0, 1)
	one, _ := w.sign(0, 1, 1)
	rival, _ := w.sign(0, 1, 2)
	other, _ := w.sign(0, 0, 2)
	waits, err := w.nodes[1].admit(rival)
	must(t, err)
	flies, err := w.nodes[2].admit(other)
	must(t, err)
	for _, raw := range [][]byte{zero, one} {
		_, err := w.nodes[0].admit(raw)
		must(t, err)
	}
	w.nodes[0].forwarder.pump(nil)
	w.nodes[0].sequencer.Step()
	w.decide(9)
	for _, n := range w.nodes {
		n.deliver(9)
	}
	wantRefused(t, flies, "NONCE_TOO_LOW") // although nobody has answered
	w.nodes[0].sequencer.Step()
	w.decide(9)
	w.nodes[1].deliver(9)
	wantRefused(t, waits, "NONCE_TOO_LOW")
	w.settle()
	for _, n := range w.nodes[1:] {
		if s := n.status(n.entries[0].Hash()); s.Status != "refused: nonce too low: next nonce "+map[int]string{1: "2, tx nonce 1", 2: "1, tx nonce 0"}[n.id] {
			t.Errorf("node %d: %+v", n.id, s)
		}
	}
}

// The same transaction through all nodes is committed once, and is so for all of
// them; sending it once more is told in geth's words.
func TestSameThroughAll(t *testing.T) {
	w := newNetwork(t, 3)
	w.elect(w.nodes[0], 0)
	w.step()
	raw, hash := w.sign(0, 0, 1)
	later, laterHash := w.sign(0, 1, 1)
	var entries []*pool.Entry
	for _, n := range w.nodes {
		e, err := n.admit(raw)
		must(t, err)
		entries = append(entries, e)
		if got := n.call("eth_sendRawTransaction", raw); !strings.Contains(got, `"message":"already known"`) {
			t.Errorf("sent again: %s", got)
		}
	}
	e, err := w.nodes[1].admit(later) // its turn comes behind that of the first on its own node
	must(t, err)
	entries = append(entries, e)
	w.settle()
	for _, e := range entries {
		wantCommitted(t, e)
	}
	if n := w.nodes[0].forwarder.arrived; n != 2 {
		t.Errorf("%d requests reached the sequencer", n)
	}
	for _, n := range w.nodes {
		if s := n.status(hash); s.Status != "Committed" || s.TxID != "2.2" {
			t.Errorf("node %d: %+v", n.id, s)
		}
		if s := n.status(laterHash); s.Status != "Committed" || s.TxID != "2.3" {
			t.Errorf("node %d: %+v", n.id, s)
		}
		got := n.call("eth_sendRawTransaction", raw)
		if !strings.Contains(got, `"nonce too low: next nonce 2, tx nonce 0"`) || !strings.Contains(got, "this very transaction is committed") {
			t.Errorf("sent again: %s", got)
		}
		if got := n.call("eth_sendRawTransactionSync", raw); !strings.Contains(got, `"status":"0x1"`) || !strings.Contains(got, hash.Hex()) {
			t.Errorf("sent again and waited for: %s", got)
		}
	}
}

// What a leader executed and took with it is executed again by the next one.
func TestLostWithItsLeader(t *testing.T) {
	w := newNetwork(t, 3)
	w.elect(w.nodes[0], 0)
	w.step()
	raw, hash := w.sign(0, 0, 1)
	own, ownHash := w.sign(1, 0, 1)
	e, err := w.nodes[1].admit(raw)
	must(t, err)
	o, err := w.nodes[0].admit(own)
	must(t, err)
	for _, n := range w.nodes[:2] {
		n.forwarder.pump(nil)
	}
	w.nodes[0].sequencer.Step()
	for _, n := range w.nodes[:2] {
		n.forwarder.hear(nil)
	}
	if s := w.nodes[1].status(hash); s.Status != "Pending" || s.TxID == "" {
		t.Errorf("executed by the first leader: %+v", s)
	}
	w.elect(w.nodes[2], 0)
	w.settle()
	wantCommitted(t, e)
	wantCommitted(t, o)
	for _, n := range w.nodes {
		for _, h := range []string{hash.Hex(), ownHash.Hex()} {
			if got := n.call("eth_getTransactionReceipt", h); !strings.Contains(got, `"status":"0x1"`) {
				t.Errorf("node %d: %s", n.id, got)
			}
		}
		if s := n.status(hash); s.Status != "Committed" || !strings.HasPrefix(s.TxID, "3.") {
			t.Errorf("node %d: %+v", n.id, s)
		}
	}
}

// When one of a sender's transactions is refused at the primary, those behind it
// wait once more, and go on when another one takes its place.
func TestRefusedInTheMiddle(t *testing.T) {
	w := newNetwork(t, 2)
	w.elect(w.nodes[0], 0)
	w.step()
	var entries []*pool.Entry
	for nonce := range uint64(3) {
		raw, _ := w.sign(0, nonce, 1)
		e, err := w.nodes[1].admit(raw)
		must(t, err)
		entries = append(entries, e)
	}
	f := w.nodes[1].forwarder
	f.end(f.order[0], problem.New("TEST_REFUSED", "for a reason of its own", ""))
	w.settle()
	wantRefused(t, entries[0], "TEST_REFUSED")
	w.nodes[1].pool.Tick() // takes note of what nobody asked about
	for _, e := range entries[1:] {
		if !e.Waiting() {
			t.Errorf("nonce %d does not wait", e.Transaction().Nonce())
		}
	}
	raw, _ := w.sign(0, 0, 2)
	e, err := w.nodes[0].admit(raw)
	must(t, err)
	w.settle()
	wantCommitted(t, e)
	wantCommitted(t, entries[1])
	wantCommitted(t, entries[2])
}

// Without a primary reads go on, and who writes is told to try again.
func TestNoPrimary(t *testing.T) {
	w := newNetwork(t, 2)
	w.elect(w.nodes[0], 0)
	raw, _ := w.sign(0, 0, 1)
	e, err := w.nodes[1].admit(raw)
	must(t, err)
	ahead, _ := w.sign(0, 2, 1)
	waits, err := w.nodes[1].admit(ahead)
	must(t, err)
	w.settle()
	wantCommitted(t, e)
	w.depose()
	for _, n := range w.nodes {
		n.forwarder.refuse = problem.New("NO_PRIMARY", "the network has no primary", "try again later")
		next, _ := w.sign(0, 1, 1)
		if got := n.call("eth_sendRawTransaction", next); got != `{"code":-32005,"message":"the network has no primary","data":{"code":"NO_PRIMARY","next":"try again later"}}` {
			t.Errorf("node %d: %s", n.id, got)
		}
		if got := n.call("eth_blockNumber"); got != `"0x1"` {
			t.Errorf("node %d: block %s", n.id, got)
		}
		if got := n.call("eth_chainId"); got != `"0xc0c0"` {
			t.Errorf("node %d: chain %s", n.id, got)
		}
	}
	w.now = w.now.Add(2 * time.Minute)
	w.nodes[1].pool.Tick()
	wantRefused(t, waits, "NONCE_GAP")
	if _, err := w.nodes[1].admit(raw); !errors.Is(err, pool.ErrNonceTooLow) {
		t.Errorf("the committed one again: %v", err)
	}
}
