package consensus

import (
	"fmt"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
)

// BenchmarkThreeDrivers seals blocks and replicates them through three drivers in
// one goroutine: what Raft, verification on two nodes and encoding cost together.
func BenchmarkThreeDrivers(b *testing.B) {
	for _, records := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			s := newService(b)
			begin := s.voters(3)
			peers := map[uint64]*peer{}
			for id := uint64(1); id <= 3; id++ {
				peers[id] = s.start(id, begin.log(), nil)
			}
			settle := func() {
				for quiet := false; !quiet; {
					quiet = true
					for id := uint64(1); id <= 3; id++ {
						p := peers[id]
						for _, m := range p.collect() {
							quiet = false
							if err := peers[m.GetTo()].Step(m); err != nil {
								b.Fatal(err)
							}
						}
						for p.sync() {
							quiet = false
						}
					}
				}
			}
			_ = peers[1].Campaign()
			settle()
			drafts := make([]*envelope.Draft, records)
			for i := range drafts {
				drafts[i] = transaction("a request of about the size of a transfer, a hundred and some bytes with its signature, give or take a few")
			}
			for b.Loop() {
				if _, err := peers[1].propose(3, drafts...); err != nil {
					b.Fatal(err)
				}
				settle()
			}
			b.StopTimer()
			if peers[3].base != peers[1].base {
				b.Fatal("the nodes differ")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "blocks/s")
		})
	}
}

// BenchmarkSeal is what of BenchmarkThreeDrivers is sealing.
func BenchmarkSeal(b *testing.B) {
	for _, records := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			s := newService(b)
			line, at, err := s.follow(s.voters(3).entries)
			if err != nil {
				b.Fatal(err)
			}
			drafts := make([]*envelope.Draft, records)
			for i := range drafts {
				drafts[i] = transaction("a request of about the size of a transfer, a hundred and some bytes with its signature, give or take a few")
			}
			for b.Loop() {
				s.seal(1, line.Head, false, at, 3, drafts...)
			}
		})
	}
}

// BenchmarkLoop seals a block on a loop and waits until it is handed on, one after
// the other: what the handovers between goroutines cost, with a disk that costs
// nothing.
func BenchmarkLoop(b *testing.B) {
	m := network(b, 1)[0]
	for b.Loop() {
		at, err := m.put("a request")
		if err != nil {
			b.Fatal(err)
		}
		m.await("is handed on", m.has(at.Index))
	}
}
