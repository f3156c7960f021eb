package ethereum_test

import (
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// TestDisclose opens claims of transactions with as many logs as a receipt may
// show, and with one more.
func TestDisclose(t *testing.T) {
	for _, c := range []struct {
		logs   uint16
		fields []uint64
		shown  int
		fails  error
	}{
		{256, nil, 2, nil},
		{256, []uint64{proof.FieldEthereumFrom, proof.FieldEthereumFrom, proof.FieldEthereumHash}, 3, nil},
		{256, []uint64{proof.FieldEthereumLog, proof.FieldEthereumLogCount}, 2 + 256 + 1, nil},
		{257, []uint64{proof.FieldEthereumLogCount}, 3, nil},
		{257, []uint64{proof.FieldEthereumLog}, 0, ethereum.ErrDisclose},
	} {
		l := ethereumtest.New(t)
		part, block := l.Open(t)
		// Counts down, an empty log at a time.
		code := []byte{byte(vm.PUSH2), byte(c.logs >> 8), byte(c.logs), byte(vm.JUMPDEST), byte(vm.PUSH0), byte(vm.PUSH0), byte(vm.LOG0),
			byte(vm.PUSH1), 1, byte(vm.SWAP1), byte(vm.SUB), byte(vm.DUP1), byte(vm.PUSH1), 3, byte(vm.JUMPI)}
		raw := ethereumtest.Sign(t, accounts[0].Key, &types.LegacyTx{Gas: 1_000_000, Data: code})
		r, err := part.Execute(block.Tx(), &sequencer.Request{Bytes: raw})
		if err != nil {
			t.Fatal(err)
		}
		block.Discard()
		seed := [32]byte{7}
		record := &envelope.Record{
			Prelude: &format.Prelude{Kind: format.KindTransaction, Effects: []format.Effect{{Protocol: ethereum.Protocol}}},
			Private: &format.Private{Request: raw, Outcome: r.Outcome, Events: r.Events, NativeID: r.NativeID, ClaimsSeed: seed[:]},
		}
		shown, err := ethereum.Disclose(1, record, c.fields...)
		if !errors.Is(err, c.fails) || len(shown) != c.shown {
			t.Errorf("%d logs, %v: %d claims are shown, not %d: %v", c.logs, c.fields, len(shown), c.shown, err)
		}
		digest := proof.ClaimsDigest(proof.DomainClaims{Seed: seed, Claims: r.Claims})
		for _, d := range shown {
			if err := d.Verify(digest); err != nil {
				t.Errorf("field %d: %v", d.Field, err)
			}
		}
	}
}
