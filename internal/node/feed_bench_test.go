package node

import (
	"context"
	"log/slog"
	"math/big"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
)

// transfers commits transactions that log as a token's transfer does.
func transfers(b *testing.B, n *Node, count int) {
	code := []byte{byte(vm.PUSH1), 1, byte(vm.CALLER), byte(vm.PUSH1), 0xdd, byte(vm.PUSH1), 32, byte(vm.PUSH0), byte(vm.LOG3)}
	signer, checker := types.LatestSignerForChainID(big.NewInt(ethereum.DevelopmentChainID)), pool.NewChecker(ethereum.DevelopmentChainID)
	var senders sync.WaitGroup
	accounts := ethereum.DevelopmentAccounts()
	for _, account := range accounts {
		senders.Go(func() {
			for nonce := range uint64(count / len(accounts)) {
				tx := types.MustSignNewTx(account.Key, signer, &types.LegacyTx{Nonce: nonce, Gas: 100_000, Data: code})
				raw, err := tx.MarshalBinary()
				if err != nil {
					b.Error(err)
					return
				}
				checked, err := checker.Check(raw)
				for err == nil {
					if _, err = n.pool.Admit([]byte("bench"), checked); err == nil {
						break
					}
					time.Sleep(time.Millisecond) // it is busy
					err = nil
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	for n.sequencer.Head().Seqno < uint64(count) {
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkRebuild makes the index of a ledger of 40,000 token transfers again,
// from its chunks and onto a disk.
func BenchmarkRebuild(b *testing.B) {
	c := Default(b.TempDir())
	c.Logger = slog.New(slog.DiscardHandler)
	n, err := Start(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Stop(context.Background())
	const count = 40_000
	transfers(b, n, count)
	head := n.sequencer.Head().Height
	bytes, most := 0, uint64(0)
	for height := range head + 1 {
		index, _ := n.log.IndexOf(height)
		e, err := n.log.Entry(index)
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(e.Body)
	}
	runtime.GC()
	var before syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base := m.HeapAlloc
	for b.Loop() {
		c := n.config
		c.FS = disk.OS(b.TempDir())
		x := openIndexer(b.Context(), c, n.bundle.Ring(), n.archive, chain.TermsOf, head)
		index, err := x.ready(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		x.moved = func() {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		if err := x.catchUp(b.Context(), index); err != nil {
			b.Fatal(err)
		}
		if err := x.close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	var after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	seconds, processor := b.Elapsed().Seconds(), float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())
	b.ReportMetric(count*float64(b.N)/seconds, "tx/s")
	b.ReportMetric(float64(bytes)*float64(b.N)/seconds/1e6, "MB/s")
	b.ReportMetric(processor/float64(b.N)/count, "cpu-ns/tx")
	b.ReportMetric(float64(head+1), "blocks")
	b.ReportMetric(float64(most-min(most, base))/1e6, "heap-MB")
}
