package chain

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// transfersOf is a block of n transactions with one log of three topics each.
func transfersOf(n int) *ethereum.Block {
	b := &ethereum.Block{Header: &types.Header{}, Hash: common.Hash{1}}
	for i := range n {
		l := &types.Log{Address: common.Address{2}, Topics: []common.Hash{{3}, {4}, {byte(i)}}, Index: uint(i)}
		b.Receipts = append(b.Receipts, &types.Receipt{TxHash: common.Hash{5, byte(i)}, Logs: []*types.Log{l}})
	}
	return b
}

// Every term stands for itself, whatever stands beside it in their buffer.
func TestTerms(t *testing.T) {
	entries := Terms(transfersOf(2))
	want := []struct {
		term     []byte
		position uint32
	}{
		{blockTerm(common.Hash{1}), 0},
		{transactionTerm(common.Hash{5, 0}), 0}, {addressTerm(common.Address{2}), 0},
		{topicTerm(0, common.Hash{3}), 0}, {topicTerm(1, common.Hash{4}), 0}, {topicTerm(2, common.Hash{0}), 0},
		{transactionTerm(common.Hash{5, 1}), 1}, {addressTerm(common.Address{2}), 1},
		{topicTerm(0, common.Hash{3}), 1}, {topicTerm(1, common.Hash{4}), 1}, {topicTerm(2, common.Hash{1}), 1},
	}
	if len(entries) != len(want) {
		t.Fatalf("%d terms", len(entries))
	}
	for i, e := range entries {
		if string(e.Term) != string(want[i].term) || e.Position != want[i].position || cap(e.Term) != len(e.Term) {
			t.Errorf("term %d is %x at %d", i, e.Term, e.Position)
		}
	}
}

// The terms of a block take two allocations, however many they are.
func TestTermsAllocations(t *testing.T) {
	b := transfersOf(100)
	if n := testing.AllocsPerRun(10, func() { Terms(b) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTerms(b *testing.B) {
	block := transfersOf(100)
	b.ReportAllocs()
	for b.Loop() {
		Terms(block)
	}
}
