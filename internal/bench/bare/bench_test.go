package bare

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/test/contracts"
)

// senders is how many accounts take turns.
const senders = 10

// rig is a bare server without sockets, and without its goroutine: blocks are
// made when the test says so.
type rig struct {
	*line
	d     *jsonrpc.Dispatcher
	token common.Address
	nonce [senders]uint64
	calls int
	out   []byte
}

func newRig(t testing.TB) *rig {
	s, d, err := open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{line: s, d: d, token: crypto.CreateAddress(ethereum.DevelopmentAccounts()[0].Address, 0)}
	r.send(t, r.call(t, 0, nil, contracts.Token.Deploy("Token", "TOK", big.NewInt(1e18))))
	r.commit(t)
	for i := range senders {
		r.send(t, r.call(t, 0, &r.token, contracts.Token.Call("transfer", ethereum.DevelopmentAccounts()[i].Address, big.NewInt(1e12))))
	}
	r.commit(t)
	return r
}

// call is eth_sendRawTransaction of the next transaction of a sender.
func (r *rig) call(t testing.TB, sender int, to *common.Address, data []byte) string {
	raw := ethereumtest.Sign(t, ethereum.DevelopmentAccounts()[sender].Key, &types.DynamicFeeTx{
		ChainID: big.NewInt(ethereum.DevelopmentChainID), Nonce: r.nonce[sender], Gas: 2_000_000, To: to, Data: data,
	})
	r.nonce[sender]++
	r.calls++
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"eth_sendRawTransaction","params":["0x%x"]}`, r.calls, raw)
}

// transfers is a request of n ERC-20 transfers, a batch if more than one.
func (r *rig) transfers(t testing.TB, n int) []byte {
	list := make([]string, n)
	for i := range list {
		to := ethereum.DevelopmentAccounts()[(r.calls*7+3)%senders].Address
		list[i] = r.call(t, r.calls%senders, &r.token, contracts.Token.Call("transfer", to, big.NewInt(1)))
	}
	if n == 1 {
		return []byte(list[0])
	}
	return []byte("[" + strings.Join(list, ",") + "]")
}

func (r *rig) send(t testing.TB, request any) {
	switch q := request.(type) {
	case string:
		r.out = r.d.Serve(context.Background(), []byte(q), r.out[:0])
	case []byte:
		r.out = r.d.Serve(context.Background(), q, r.out[:0])
	}
	if bytes.Contains(r.out, []byte("error")) {
		t.Fatalf("%s", r.out)
	}
}

// commit makes a block of everything admitted.
func (r *rig) commit(t testing.TB) {
	want := len(r.queue)
	n, err := r.block(<-r.queue, want)
	if err != nil || n != want {
		t.Fatalf("a block of %d of %d: %v", n, want, err)
	}
}

// perBlock is how many transactions a block gets.
const perBlock = 100

// Everything that an ERC-20 transfer costs but sockets, ledger, index and
// consensus, one and a hundred in a request.
func BenchmarkTransfer(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b)
			var requests [][]byte
			b.ReportAllocs()
			for b.Loop() { // an operation is a block of 100
				if len(requests) == 0 {
					b.StopTimer()
					for range 20 * perBlock / n {
						requests = append(requests, r.transfers(b, n))
					}
					b.StartTimer()
				}
				for range perBlock / n {
					r.send(b, requests[0])
					requests = requests[1:]
				}
				r.commit(b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*perBlock), "ns/tx")
		})
	}
}
