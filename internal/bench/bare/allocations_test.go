//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package bare

import (
	"testing"
)

// What a transfer allocates from the request to the block that is told of, one and
// a hundred in a request: 74 when this was written.
func TestTransferAllocations(t *testing.T) {
	const most = 80
	for _, n := range []int{1, 100} {
		r := newRig(t)
		const runs = 5
		var requests [][]byte
		for range (runs + 1) * perBlock / n { // one to warm up
			requests = append(requests, r.transfers(t, n))
		}
		got := testing.AllocsPerRun(runs, func() {
			for range perBlock / n {
				r.send(t, requests[0])
				requests = requests[1:]
			}
			r.commit(t)
		}) / perBlock
		if got > most {
			t.Errorf("%d in a request: %v allocations for a transfer, of at most %d", n, got, most)
		}
	}
}
