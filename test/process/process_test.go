// Package process tests coco as a person meets it: as a process with a
// directory, output and an exit code. It starts the real binary, takes the ports,
// directories and files away from it, interrupts it, kills it, fills its disk, and
// looks at what lies on the disk afterwards. What a single command prints and how
// it ends is told in testdata/*.txtar.
package process

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
)

// Exit codes (docs/reference/cli.md).
const (
	verified       = 0
	failed         = 1
	unfinishedTail = 4
)

func TestMain(m *testing.M) { binary.Main(m) }

// sender signs one account's transactions, one after the other.
type sender struct {
	key     *ecdsa.PrivateKey
	address common.Address
	chain   *big.Int
	nonce   uint64
}

// senders gives the node's accounts as senders, with their next nonces.
func senders(t testing.TB, n *binary.Node, client *rpc.Client) []*sender {
	t.Helper()
	var all []*sender
	for _, a := range n.Accounts {
		key, err := crypto.HexToECDSA(a.PrivateKey[2:])
		if err != nil {
			t.Fatal(err)
		}
		s := &sender{key: key, address: common.HexToAddress(a.Address), chain: new(big.Int).SetUint64(n.ChainID)}
		var nonce hexutil.Uint64
		call(t, client, &nonce, "eth_getTransactionCount", s.address, "latest")
		s.nonce = uint64(nonce)
		all = append(all, s)
	}
	return all
}

// sign signs the sender's next transaction; a nil to creates a contract.
func (s *sender) sign(to *common.Address, value int64, data []byte) (raw hexutil.Bytes, hash common.Hash) {
	tx := types.MustSignNewTx(s.key, types.LatestSignerForChainID(s.chain), &types.DynamicFeeTx{
		ChainID: s.chain, Nonce: s.nonce, GasTipCap: new(big.Int), GasFeeCap: new(big.Int),
		Gas: 2_000_000, To: to, Value: big.NewInt(value), Data: data,
	})
	s.nonce++
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err) // just made
	}
	return raw, tx.Hash()
}

// receipt is what these tests read of an Ethereum receipt.
type receipt struct {
	TransactionHash common.Hash
	ContractAddress *common.Address
	BlockNumber     hexutil.Uint64
	Status          hexutil.Uint64
}

// commit sends the sender's next transaction and waits until it is committed.
func (s *sender) commit(ctx context.Context, client *rpc.Client, to *common.Address, value int64, data []byte) (*receipt, error) {
	raw, hash := s.sign(to, value, data)
	var r *receipt
	if err := client.CallContext(ctx, &r, "eth_sendRawTransactionSync", raw); err != nil {
		return nil, err
	}
	switch {
	case r == nil || r.TransactionHash != hash:
		return nil, errors.New("the answer is not the transaction's receipt")
	case r.Status != 1:
		return nil, errors.New("the transaction failed")
	}
	return r, nil
}

// must is commit for a transaction that has to succeed.
func (s *sender) must(t testing.TB, client *rpc.Client, to *common.Address, value int64, data []byte) *receipt {
	t.Helper()
	r, err := s.commit(t.Context(), client, to, value, data)
	if err != nil {
		t.Fatalf("sending a transaction: %v", err)
	}
	return r
}

// call is a JSON-RPC call that has to succeed.
func call(t testing.TB, client *rpc.Client, result any, method string, args ...any) {
	t.Helper()
	if err := client.CallContext(t.Context(), result, method, args...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// load is several senders that transfer without pause, each waiting for its
// last transaction to be committed, and the hashes of all that were.
type load struct {
	mutex        sync.Mutex
	acknowledged []common.Hash
	reached      chan struct{} // closed when enough are acknowledged
	stop         context.CancelFunc
	senders      sync.WaitGroup
}

// newLoad starts a load. It goes on until the node is gone or the load is ended.
func newLoad(t testing.TB, n *binary.Node, enough int) *load {
	t.Helper()
	client := n.Dial(t)
	ctx, stop := context.WithCancel(t.Context())
	l := &load{reached: make(chan struct{}), stop: stop}
	to := common.HexToAddress("0x00000000000000000000000000000000000c0c00")
	for _, s := range senders(t, n, client)[:4] {
		l.senders.Go(func() {
			for {
				r, err := s.commit(ctx, client, &to, 1, nil)
				if err != nil {
					return // the node is gone or leaves
				}
				l.mutex.Lock()
				l.acknowledged = append(l.acknowledged, r.TransactionHash)
				if len(l.acknowledged) == enough {
					close(l.reached)
				}
				l.mutex.Unlock()
			}
		})
	}
	return l
}

// wait waits until enough transactions are acknowledged.
func (l *load) wait(t testing.TB) {
	t.Helper()
	gone := make(chan struct{})
	go func() { l.senders.Wait(); close(gone) }()
	select {
	case <-l.reached:
	case <-gone:
		select {
		case <-l.reached:
		default:
			t.Fatalf("every sender was refused after %d transactions", len(l.acknowledged))
		}
	}
}

// end waits for the senders of a node that was stopped, and gives the hashes of
// all transactions that were acknowledged.
func (l *load) end() []common.Hash {
	l.stop()
	l.senders.Wait()
	return l.acknowledged
}

// present fails the test for each transaction that the node does not have as
// committed and successful.
func present(t testing.TB, n *binary.Node, hashes []common.Hash) {
	t.Helper()
	client := n.Dial(t)
	lost := 0
	for len(hashes) > 0 {
		part := hashes[:min(len(hashes), 100)]
		hashes = hashes[len(part):]
		batch := make([]rpc.BatchElem, len(part))
		for i, hash := range part {
			batch[i] = rpc.BatchElem{Method: "eth_getTransactionReceipt", Args: []any{hash}, Result: new(*receipt)}
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i, b := range batch {
			r := *b.Result.(**receipt)
			if b.Error != nil || r == nil || r.TransactionHash != part[i] || r.Status != 1 {
				lost++
				t.Logf("lost: %s: %v %v", part[i], r, b.Error)
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d acknowledged transactions are lost", lost)
	}
}

// number is a count from the environment, for longer runs on demand.
func number(t testing.TB, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a positive number", variable, text)
	}
	return n
}
