package operations

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The codes of warnings. They are stable like those of problems.
const (
	WarnNoMajority  = "NO_MAJORITY"
	WarnPeerSilent  = "PEER_SILENT"
	WarnLagging     = "LAGGING"
	WarnPeerLagging = "PEER_LAGGING"
	WarnClockSkew   = "CLOCK_SKEW"
	WarnDisk        = "DISK_NEARLY_FULL"
	WarnSnapshot    = "SNAPSHOT_OVERDUE"
	WarnSimulated   = "SIMULATED_PLATFORM"
	WarnBackfill    = "LEDGER_INCOMPLETE"
	WarnDamaged     = "LEDGER_DAMAGED"
	WarnElections   = "ELECTION_STORM"
	WarnOneVoter    = "NO_REDUNDANCY"
	WarnPaused      = "PAUSED"
	WarnIndex       = "INDEX_BEHIND"
)

// From when on a figure is worth a warning.
const (
	lagEntries   = 1000     // entries behind
	skewSeconds  = 2.0      // a block more than 10 s ahead of a follower's clock is refused
	diskFraction = 0.10     // of the file system free
	diskBytes    = 10 << 30 // unless more than this is
	storm        = 5        // elections in ten minutes
	indexBlocks  = 1000     // blocks behind
	silence      = 5.0      // seconds; nodes ping each other every second
)

// Judge gives the warnings that a status is worth, those that matter
// most first.
func Judge(s *Status) []Warning {
	var list []Warning
	warn := func(code, remedy, what string, args ...any) {
		list = append(list, Warning{Code: code, What: fmt.Sprintf(what, args...), Remedy: remedy})
	}
	if s.Paused { // what it thinks of the others is old
		warn(WarnPaused, "resume it", "the node stands still by command")
	} else {
		judgeNetwork(s, warn)
	}
	judgeFiles(s, warn)
	if s.Platform == "simulated" {
		warn(WarnSimulated, "keep nothing of value in it; use hardware for that", "the platform is simulated: whoever reads the data directory reads everything in it")
	}
	return list
}

func judgeNetwork(s *Status, warn func(code, remedy, what string, args ...any)) {
	voters, heard := 0, 0
	for _, p := range s.Nodes {
		if p.State == StateVoter {
			voters++
			if p.Self || p.Active {
				heard++
			}
		}
	}
	if s.State == StateVoter && voters > 0 {
		switch {
		case s.Role == RoleLeader && heard <= voters/2:
			warn(WarnNoMajority, "bring nodes back or mend the network between them; writes wait meanwhile", "%d of %d voters answer: nothing can be committed", heard, voters)
		case s.Leader == nil:
			warn(WarnNoMajority, "bring nodes back or mend the network between them; writes wait meanwhile", "this node knows no primary: either an election is under way or too few of %d voters reach each other", voters)
		}
	}
	// The leader notices within an election's time; to a follower only pings tell.
	for _, p := range s.Nodes {
		away := p.State == StateVoter || p.State == StateLearner
		switch {
		case p.Self || !away:
		case s.Role == RoleLeader && !p.Active, p.Heard > silence, p.Heard < 0 && s.Uptime > silence:
			warn(WarnPeerSilent, "start it, or replace it if it does not come back", "the node with Raft id %d at %s does not answer", p.RaftID, p.Address)
		case s.Role == RoleLeader && p.Lag > lagEntries:
			warn(WarnPeerLagging, "check its disk, its processor and the way to it; a voter far behind does not help the next election", "the node with Raft id %d is %d entries behind", p.RaftID, p.Lag)
		}
		if math.Abs(p.Skew) > skewSeconds {
			warn(WarnClockSkew, "set both machines' clocks from the same source (NTP)", "the clock of the node with Raft id %d is %+.1f s from this one's", p.RaftID, p.Skew)
		}
	}
	if behind := s.Ledger.Commit - min(s.Ledger.Commit, s.Ledger.Applied); behind > lagEntries {
		warn(WarnLagging, "check this node's processor and disk; readers here see old blocks meanwhile", "this node has yet to publish %d committed entries", behind)
	}
	if s.Elections.Recent >= storm {
		warn(WarnElections, "check the network and the processors between the voters; raise timing.election in every node.yaml if they are far apart", "%d elections in ten minutes", s.Elections.Recent)
	}
	if voters == 2 {
		warn(WarnOneVoter, "add a third node: two tolerate no failure", "the network has two voters: when either ends, writes stop")
	}
}

func judgeFiles(s *Status, warn func(code, remedy, what string, args ...any)) {
	if s.Disk.Total > 0 && s.Disk.Free < diskBytes && float64(s.Disk.Free) < diskFraction*float64(s.Disk.Total) {
		warn(WarnDisk, "free space or extend the disk: the node stops writing when it is full", "%s of %s are free", size(s.Disk.Free), size(s.Disk.Total))
	}
	if len(s.Ledger.Damaged) > 0 {
		warn(WarnDamaged, "replace this node's directory by joining anew; keep the old one until it has caught up", "the ledger is damaged at %s", s.Ledger.Damaged[0])
	}
	if s.Ledger.First > 1 {
		warn(WarnBackfill, "wait: they are fetched in the background; old blocks are not served from here meanwhile", "the ledger's entries before index %d are not here yet", s.Ledger.First)
	}
	if s.Snapshot.Overdue {
		warn(WarnSnapshot, "see the log for why none is taken; joining and restarting take longer meanwhile", "%d records were committed since the last snapshot", s.Snapshot.Pending)
	}
	if behind := s.Ledger.Height - min(s.Ledger.Height, s.Ledger.Index); behind > indexBlocks {
		warn(WarnIndex, "wait; questions about logs that reach there are refused meanwhile", "the history index is %d blocks behind", behind)
	}
}

// complete fills what every status must have: lists that are not null, in order,
// and the warnings.
func complete(s Status) Status {
	s.Nodes = slices.SortedFunc(slices.Values(s.Nodes), func(a, b Peer) int { return cmp.Compare(a.RaftID, b.RaftID) })
	if s.Nodes == nil {
		s.Nodes = []Peer{}
	}
	if s.Ledger.Damaged == nil {
		s.Ledger.Damaged = []string{}
	}
	s.Warnings = Judge(&s)
	if s.Warnings == nil {
		s.Warnings = []Warning{}
	}
	return s
}

// size writes a number of bytes for people.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/(1<<10), 0
	for f >= 1<<10 && i < len(units)-1 {
		f, i = f/(1<<10), i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
