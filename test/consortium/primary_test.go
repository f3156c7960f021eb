package consortium

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// TestKillPrimary kills the primary under load, again and again. Another leads in
// a higher view; the killed one comes back as a new node.
func TestKillPrimary(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for range 3 {
		l.more(t, 50)
		primary, view := net.leader()
		primary.kill()
		next, higher := net.leader()
		if next == primary || higher <= view {
			t.Errorf("node %d leads in view %d after node %d in view %d", next.number, higher, primary.number, view)
		}
		l.more(t, 20)
		primary.again(t)
	}
	l.more(t, 50)
	l.settle(t)
}

// TestDrain hands leadership from node to node under load. No client hears of it.
func TestDrain(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for range 3 {
		l.more(t, 30)
		primary, view := net.leader()
		net.drain(primary)
		next, higher := net.leader()
		if next == primary || higher <= view {
			t.Errorf("node %d leads in view %d after node %d in view %d was drained", next.number, higher, primary.number, view)
		}
		if code := primary.interrupt(t); code != 0 {
			t.Errorf("the drained node %d ended with %d:\n%s", primary.number, code, primary.said())
		}
		l.more(t, 30)
		primary.again(t)
	}
	l.settle(t)
}

// drain tells a node to hand leadership over.
func (net *network) drain(n *node) {
	net.t.Helper()
	net.note(func(c *counts) { c.drains++ })
	net.coco("node", "drain", "--config", n.config)
}

// TestPausePrimary lets the primary take a transaction that it cannot commit, and
// stand still while the others elect. What it had is committed whole or is
// Invalid, and everybody agrees which.
func TestPausePrimary(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	l.more(t, 50)
	primary, view := net.leader()
	backups := net.others(primary)
	for _, b := range backups {
		b.pause()
	}
	txid, hash := l.uncommitted(t, primary)
	primary.pause()
	for _, b := range backups {
		b.resume()
	}
	next, higher := net.leader(backups...)
	if higher <= view {
		t.Errorf("view %d after %d", higher, view)
	}
	l.more(t, 50)
	primary.resume()
	l.more(t, 20)
	net.catchUp(t)
	l.ends(t, txid, hash, "")
	t.Logf("node %d led in view %d, then node %d in view %d", primary.number, view, next.number, higher)
	l.settle(t)
}

// uncommitted sends a transaction to a node that has just lost the others and
// gives the TxID that it got there. The node must not have noticed yet that it
// leads no more; "" when it had.
func (l *load) uncommitted(t *testing.T, n *node) (string, common.Hash) {
	t.Helper()
	raw, hash := newAccount().sign(l.net.chain, &l.contract, swapData(0, l.ids.Add(1)))
	if err := n.call(t.Context(), new(common.Hash), "eth_sendRawTransaction", raw); err != nil {
		t.Logf("the transaction was not taken: %v", err)
		return "", hash
	}
	for range 100 {
		var s standing
		if err := n.call(t.Context(), &s, "coco_getTransactionStatus", hash); err == nil && s.TxID != "" {
			if s.Status == "Committed" {
				t.Errorf("%s is committed although no majority can have it", s.TxID)
			}
			return s.TxID, hash
		}
		pause(t.Context(), time.Millisecond)
	}
	return "", hash
}

// ends checks, on all nodes and once they have caught up, what became of a transaction
// that had a TxID without being committed, and that the TxID's status is as
// wanted, if anything is.
func (l *load) ends(t *testing.T, txid string, hash common.Hash, want string) {
	t.Helper()
	for _, n := range l.net.running() {
		var s, by standing
		await(t, "the transaction to come to its end", func() bool {
			err := n.call(context.Background(), &s, "coco_getTransactionStatus", hash)
			return err == nil && (s.Status == "Committed" || s.Status == "Unknown" || strings.HasPrefix(s.Status, "refused"))
		})
		if s.Status != "Committed" {
			t.Logf("node %d: the transaction ended as %+v", n.number, s)
		}
		if txid == "" {
			continue
		}
		if err := n.call(t.Context(), &by, "coco_getTransactionStatus", txid); err != nil {
			t.Error(err)
			continue
		}
		l.txids.saw(n, txid, by.Status)
		if same := s.TxID == txid; by.Status != "Committed" && same || by.Status != "Invalid" && !same || want != "" && by.Status != want {
			t.Errorf("node %d: %s was given first and is %s (wanted: %s); the transaction is %s as %s", n.number, txid, by.Status, want, s.Status, s.TxID)
		}
	}
}
