package consortium

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
)

// settle ends the load, mends the network and compares everything with
// everything: what clients saw, what nodes answer, what lies on their disks.
func (l *load) settle(t *testing.T) {
	t.Helper()
	l.end()
	l.net.heal()
	l.failure.Range(func(text, hash any) bool {
		t.Errorf("a client was told: %v (transaction %v)", text, hash)
		return true
	})
	nodes, height := l.net.level(t)
	order := l.present(t, nodes, height)
	l.resolve(t, nodes[0])
	l.history.linearizable(t)
	l.monotonic(t, order)
	l.txids.legal(t)
	l.net.identical(t, nodes)
	l.net.verified(t, nodes)
}

// catchUp waits until all running nodes have published what one of them has by
// now. Unlike level it may be called under load.
func (net *network) catchUp(t *testing.T) {
	t.Helper()
	var goal uint64
	for _, n := range net.running() {
		if s, err := n.status(); err == nil {
			goal = max(goal, s.Ledger.Height)
		}
	}
	await(t, "all nodes to catch up", func() bool {
		for _, n := range net.running() {
			if s, err := n.status(); err != nil || s.State != "voter" || s.Leader == nil || s.Ledger.Height < goal {
				return false
			}
		}
		return true
	})
}

// level waits until all running nodes are voters that hold and have published the
// same ledger from its first entry on, and gives them and the ledger's height.
func (net *network) level(t *testing.T) (nodes []*node, height uint64) {
	t.Helper()
	var states string
	defer func() {
		if t.Failed() {
			t.Log(states)
		}
	}()
	await(t, "all nodes to hold the same ledger", func() bool {
		nodes, states = net.running(), ""
		same := len(nodes) > 0
		var first status
		for i, n := range nodes {
			s, err := n.status()
			if i == 0 {
				first, height = s, s.Ledger.Height
			}
			states += fmt.Sprintf("node %d: %+v %v\n", n.number, s, err)
			s.Ledger.Durable, first.Ledger.Durable = 0, 0
			same = same && err == nil && s.State == "voter" && s.Ledger.First == 1 && s.Ledger == first.Ledger &&
				s.Ledger.Commit == s.Ledger.Last && s.Ledger.Applied == s.Ledger.Commit && s.Ledger.Index == s.Ledger.Height && s.Leader != nil
		}
		return same
	})
	return nodes, height
}

// block is what these tests read of a block.
type block struct {
	Number       hexutil.Uint64 `json:"number"`
	Hash         common.Hash    `json:"hash"`
	Transactions []common.Hash  `json:"transactions"`
}

// chain asks a node for its blocks up to a height.
func (n *node) chain(t *testing.T, height uint64) []block {
	t.Helper()
	chain := make([]block, height+1)
	for from := 0; from < len(chain); from += 500 {
		part := chain[from:min(from+500, len(chain))]
		batch := make([]rpc.BatchElem, len(part))
		for i := range part {
			batch[i] = rpc.BatchElem{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(from + i), false}, Result: &part[i]}
		}
		n.batch(t, batch)
	}
	return chain
}

func (n *node) batch(t *testing.T, batch []rpc.BatchElem) {
	t.Helper()
	if len(batch) == 0 {
		return
	}
	if err := dialled.to("http://"+n.place.client).BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for _, b := range batch {
		if b.Error != nil {
			t.Fatalf("node %d: %s %v: %v", n.number, b.Method, b.Args, b.Error)
		}
	}
}

// present fails the test unless all nodes have the same blocks, every acknowledged
// transaction once among them, committed under the same TxID; it gives the
// registers' values in the ledger's order.
func (l *load) present(t *testing.T, nodes []*node, height uint64) map[uint64][]version {
	t.Helper()
	var acknowledged []common.Hash
	for _, a := range l.actions {
		if a.acknowledged {
			acknowledged = append(acknowledged, a.hash)
		}
	}
	var first []block
	var ids []string
	for i, n := range nodes {
		chain := n.chain(t, height)
		if i == 0 {
			first = chain
		}
		for j := range chain {
			if chain[j].Hash != first[j].Hash {
				t.Errorf("block %d is %v at node %d and %v at node %d", j, first[j], nodes[0].number, chain[j], n.number)
			}
		}
		times := map[common.Hash]int{}
		for _, b := range chain {
			for _, hash := range b.Transactions {
				if times[hash]++; times[hash] > 1 {
					t.Errorf("transaction %s is in the ledger %d times", hash, times[hash])
				}
			}
		}
		for _, hash := range acknowledged {
			if times[hash] != 1 {
				t.Errorf("acknowledged transaction %s is %d times in the ledger of node %d", hash, times[hash], n.number)
			}
		}
		said := n.statuses(t, acknowledged)
		var own []string
		for j, s := range said {
			own = append(own, s.TxID)
			if s.Status != "Committed" || s.TxID == "" {
				t.Errorf("node %d says %+v of acknowledged %s", n.number, s, acknowledged[j])
			}
			l.txids.saw(n, s.TxID, s.Status)
		}
		if i == 0 {
			ids = own
		}
		if !slices.Equal(ids, own) {
			t.Errorf("nodes %d and %d name transactions differently", nodes[0].number, n.number)
		}
	}
	t.Logf("%d acknowledged transactions are once in each of %d ledgers, of %d blocks", len(acknowledged), len(nodes), len(first))
	return l.order(t, nodes[0], height+1)
}

// statuses asks a node what it knows of transactions.
func (n *node) statuses(t *testing.T, hashes []common.Hash) []standing {
	t.Helper()
	said := make([]standing, len(hashes))
	for part := range slices.Chunk(indices(len(hashes)), 500) {
		var batch []rpc.BatchElem
		for _, i := range part {
			batch = append(batch, rpc.BatchElem{Method: "coco_getTransactionStatus", Args: []any{hashes[i]}, Result: &said[i]})
		}
		n.batch(t, batch)
	}
	return said
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// order reads the registers' whole story from the ledger: each value replaced the
// one before it.
func (l *load) order(t *testing.T, n *node, height uint64) map[uint64][]version {
	t.Helper()
	values := map[uint64][]version{}
	now := map[uint64]uint64{}
	for from := uint64(0); from < height; from += 2000 {
		var logs []entry
		err := dialled.to("http://"+n.place.client).CallContext(t.Context(), &logs, "eth_getLogs",
			map[string]any{"address": l.contract, "fromBlock": hexutil.Uint64(from), "toBlock": hexutil.Uint64(min(from+1999, height-1))})
		if err != nil {
			t.Fatal(err)
		}
		for i := range logs {
			key, old, value := logs[i].swapped()
			if old != now[key] {
				t.Errorf("register %d: %x replaced %x, which it was not: %x", key, value, old, now[key])
			}
			now[key] = value
			values[key] = append(values[key], version{value, logs[i].TransactionHash})
		}
	}
	return values
}

// resolve finds out what became of the transactions whose clients gave up: what is
// committed had an effect, at some time after the call.
func (l *load) resolve(t *testing.T, n *node) {
	t.Helper()
	happened := 0
	for _, a := range l.actions {
		if a.acknowledged || a.kind == reads {
			continue
		}
		var r *receipt
		if err := n.call(t.Context(), &r, "eth_getTransactionReceipt", a.hash); err != nil {
			t.Fatal(err)
		}
		if r != nil {
			a.learn(r)
			a.end = 1 << 62 // nobody heard of it
			happened++
		}
	}
	t.Logf("%d transactions took effect although their clients gave up", happened)
}

// identical compares the files of the ledger byte by byte, while all nodes are
// level: what is zeroed ahead of the last chunk's end is no part of it.
func (net *network) identical(t *testing.T, nodes []*node) {
	t.Helper()
	for same := false; !same; { // what is on its way yet may be committed meanwhile
		_, before := net.level(t)
		files := make([]map[string][]byte, len(nodes))
		for i, n := range nodes {
			files[i] = n.chunks(t)
		}
		_, after := net.level(t)
		if same = before == after; same {
			net.compare(t, nodes, files)
		}
	}
}

func (net *network) compare(t *testing.T, nodes []*node, all []map[string][]byte) {
	t.Helper()
	var first map[string][]byte
	size := 0
	for i, n := range nodes {
		files := all[i]
		if i == 0 {
			for _, b := range files {
				size += len(b)
			}
			first = files
			continue
		}
		for name := range first {
			if _, ok := files[name]; !ok {
				t.Errorf("node %d lacks the file %s of node %d", n.number, name, nodes[0].number)
			}
		}
		for name, b := range files {
			if a, ok := first[name]; !ok || !bytes.Equal(a, b) {
				t.Errorf("%s of nodes %d and %d differ: %d and %d bytes, equal up to %d", name, nodes[0].number, n.number, len(a), len(b), equalUpTo(a, b))
			}
		}
	}
	t.Logf("%d files of %d nodes are identical, %d bytes each", len(first), len(nodes), size)
}

// chunks reads a node's ledger.
func (n *node) chunks(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(n.data, "node", "ledger", "chunk-*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("node %d has no ledger: %v", n.number, err)
	}
	files := map[string][]byte{}
	for i, name := range names { // Glob sorts
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i == len(names)-1 {
			b = bytes.TrimRight(b, "\x00")
		}
		files[filepath.Base(name)] = b
	}
	return files
}

func equalUpTo(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// verified ends the nodes and verifies what they leave.
func (net *network) verified(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		n.life().cmd.Process.Signal(syscall.SIGKILL)
	}
	for _, n := range nodes {
		n.end()
	}
	var first map[string]any
	for i, n := range nodes {
		r := binary.Run(t, net.dir, "ledger", "verify", n.data, "--json", "--service", net.service)
		var said map[string]any
		if err := json.Unmarshal([]byte(r.Stdout), &said); err != nil || r.Code != 0 || said["result"] != "valid" {
			t.Errorf("coco ledger verify of node %d: %d %v\n%s%s", n.number, r.Code, err, r.Stdout, r.Stderr)
		}
		delete(said, "bytes") // files are zeroed ahead as each node likes
		if i == 0 {
			first = said
		}
		if !reflect.DeepEqual(said, first) {
			t.Errorf("coco ledger verify says of nodes %d and %d:\n%v\n%v", nodes[0].number, n.number, first, said)
		}
	}
	t.Logf("%d ledgers are valid", len(nodes))
}

// must sends a transaction that has to be committed.
func (l *load) must(t *testing.T, raw hexutil.Bytes, hash common.Hash) *receipt {
	t.Helper()
	r := l.deliver(context.Background(), raw, &action{client: -1, hash: hash})
	if r == nil || r.Status != 1 {
		t.Fatalf("transaction %s: %+v", hash, r)
	}
	return r
}
