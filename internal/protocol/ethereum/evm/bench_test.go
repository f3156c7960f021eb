package evm

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/test/contracts"
)

const benchAccounts = 10_000

// perBlock is how many transactions share a block of the store.
const perBlock = 500

func benchAddress(i int) (a common.Address) {
	return common.Address(crypto.Keccak256(binary.BigEndian.AppendUint64(nil, uint64(i)))[:20])
}

// BenchmarkTransfer is one transfer among 10,000 accounts on one core, commit to
// the kv block included.
func BenchmarkTransfer(b *testing.B) {
	b.Run("ether", func(b *testing.B) {
		r := newRig(b)
		for i := range benchAccounts {
			r.grant(b, benchAddress(i), 1e18)
		}
		benchTransfers(b, r, func(m *Message, to common.Address) {
			m.To, m.Gas, m.Value = &to, 21_000, *uint256.NewInt(1)
		})
	})
	b.Run("token", func(b *testing.B) {
		r := newRig(b)
		token := r.deploy(b, alice, contracts.Token.Deploy("Token", "TOK", big.NewInt(1e18)))
		for i := range benchAccounts {
			to := benchAddress(i)
			r.apply(b, &Message{From: alice, To: &token, Data: contracts.Token.Call("transfer", to, big.NewInt(1e9))})
		}
		benchTransfers(b, r, func(m *Message, to common.Address) {
			m.To, m.Gas, m.Data = &token, 100_000, contracts.Token.Call("transfer", to, big.NewInt(1))
		})
	})
}

func benchTransfers(b *testing.B, r *rig, fill func(m *Message, to common.Address)) {
	messages := make([]Message, benchAccounts)
	for i := range messages {
		messages[i].From = benchAddress(i)
		a, _ := r.View(r.store.Speculative()).Account(messages[i].From)
		messages[i].Nonce = a.Nonce
		fill(&messages[i], benchAddress((i*7+3)%benchAccounts))
	}
	height := r.block.Height()
	next := func() {
		if _, err := r.block.Seal(); err != nil {
			b.Fatal(err)
		}
		if err := r.store.Publish(height); err != nil {
			b.Fatal(err)
		}
		height++
		var err error
		if r.block, err = r.store.Begin(height); err != nil {
			b.Fatal(err)
		}
	}
	next()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m := &messages[n%benchAccounts]
		tx := r.block.Tx()
		result, err := r.x.Apply(tx, m)
		if err != nil || result.Err != nil {
			b.Fatal(err, result)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		m.Nonce++
		if n++; n%perBlock == 0 {
			b.StopTimer()
			next()
			b.StartTimer()
		}
	}
}
