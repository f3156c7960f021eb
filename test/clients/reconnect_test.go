package clients

import (
	"bufio"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
	"github.com/coco-consortium/coco/test/npm"
)

// TestReconnect lets programs follow events while their connections are cut,
// their filters expire, the network is away and the node is restarted: they see
// every event once.
func TestReconnect(t *testing.T) {
	npm.Install(t, ".")
	data := filepath.Join(t.TempDir(), "data")
	node := binary.Start(t, "--data", data)
	wire := newWire(t)
	wire.reach(node.RPC)

	w := &writer{t: t}
	w.to(node)
	var deployed types.Receipt
	w.send(&deployed, nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(1_000_000)))
	w.token = deployed.ContractAddress

	var followers []*follower
	for _, client := range []string{"ethers", "viem", "web3"} {
		f := follow(t, client, wire.address, w.token)
		f.until(t, "listening")
		followers = append(followers, f)
	}
	w.transfers(5)
	polling := followers[1] // its filter expires, as one does that nobody polls for long
	filter := strings.TrimPrefix(polling.lines[0], "filter ")
	if err := w.client.CallContext(t.Context(), nil, "eth_uninstallFilter", filter); err != nil {
		t.Fatal(err)
	}
	w.transfers(5)
	polling.until(t, "broken filter not found")
	polling.until(t, "listening")
	for range 3 { // connections are cut while events come
		wire.cut()
		w.transfers(5)
	}
	wire.reach("") // the network is away
	w.transfers(5)
	wire.reach(node.RPC)
	w.transfers(5)
	for _, stop := range []func(testing.TB){func(t testing.TB) { node.Stop(t) }, func(t testing.TB) { node.Kill(t) }} {
		wire.reach("")
		stop(t)
		node = binary.Start(t, "--data", data)
		w.to(node)
		w.transfers(5)
		wire.reach(node.RPC)
		w.transfers(5)
	}
	for _, f := range followers {
		t.Run(f.client, func(t *testing.T) {
			f.until(t, fmt.Sprintf("event %d", w.value))
			next := 0
			for _, line := range f.lines {
				if value, ok := strings.CutPrefix(line, "event "); ok && value != "1000000" {
					if next++; value != fmt.Sprint(next) {
						t.Fatalf("event %s where %d was due:\n%s", value, next, strings.Join(f.lines, "\n"))
					}
				}
			}
		})
	}
}

// writer makes events: the n-th transfers n.
type writer struct {
	t      *testing.T
	client *rpc.Client
	chain  *big.Int
	key    string
	token  common.Address
	nonce  uint64
	value  int64
}

func (w *writer) to(node *binary.Node) {
	w.client, w.chain, w.key = node.Dial(w.t), new(big.Int).SetUint64(node.ChainID), node.Accounts[0].PrivateKey
}

func (w *writer) send(receipt *types.Receipt, to *common.Address, data []byte) {
	w.t.Helper()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(w.key, "0x"))
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(w.chain), &types.LegacyTx{Nonce: w.nonce, Gas: 2_000_000, To: to, Data: data})
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.CallContext(w.t.Context(), receipt, "eth_sendRawTransactionSync", hexutil.Bytes(raw)); err != nil || receipt.Status != 1 {
		w.t.Fatalf("%v, %+v", err, receipt)
	}
	w.nonce++
}

func (w *writer) transfers(n int) {
	w.t.Helper()
	for range n {
		w.value++
		w.send(new(types.Receipt), &w.token, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(w.value)))
	}
}

// follower is a program that prints what it sees.
type follower struct {
	client string
	out    chan string
	lines  []string
}

func follow(t *testing.T, client, address string, token common.Address) *follower {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", "follow.mjs", client, token.Hex())
	c.Env = append(os.Environ(), "COCO_RPC=http://"+address, "COCO_WS=ws://"+address, "COCO_CHAIN_ID=0", "COCO_ACCOUNTS=[]")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f := &follower{client: client, out: make(chan string, 1000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(f.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.out <- lines.Text()
		}
	})
	t.Cleanup(func() {
		c.Process.Kill()
		reading.Wait()
		c.Wait()
	})
	return f
}

// until reads to a line. One that never comes must not hang.
func (f *follower) until(t *testing.T, want string) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-f.out:
			if !ok {
				t.Fatalf("%s ended:\n%s", f.client, strings.Join(f.lines, "\n"))
			}
			if f.lines = append(f.lines, line); line == want {
				return
			}
		case <-late:
			t.Fatalf("%s did not say %q:\n%s", f.client, want, strings.Join(f.lines, "\n"))
		}
	}
}

// wire is a network between clients and a node that can be cut.
type wire struct {
	address string

	mu    sync.Mutex
	node  string // HOST:PORT; "": the network is away
	conns map[net.Conn]bool
}

func newWire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: l.Addr().String(), conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.reach("")
		running.Wait()
	})
	return w
}

// carry carries bytes both ways until either side ends.
func (w *wire) carry(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	address := w.node
	w.mu.Unlock()
	if address == "" {
		return
	}
	node, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer node.Close()
	w.mu.Lock()
	if w.node != address {
		w.mu.Unlock()
		return
	}
	w.conns[client], w.conns[node] = true, true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.conns, client)
		delete(w.conns, node)
		w.mu.Unlock()
	}()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, node}, {node, client}} {
		ways.Go(func() {
			bufio.NewReader(way[0]).WriteTo(way[1])
			client.Close()
			node.Close()
		})
	}
	ways.Wait()
}

// reach lets the wire end at a node's URL, or nowhere, and cuts what was there.
func (w *wire) reach(url string) {
	w.mu.Lock()
	w.node = strings.TrimPrefix(url, "http://")
	w.mu.Unlock()
	w.cut()
}

// cut ends every connection at once.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Close()
	}
}
