//go:build !race

// The race detector allocates by itself: what allocates is counted without it.

package sequencer

import (
	"testing"
)

// TestTransferCosts asserts what is exact of a transfer's cost; times are not.
func TestTransferCosts(t *testing.T) {
	const records, runs = 300, 10
	m := newMill(t, records)
	for range 10 {
		m.block(t, records) // so that the state has its size
	}
	m.blocks, m.bytes, m.signatures = 0, 0, 0
	allocs := testing.AllocsPerRun(runs, func() { m.block(t, records) }) / records
	const blocks = runs + 1 // AllocsPerRun runs once more
	if bytes := float64(m.bytes) / (blocks * records); m.blocks != blocks || m.signatures != blocks || bytes > 848 || allocs > 16 {
		t.Fatalf("a transfer costs %.1f bytes of ledger and %.1f allocations; %d blocks have %d signatures", bytes, allocs, m.blocks, m.signatures)
	}
}
