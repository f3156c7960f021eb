package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// BenchmarkEntries: 64 clients put entries of 128 bytes in process, without HTTP
// and TLS.
func BenchmarkEntries(b *testing.B) {
	c := Default(b.TempDir())
	n, err := Start(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Stop(context.Background())
	client, value := keyvalue.Client{1}, make([]byte, 128)
	var next atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	before, _ := n.state.Height()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q := &keyvalue.Request{Op: keyvalue.Put, Key: fmt.Appendf(nil, "%016d", next.Add(1)%100_000), Value: value}
			height, _ := n.state.Height()
			t, err := n.forwarder.Submit(&sequencer.Request{ID: keyvalue.ID(height), Protocol: keyvalue.Protocol, Bytes: q.Encode(), Caller: client[:], Decoded: q})
			if err == nil {
				err = t.Wait(b.Context())
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	after, _ := n.state.Height()
	b.ReportMetric(float64(b.N)/float64(after-before), "writes/block")
}
