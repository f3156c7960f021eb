package consortium

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// TestReplaceAll replaces every node of a network under load, one by one: a new
// one joins and votes, an old one is retired, the primary when its turn comes.
func TestReplaceAll(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	old := net.running()
	for _, n := range old {
		l.more(t, 30)
		next := net.node()
		next.again(t)
		net.retire(t, n, n)
		l.more(t, 30)
	}
	net.catchUp(t)
	nodes := net.running()
	if len(nodes) != 3 || slices.ContainsFunc(nodes, func(n *node) bool { return slices.Contains(old, n) }) {
		t.Errorf("%d nodes run", len(nodes))
	}
	s, err := nodes[0].status()
	voters := 0
	for _, p := range s.Nodes {
		if p.State == "voter" {
			voters++
		}
	}
	if err != nil || voters != 3 || len(s.Nodes) != 6 {
		t.Errorf("%d of %d nodes vote: %v", voters, len(s.Nodes), err)
	}
	l.settle(t)
}

// retire tells a node to take one out of the network, which then ends by itself.
func (net *network) retire(t *testing.T, told, gone *node) {
	t.Helper()
	net.note(func(c *counts) { c.retired++ })
	net.coco("node", "retire", strconv.FormatUint(gone.id(), 10), "--config", told.config)
	if code := gone.exits(t); code != 0 {
		t.Errorf("the retired node %d ended with %d:\n%s", gone.number, code, gone.said())
	}
}

// TestRetirePrimary retires the primary, told by a backup, until one node is left,
// and lets others join that one.
func TestRetirePrimary(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for range 2 {
		l.more(t, 30)
		primary, _ := net.leader()
		net.retire(t, net.others(primary)[0], primary)
		l.more(t, 30)
	}
	for range 2 {
		net.node().again(t)
		l.more(t, 30)
	}
	l.settle(t)
}

// small makes snapshots often and lets nodes that join have little at a time.
const small = "snapshot: {records: 50, bytes: 1KiB}\ntransfer: {rate: 2MiB}"

// fill commits transactions that take so much room in the ledger.
func (l *load) fill(t *testing.T, bytes int) {
	t.Helper()
	who := newAccount()
	for ; bytes > 0; bytes -= 100_000 {
		data := make([]byte, 100_000)
		rand.Read(data)
		raw, hash := who.signGas(l.net.chain, &common.Address{0xc0}, data, 16_000_000)
		l.must(t, raw, hash)
	}
}

// signGas is sign for a transaction that needs more gas.
func (a *account) signGas(chain uint64, to *common.Address, data []byte, gas uint64) ([]byte, common.Hash) {
	tx := types.MustSignNewTx(a.key, types.LatestSignerForChainID(number(chain)), &types.DynamicFeeTx{
		ChainID: number(chain), Nonce: a.nonce, GasTipCap: number(0), GasFeeCap: number(0), Gas: gas, To: to, Data: data})
	a.nonce++
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err) // just made
	}
	return raw, tx.Hash()
}

// TestJoinFromSnapshot lets a node join a network under load whose ledger has
// several files: it begins with a snapshot, serves, and fetches what is older
// while it serves. In the end its files are those of all.
func TestJoinFromSnapshot(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3, small)
	l := net.begin(t)
	l.fill(t, 24<<20)
	l.more(t, 100)
	await(t, "snapshots of the second file on", func() bool {
		for _, n := range net.running() {
			if s, err := n.status(); err != nil || s.Snapshot.Height < 240 {
				return false
			}
		}
		return true
	})
	next := net.node()
	next.start(t, "join")
	s, err := next.status()
	if err != nil || s.Ledger.First == 1 {
		t.Errorf("the node began with entry %d, not with a snapshot: %v", s.Ledger.First, err)
	}
	if s.State == "voter" {
		t.Error("the node votes although it has not the whole ledger")
	}
	next.isVoter(t)
	l.more(t, 30)
	l.settle(t)
}

// TestTamperedSnapshots changes bytes of every snapshot on the disks of two of
// three nodes. Who joins takes none of them, and joins.
func TestTamperedSnapshots(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3, small)
	l := net.begin(t)
	l.more(t, 200)
	l.end() // no further snapshots
	nodes, _ := net.level(t)
	for _, n := range nodes {
		await(t, "a snapshot", func() bool {
			s, err := n.status()
			return err == nil && s.Snapshot.Height > 0
		})
	}
	net.tamper(t, nodes[:2])
	net.node().again(t)
	l.settle(t)
}

// tamper changes a byte of every file of the nodes' snapshots.
func (net *network) tamper(t *testing.T, nodes []*node) {
	t.Helper()
	changed := 0
	for _, n := range nodes {
		names, _ := filepath.Glob(filepath.Join(n.data, "node", "snapshot", "*"))
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil || len(text) == 0 {
				continue
			}
			text[len(text)/2] ^= 0x20
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Error(err)
			}
			changed++
		}
	}
	if changed == 0 {
		t.Fatal("there were no snapshots")
	}
	t.Logf("%d files were changed", changed)
}
