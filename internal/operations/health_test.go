package operations

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestWarnings has one way to each warning, from a status that is worth none.
func TestWarnings(t *testing.T) {
	calm := func() Status {
		s := three()
		s.Platform, s.Nodes[0].Lag = "snp", 0
		return s
	}
	s := calm()
	if list := Judge(&s); len(list) > 0 {
		t.Fatalf("a calm network has %v", list)
	}
	cases := []struct {
		code   string
		change func(s *Status)
	}{
		{WarnNoMajority, func(s *Status) { s.Nodes[0].Active, s.Nodes[2].Active = false, false }},
		{WarnNoMajority, func(s *Status) { s.Role, s.Leader = RoleFollower, nil }},
		{WarnPeerSilent, func(s *Status) { s.Nodes[2].Active = false }},
		{WarnPeerSilent, func(s *Status) { s.Role, s.Nodes[2].Heard = RoleFollower, silence+1 }},
		{WarnPeerSilent, func(s *Status) { s.Role, s.Nodes[2].Heard, s.Uptime = RoleFollower, -1, silence+1 }},
		{WarnPeerLagging, func(s *Status) { s.Nodes[0].Lag = lagEntries + 1 }},
		{WarnLagging, func(s *Status) { s.Ledger.Commit += lagEntries + 1 }},
		{WarnClockSkew, func(s *Status) { s.Nodes[0].Skew = -3 }},
		{WarnDisk, func(s *Status) { s.Disk.Free = 5 << 30 }},
		{WarnSnapshot, func(s *Status) { s.Snapshot.Overdue = true }},
		{WarnSimulated, func(s *Status) { s.Platform = "simulated" }},
		{WarnBackfill, func(s *Status) { s.Ledger.First = 50 }},
		{WarnDamaged, func(s *Status) { s.Ledger.Damaged = []string{"chunk-00000001"} }},
		{WarnElections, func(s *Status) { s.Elections.Recent = storm }},
		{WarnOneVoter, func(s *Status) { s.Nodes[0].State = StateRetired }},
		{WarnPaused, func(s *Status) { s.Paused = true }},
		{WarnIndex, func(s *Status) { s.Ledger.Height, s.Ledger.Index = 2000, 100 }},
	}
	document, err := os.ReadFile("../../docs/reference/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		s := calm()
		c.change(&s)
		list := Judge(&s)
		i := slices.IndexFunc(list, func(w Warning) bool { return w.Code == c.code })
		if i < 0 {
			t.Errorf("%s is not said, only %v", c.code, list)
			continue
		}
		if w := list[i]; w.What == "" || w.Remedy == "" || strings.HasSuffix(w.What, ".") || strings.Contains(w.What, "%!") {
			t.Errorf("%+v", w)
		}
		if !strings.Contains(string(document), "| `"+c.code+"` |") {
			t.Errorf("docs/reference/operations.md does not explain %s", c.code)
		}
	}
}

// TestNoMajorityIsTheLeadersWord: a follower that knows its leader knows no more.
func TestFollowersDoNotJudgeOthers(t *testing.T) {
	s := three()
	s.Role, s.Platform = RoleFollower, "snp"
	s.Nodes[0].Active, s.Nodes[2].Active = false, false
	if list := Judge(&s); len(list) > 0 {
		t.Errorf("a follower says %v", list)
	}
}
