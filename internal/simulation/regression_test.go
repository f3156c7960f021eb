package simulation

import "testing"

// regressions are seeds that found a bug, by what was wrong. A seed means
// something else once the simulation itself changes; each bug has a test of its
// own in its room as well.
var regressions = []struct {
	name   string
	seed   uint64
	prefer string
}{
	// The next process called durable what the kernel showed after a failed sync.
	{"a failed sync is trusted after a restart", 3, "failed sync"},
	// Raft counted the voters of before the recovery on nodes whose log ended there.
	{"a recovery does not reach old logs", 0, "everything"},
	// Blocks from a network of one whose clock was ahead kept all others out.
	{"the ledger's time is ahead", 7, "wrong clock"},
	// A clock that was set back kept the next block back for as long.
	{"the pace waits for the clock", 22, "wrong clock"},
}

func TestRegressions(t *testing.T) {
	for _, r := range regressions {
		t.Run(r.name, func(t *testing.T) { must(t, r.seed, Options{Events: 3000, Faults: 30, Prefer: r.prefer}) })
	}
}
