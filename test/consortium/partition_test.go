package consortium

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestIsolatedPrimary cuts the primary off. The others go on without it; it says
// that it can write nothing and confirm nothing, and goes on to show what is
// committed. What it had in its log and nobody else is Invalid when it is back.
func TestIsolatedPrimary(t *testing.T) {
	onEachWire(t, func(t *testing.T, w wire) {
		net := found(t, w, 3)
		l := net.begin(t)
		l.more(t, 50)
		var primary *node
		var view uint64
		var txid string
		var hash common.Hash
		for try := 0; txid == "" && try < 20; try++ {
			net.heal()
			primary, view = net.leader()
			net.isolate(primary)
			txid, hash = l.uncommitted(t, primary)
		}
		if txid == "" {
			t.Fatal("no primary took a transaction that it could not commit")
		}
		next, higher := net.leader(net.others(primary)...)
		if higher <= view {
			t.Errorf("node %d leads in view %d, node %d led in view %d", next.number, higher, primary.number, view)
		}
		l.more(t, 50)
		l.alone(t, primary)
		net.heal()
		l.more(t, 20)
		net.catchUp(t)
		l.ends(t, txid, hash, "Invalid")
		if s, err := primary.status(); err != nil || s.View < higher {
			t.Errorf("the old primary is in view %d, the network was in %d: %v", s.View, higher, err)
		}
		l.settle(t)
	})
}

// alone checks what a node says that has lost the majority.
func (l *load) alone(t *testing.T, n *node) {
	t.Helper()
	var height hexutil.Uint64
	if err := n.call(t.Context(), &height, "eth_blockNumber"); err != nil {
		t.Errorf("a node without a majority does not show what is committed: %v", err)
	}
	l.noPrimary(t, n) // what was acknowledged on its way to the node has arrived by then
	if err := n.call(t.Context(), &height, "eth_blockNumber"); err != nil {
		t.Error(err)
	}
	await(t, "the node to say that it cannot confirm a read", func() bool {
		_, err := n.register(t.Context(), "/?read=linearizable", l.contract, 1)
		if err == nil {
			t.Fatal("a node without a majority confirmed a read")
		}
		return codeOf(err) == "READ_NOT_CONFIRMED"
	})
	for range 20 {
		var later hexutil.Uint64
		if err := n.call(t.Context(), &later, "eth_blockNumber"); err != nil || later != height {
			t.Errorf("a node without a majority was at block %d, then at %d: %v", height, later, err)
		}
	}
}

// noPrimary waits until a node refuses writes because there is no primary.
func (l *load) noPrimary(t *testing.T, n *node) {
	t.Helper()
	await(t, "the node to say that there is no primary", func() bool {
		raw, _ := newAccount().sign(l.net.chain, &l.contract, swapData(0, l.ids.Add(1)))
		err := n.call(t.Context(), new(receipt), "eth_sendRawTransactionSync", raw, hexutil.Uint64(500))
		if err == nil {
			t.Fatal("a node without a majority committed a transaction")
		}
		return codeOf(err) == "NO_PRIMARY"
	})
}

// TestOneWay lets packets pass in one direction only.
func TestOneWay(t *testing.T) {
	onEachWire(t, func(t *testing.T, w wire) {
		net := found(t, w, 3)
		l := net.begin(t)
		l.more(t, 30)

		primary, view := net.leader()
		net.cut(primary, net.others(primary)[0]) // one backup hears nothing from the primary
		l.more(t, 60)
		net.heal()
		if _, now := net.leader(); now != view {
			t.Logf("view %d became %d although the primary had a majority", view, now)
		}

		primary, view = net.leader()
		for _, b := range net.others(primary) { // it hears them, they do not hear it
			net.cut(primary, b)
		}
		if next, higher := net.leader(net.others(primary)...); next == primary || higher <= view {
			t.Errorf("node %d leads in view %d after node %d in view %d, whom nobody hears", next.number, higher, primary.number, view)
		}
		l.more(t, 30)
		net.heal()

		primary, view = net.leader()
		for _, b := range net.others(primary) { // they hear it, it does not hear them
			net.cut(b, primary)
		}
		if next, higher := net.leader(net.others(primary)...); next == primary || higher <= view {
			t.Errorf("node %d leads in view %d after node %d in view %d, which hears nobody", next.number, higher, primary.number, view)
		}
		l.more(t, 30)
		l.settle(t)
	})
}

// TestMajorityLost stops two of three nodes, the primary among them or not. The
// third acknowledges nothing and shows what is committed; when they are back
// everything that was on its way comes to its end.
func TestMajorityLost(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for _, primaryToo := range []bool{false, true} {
		l.more(t, 50)
		left, _ := net.leader()
		if primaryToo {
			left = net.others(left)[0]
		}
		for _, n := range net.others(left) {
			n.pause()
		}
		l.alone(t, left)
		before := l.acknowledged()
		for range 3 {
			l.noPrimary(t, left)
		}
		if now := l.acknowledged(); now != before {
			t.Errorf("%d writes were acknowledged without a majority", now-before)
		}
		net.heal()
	}
	l.more(t, 50)
	l.settle(t)
}
