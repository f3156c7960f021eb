package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
)

// timer decides when a node that hears of no leader campaigns. It does what
// Raft's own timer does (Raft dissertation, 3.4 and 9.3), but draws its timeouts
// from Options.Random, so that a simulation can repeat them.
type timer struct {
	elapsed int // ticks since a leader, a vote granted or a change of role
	timeout int
	term    uint64
	state   raft.StateType
}

func (t *timer) tick(d *Driver) {
	if d.raft.BasicStatus().RaftState == raft.StateLeader {
		d.raft.Tick()
		return
	}
	d.raft.TickQuiesced() // Raft counts for how long it believes in its leader
	t.elapsed++
	if t.elapsed < t.timeout {
		return
	}
	t.elapsed = 0
	if d.electable() {
		_ = d.raft.Campaign() // it cannot refuse a local message
	}
}

// watch restarts the timer when term or role changed.
func (t *timer) watch(d *Driver) {
	status := d.raft.BasicStatus()
	if term := status.GetTerm(); t.timeout == 0 || term != t.term || status.RaftState != t.state {
		t.term, t.state, t.elapsed = term, status.RaftState, 0
		t.timeout = d.o.ElectionTicks + d.o.Random.IntN(d.o.ElectionTicks)
	}
}

// electable reports whether the configuration lets this node lead, and its disk
// works. One that the ledger retired may have to, until the configuration
// follows: no other may have all that is committed.
func (d *Driver) electable() bool {
	return !d.stuck() && (slices.Contains(d.config.Voters, d.id) || slices.Contains(d.config.Outgoing, d.id))
}
