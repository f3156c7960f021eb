package api

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/test/contracts"
)

// reader is the transport of a client that subscribes and counts what it is told.
type reader struct {
	requests chan []byte
	closed   chan struct{}
	once     sync.Once
	answered chan struct{}
	told     *atomic.Int64
	want     *atomic.Int64
	done     chan struct{}
	first    bool
}

func (r *reader) Read(*jsonrpc.Room) ([]byte, error) {
	select {
	case m := <-r.requests:
		return m, nil
	case <-r.closed:
		return nil, errors.New("closed")
	}
}

func (r *reader) Write(...[]byte) error {
	if !r.first {
		r.first = true
		close(r.answered)
		return nil
	}
	if r.told.Add(1) == r.want.Load() {
		r.done <- struct{}{}
	}
	return nil
}

func (r *reader) Close(error) { r.once.Do(func() { close(r.closed) }) }

// What it costs to tell a thousand subscribers of a block, sockets left out: per
// block, and of that what the commit waits for.
func BenchmarkSubscribers(b *testing.B) {
	transfers := fmt.Sprintf(`"logs",{"topics":["%v"]}`, contracts.Token.ABI.Events["Transfer"].ID)
	b.Run("heads", func(b *testing.B) { benchmarkSubscribers(b, 1000, `"newHeads"`, 0) })
	b.Run("one log", func(b *testing.B) { benchmarkSubscribers(b, 1000, transfers, 1) })
	b.Run("hundred logs", func(b *testing.B) { benchmarkSubscribers(b, 1000, transfers, 100) })
}

func benchmarkSubscribers(b *testing.B, subscribers int, kind string, logs int) {
	w := newWorld(b)
	token := w.deploy()
	told, want, done := new(atomic.Int64), new(atomic.Int64), make(chan struct{}, 1)
	ctx, stop := context.WithCancel(context.Background())
	var sessions sync.WaitGroup
	for range subscribers {
		r := &reader{requests: make(chan []byte, 1), closed: make(chan struct{}), answered: make(chan struct{}), told: told, want: want, done: done}
		sessions.Go(func() { w.dispatcher.NewSession(ctx, r).Run() })
		r.requests <- []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":[` + kind + `]}`)
		<-r.answered
	}
	per := max(logs, 1) // notifications of a block to one of them
	var nonce uint64 = 1
	var waiting, busy int64 // nanoseconds
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		var raw [][]byte
		for range logs {
			tx, _ := w.sign(0, nonce, &token, 0, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(0)))
			raw, nonce = append(raw, tx), nonce+1
		}
		committed := w.Commit(b, raw...)
		told.Store(0)
		want.Store(int64(subscribers * per))
		b.StartTimer()
		start, before := b.Elapsed(), processorTime()
		w.chain.Committed(committed)
		waiting += int64(b.Elapsed() - start)
		<-done
		busy += processorTime() - before
	}
	b.ReportMetric(float64(waiting)/float64(b.N), "commit-ns/op")
	b.ReportMetric(float64(busy)/float64(b.N*subscribers*per), "cpu-ns/notification")
	b.StopTimer()
	stop()
	sessions.Wait()
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
