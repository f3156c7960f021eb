package chain

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
)

// logger is the creation code of a contract that logs as often as the first word
// of its input says: with a topic of its own, the second word, and the number of
// the log.
func logger(event byte) []byte {
	code := []byte{byte(vm.PUSH0), byte(vm.CALLDATALOAD), byte(vm.JUMPDEST), byte(vm.DUP1), byte(vm.PUSH1), 32, byte(vm.CALLDATALOAD),
		byte(vm.PUSH1), event, byte(vm.PUSH1), 32, byte(vm.PUSH0), byte(vm.LOG3),
		byte(vm.PUSH1), 1, byte(vm.SWAP1), byte(vm.SUB), byte(vm.DUP1), byte(vm.PUSH1), 2, byte(vm.JUMPI), byte(vm.STOP)}
	n := byte(len(code))
	return append([]byte{byte(vm.PUSH1), n, byte(vm.PUSH1), 10, byte(vm.PUSH0), byte(vm.CODECOPY),
		byte(vm.PUSH1), n, byte(vm.PUSH0), byte(vm.RETURN)}, code...)
}

func word(n uint64) common.Hash {
	return common.BytesToHash([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// million is a chain of 2,000 blocks with 500 logs each, of which the index and
// the ledger alone know, and the addresses of its two tokens.
func million(b *testing.B) (*Chain, [2]common.Address) {
	const blocks, transactions, logs, senders = 2000, 10, 50, 50
	l := ethereumtest.New(b)
	index, err := history.Open(b.TempDir(), history.Options{Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := index.Close(); err != nil {
			b.Error(err)
		}
	})
	c, err := Open(b.Context(), l, index, 0)
	if err != nil {
		b.Fatal(err)
	}
	add := func(block *ethereum.Block) {
		for index.Add(block.Number(), Terms(block)) != nil {
			if err := index.Room(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	add(c.Head())
	nonce := uint64(0)
	sign := func(to *common.Address, data []byte) []byte {
		nonce++
		return ethereumtest.Sign(b, ethereum.DevelopmentAccounts()[0].Key, &types.LegacyTx{Nonce: nonce - 1, Gas: 300_000, To: to, Data: data})
	}
	from := ethereum.DevelopmentAccounts()[0].Address
	tokens := [2]common.Address{crypto.CreateAddress(from, 0), crypto.CreateAddress(from, 1)}
	for n := range blocks {
		var raw [][]byte
		if n == 0 {
			raw = [][]byte{sign(nil, logger(0xa0)), sign(nil, logger(0xb0))}
		}
		for i := range transactions {
			count, sender := uint64(logs), uint64(nonce%senders)
			if n%100 == 50 && i == 0 {
				count, sender = 1, 1_000_000 // seldom seen
			}
			a, s := word(count), word(sender)
			raw = append(raw, sign(&tokens[i%2], append(a[:], s[:]...)))
		}
		committed := l.Commit(b, raw...)
		block, err := ethereum.FromCommitted(committed)
		if err != nil {
			b.Fatal(err)
		}
		add(block)
	}
	if err := index.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if c, err = Open(b.Context(), l, index, l.Height()); err != nil {
		b.Fatal(err)
	}
	return c, tokens
}

// processor is the processor time of this process, in milliseconds.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

// BenchmarkLogs asks one million logs: what a client that follows the errors waits
// for its first answer, its error included.
func BenchmarkLogs(b *testing.B) {
	c, tokens := million(b)
	head := c.Head().Number()
	topics := func(list ...uint64) (t [][]common.Hash) {
		for _, n := range list {
			if n == 0 {
				t = append(t, nil)
			} else {
				t = append(t, []common.Hash{word(n)})
			}
		}
		return t
	}
	any256 := make([]common.Hash, 256)
	for i := range any256 {
		any256[i] = word(uint64(i))
	}
	for name, f := range map[string]Filter{
		"20 hits":                  {Topics: topics(0, 1_000_000)},
		"one address":              {Addresses: tokens[:1]},
		"address and sender":       {Addresses: tokens[:1], Topics: topics(0, 8)},
		"address, event, receiver": {Addresses: tokens[:1], Topics: topics(0xa0, 0, 7)},
		"256 senders":              {Topics: [][]common.Hash{nil, any256}},
		"no hit of two frequent":   {Addresses: tokens[:1], Topics: topics(0xb0)},
		"no hit, frequent and not": {Addresses: tokens[1:], Topics: topics(0, 1_000_000)},
	} {
		f.To = head
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hits, pages, before := 0, 0, processor(b)
			for b.Loop() {
				c.old.Purge()
				g := f
				logs, err := c.Logs(context.Background(), g)
				pages = 1
				if wide := (*TooWide)(nil); errors.As(err, &wide) {
					pages, g.To = 2, wide.To
					logs, err = c.Logs(context.Background(), g)
				}
				if err != nil {
					b.Fatal(err)
				}
				hits = len(logs)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric((processor(b)-before)/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(hits), "hits")
			b.ReportMetric(float64(pages), "questions")
			b.ReportMetric(float64(m.HeapInuse>>20), "heap-MiB")
		})
	}
}
