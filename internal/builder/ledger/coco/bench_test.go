package coco_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
)

// named opens the node at COCO_RPC.
func named(b *testing.B) *coco.Driver {
	b.Helper()
	address := os.Getenv("COCO_RPC")
	if address == "" {
		b.Fatal("COCO_RPC names no node")
	}
	d, err := coco.Open(address, client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// BenchmarkBlocks takes all blocks of the node at COCO_RPC, as an indexer does,
// and says how many transactions a second that is.
func BenchmarkBlocks(b *testing.B) {
	d := named(b)
	for b.Loop() {
		began, transactions, untraced := time.Now(), 0, 0
		for from := uint64(0); ; {
			list, err := d.Blocks(b.Context(), from, 1000)
			if err != nil {
				b.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for i := range list {
				transactions += len(list[i].Transactions)
				if !list[i].Traced {
					untraced += len(list[i].Transactions)
				}
			}
			from += uint64(len(list))
		}
		b.ReportMetric(float64(transactions)/time.Since(began).Seconds(), "tx/s")
		b.ReportMetric(float64(transactions), "tx")
		b.ReportMetric(float64(untraced), "untraced")
	}
}

// BenchmarkFollow takes blocks of the node at COCO_RPC while it is under load, until
// none has come for three seconds, and says how long after a block was announced it
// was taken.
func BenchmarkFollow(b *testing.B) {
	d := named(b)
	for b.Loop() {
		follow(b, d)
	}
}

func follow(b *testing.B, d *coco.Driver) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	head, err := d.Head(ctx)
	if err != nil {
		b.Fatal(err)
	}
	next := head.Number + 1
	var announced sync.Map // when, by number
	go d.Client.Heads(ctx, next, func(h client.Head) error {
		announced.Store(h.Number, time.Now())
		return nil
	})
	var lags []time.Duration
	var began, last time.Time
	transactions := 0
	for last.IsZero() || time.Since(last) < 3*time.Second {
		list, err := d.Blocks(ctx, next, 1000)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		if last = time.Now(); began.IsZero() {
			began = last
		}
		for i := range list {
			transactions += len(list[i].Transactions)
			if at, ok := announced.Load(list[i].Number); ok {
				lags = append(lags, last.Sub(at.(time.Time)))
			}
		}
		next += uint64(len(list))
	}
	slices.Sort(lags)
	b.ReportMetric(float64(transactions)/last.Sub(began).Seconds(), "tx/s")
	b.ReportMetric(float64(transactions), "tx")
	b.ReportMetric(float64(len(lags)), "blocks")
	if len(lags) > 0 {
		b.ReportMetric(float64(lags[len(lags)/2].Milliseconds()), "p50-ms")
		b.ReportMetric(float64(lags[len(lags)-1].Milliseconds()), "max-ms")
	}
}
