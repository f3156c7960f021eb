package coco_test

import (
	"os"
	"testing"
	"time"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
)

// BenchmarkBlocks takes all blocks of the node at COCO_RPC, as an indexer does,
// and says how many transactions a second that is.
func BenchmarkBlocks(b *testing.B) {
	address := os.Getenv("COCO_RPC")
	if address == "" {
		b.Fatal("COCO_RPC names no node")
	}
	d, err := coco.Open(address, client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
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
