package replicated

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/test/contracts"
)

// A node that applied blocks, one by one or in one burst, answers as the one that
// executed them.
func TestSameAnswers(t *testing.T) {
	w := newNetwork(t, 3)
	w.elect(w.nodes[0], 0)
	w.step()
	account := ethereum.DevelopmentAccounts()[0]
	token := crypto.CreateAddress(account.Address, 0)
	late := w.nodes[2]
	nonce := uint64(0)
	send := func(to *common.Address, input []byte) common.Hash {
		raw := ethereumtest.Sign(t, account.Key, &types.LegacyTx{Nonce: nonce, To: to, Gas: 2_000_000, GasPrice: new(big.Int), Data: input})
		nonce++
		_, err := w.nodes[1].admit(raw)
		must(t, err)
		for range 3 {
			w.nodes[1].forwarder.pump(nil)
			w.nodes[0].sequencer.Step()
			w.decide(9)
			w.nodes[0].deliver(9)
			w.nodes[1].deliver(9)
		}
		return crypto.Keccak256Hash(raw)
	}
	hashes := []common.Hash{send(nil, contracts.Token.Deploy("Test token", "TST", big.NewInt(1_000_000)))}
	for i := range 30 {
		hashes = append(hashes, send(&token, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(int64(i)))))
	}
	questions := func(n *node) (answers []string) {
		call := map[string]any{"to": token, "data": "0x" + common.Bytes2Hex(contracts.Token.Call("balanceOf", common.Address{1}))}
		for _, q := range []struct {
			method string
			params []any
		}{
			{"eth_getBlockByNumber", []any{"latest", true}},
			{"eth_getBlockByNumber", []any{"0x3", true}},
			{"eth_getBlockReceipts", []any{"latest"}},
			{"eth_getLogs", []any{map[string]any{"fromBlock": "0x0", "address": token}}},
			{"eth_call", []any{call, "latest"}},
			{"eth_call", []any{call, "pending"}},
			{"eth_call", []any{call, "0x9"}},
			{"eth_getTransactionCount", []any{account.Address, "pending"}},
			{"eth_getTransactionReceipt", []any{hashes[7]}},
			{"eth_getTransactionByHash", []any{hashes[30]}},
			{"coco_getTransactionStatus", []any{hashes[30]}},
			{"eth_feeHistory", []any{"0x4", "latest", []any{50}}},
			{"debug_traceTransaction", []any{hashes[5], map[string]any{"tracer": "callTracer"}}},
			{"eth_capabilities", nil},
		} {
			answers = append(answers, q.method+": "+n.call(q.method, append([]any{}, q.params...)...))
		}
		return answers
	}
	want := questions(w.nodes[0])
	if !strings.Contains(want[3], `"logIndex"`) || strings.Contains(strings.Join(want, ""), `"code":-32`) {
		t.Fatalf("the primary says %s", want)
	}
	if head := late.chain.Head().Number(); head != 0 {
		t.Fatalf("the late one is at %d", head)
	}
	late.deliver(len(w.log))
	for _, n := range w.nodes[1:] {
		for i, got := range questions(n) {
			if got != want[i] {
				t.Errorf("node %d says %.300s\nthe primary %.300s", n.id, got, want[i])
			}
		}
	}
}
