package clients

import (
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
	"github.com/coco-consortium/coco/test/follow"
	"github.com/coco-consortium/coco/test/npm"
)

// supply is what the token is deployed with.
const supply = 1_000_000

// TestReconnect lets programs follow events while their connections are cut,
// their filters expire, the network is away and the node is restarted: they see
// every event once.
func TestReconnect(t *testing.T) {
	npm.Install(t, ".")
	data := filepath.Join(t.TempDir(), "data")
	node := binary.Start(t, "--data", data)
	wire := follow.NewWire(t)
	wire.Reach(node.RPC)

	w := &writer{t: t}
	w.to(node)
	var deployed types.Receipt
	w.send(&deployed, nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(supply)))
	w.token = deployed.ContractAddress

	var programs []*follow.Program
	for _, client := range []string{"ethers", "viem", "web3"} {
		p := follow.Start(t, ".", client, wire.Address, w.token)
		p.Until(t, "listening")
		programs = append(programs, p)
	}
	w.transfers(5)
	polling := programs[1] // its filter expires, as one does that nobody polls for long
	filter := strings.TrimPrefix(polling.Lines[0], "filter ")
	if err := w.client.CallContext(t.Context(), nil, "eth_uninstallFilter", filter); err != nil {
		t.Fatal(err)
	}
	w.transfers(5)
	polling.Until(t, "broken filter not found")
	polling.Until(t, "listening")
	for range 3 { // connections are cut while events come
		wire.Cut()
		w.transfers(5)
	}
	wire.Reach("") // the network is away
	w.transfers(5)
	wire.Reach(node.RPC)
	w.transfers(5)
	for _, stop := range []func(testing.TB){func(t testing.TB) { node.Stop(t) }, func(t testing.TB) { node.Kill(t) }} {
		wire.Reach("")
		stop(t)
		node = binary.Start(t, "--data", data)
		w.to(node)
		w.transfers(5)
		wire.Reach(node.RPC)
		w.transfers(5)
	}
	for _, p := range programs {
		t.Run(p.Client, func(t *testing.T) { p.Told(t, w.value, supply) })
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
	value  int
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
		w.send(new(types.Receipt), &w.token, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(int64(w.value))))
	}
}
