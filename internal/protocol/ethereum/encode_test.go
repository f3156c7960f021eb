package ethereum

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// What is encoded by hand is what the libraries encode, at every length at which
// a head changes its form.
func TestEncodedByHand(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	lengths := []int{0, 1, 2, 23, 24, 31, 32, 55, 56, 57, 255, 256, 257, 1 << 10, 65535, 65536, 1 << 20}
	numbers := []uint64{0, 1, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	for _, n := range lengths {
		for topics := range 5 {
			l := &types.Log{Address: common.Address(some(20)), Topics: make([]common.Hash, topics), Data: some(n)}
			if n == 1 && topics > 2 {
				l.Data[0] = byte(topics) // stands for itself in RLP
			}
			for i := range l.Topics {
				l.Topics[i] = common.Hash(some(32))
			}
			want, err := rlp.EncodeToBytes([]any{l.Address, l.Topics, l.Data})
			if err != nil {
				t.Fatal(err)
			}
			if got := logClaim(l); !bytes.Equal(got, want) || cap(got) != len(got) {
				t.Errorf("%d topics and %d bytes: the claim is %x, not %x", topics, n, got, want)
			}
			logs := make([]*types.Log, 0, 300)
			events := []event{}
			for range min(300, 1+1000/(n+1)) {
				logs = append(logs, l)
				events = append(events, event{Address: l.Address[:], Topics: make([][]byte, topics), Data: l.Data})
				for i := range l.Topics {
					events[len(events)-1].Topics[i] = l.Topics[i][:]
				}
			}
			for _, k := range []int{0, 1, len(logs)} {
				if !bytes.Equal(encodeEvents(logs[:k]), format.Encode(events[:k])) {
					t.Errorf("%d logs of %d topics and %d bytes differ", k, topics, n)
				}
			}
		}
	}
	for _, n := range lengths {
		for _, number := range numbers {
			o := &Outcome{Status: number & 1, GasUsed: number, From: common.Address(some(20)), Failure: string(bytes.Repeat([]byte("x"), n))}
			if n > 0 {
				o.Created, o.Output = some(20), some(n)
			}
			if !bytes.Equal(encodeOutcome(o), format.Encode(o)) {
				t.Errorf("an outcome of %d and %d bytes differs", number, n)
			}
		}
	}
}
