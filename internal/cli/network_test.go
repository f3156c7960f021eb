package cli

import (
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
)

// seats is a network in which node 2 is paused, 3 stopped, 4 joining, and 5 cut off.
func seats() network.Overview {
	voter := operations.StateVoter
	status := func(id uint64, role operations.Role, commit uint64) *operations.Status {
		s := &operations.Status{RaftID: id, State: voter, Role: role, View: 7, Leader: &operations.Place{RaftID: 1},
			Ledger: operations.Ledger{Height: commit - 4, Commit: commit},
			Nodes: []operations.Peer{
				{Place: operations.Place{RaftID: 1}, State: voter, Self: id == 1, Active: true},
				{Place: operations.Place{RaftID: 2}, State: voter, Self: id == 2, Active: true},
				{Place: operations.Place{RaftID: 3}, State: operations.StateRetired},
				{Place: operations.Place{RaftID: 5}, State: voter, Self: id == 5},
			}}
		s.Warnings = []operations.Warning{{Code: "SIMULATED_PLATFORM", What: "the platform is simulated", Remedy: "keep nothing of value in it"}}
		return s
	}
	o := network.Overview{Data: "/data", Apart: []int{5}, Nodes: []network.Seat{
		{Number: 1, Running: true, RPC: "127.0.0.1:8545", Status: status(1, operations.RoleLeader, 1042)},
		{Number: 2, Running: true, RPC: "127.0.0.1:8546", Status: status(2, operations.RoleFollower, 1040)},
		{Number: 3, RPC: "127.0.0.1:8547"},
		{Number: 4, Phase: "join"},
		{Number: 5, Running: true, RPC: "127.0.0.1:8549", Status: status(5, operations.RoleCandidate, 900)},
		{Number: 6, Running: true, RPC: "127.0.0.1:8550", Status: status(6, operations.RoleLearner, 300)},
	}}
	o.Nodes[0].Status.Warnings = append([]operations.Warning{{Code: "PEER_SILENT", What: "node 5 at 127.0.0.1:7005 does not answer", Remedy: "start it"}}, o.Nodes[0].Status.Warnings...)
	o.Nodes[1].Status.Paused = true
	o.Nodes[5].Status.State = operations.StateLearner
	o.Nodes[5].Status.CatchUp = &operations.CatchUp{Stage: "chunks", Done: 30, Total: 70}
	return o
}

func TestNetworkTable(t *testing.T) {
	var b strings.Builder
	networkTable(&b, seats())
	golden(t, "network-status.txt", []byte(b.String()))
}

func TestNodeTable(t *testing.T) {
	s := operations.Status{RaftID: 4, State: operations.StateVoter, Role: operations.RoleLeader, View: 9, Leader: &operations.Place{RaftID: 4},
		Ledger: operations.Ledger{Height: 80, Commit: 90},
		Nodes: []operations.Peer{
			{Place: operations.Place{RaftID: 1}, State: operations.StateRetired},
			{Place: operations.Place{RaftID: 4, Address: "10.0.0.1:7545", Client: "10.0.0.1:8545"}, State: operations.StateVoter, Self: true},
			{Place: operations.Place{RaftID: 5, Address: "10.0.0.2:7545", Client: "\x1b[31mred"}, State: operations.StateVoter, Lag: 12, Active: true},
			{Place: operations.Place{RaftID: 6, Address: "10.0.0.3:7545"}, State: operations.StateLearner, Lag: 90, Heard: 7.2},
		},
		Warnings: []operations.Warning{{Code: "PEER_SILENT", What: "node 6 at 10.0.0.3:7545 does not answer", Remedy: "start it"}}}
	var b strings.Builder
	nodeTable(&b, s)
	golden(t, "network-node.txt", []byte(b.String()))
	s.Role, s.Leader, s.Nodes = operations.RoleFollower, nil, nil
	b.Reset()
	nodeTable(&b, s)
	if !strings.Contains(b.String(), "node 4 is follower") {
		t.Error(b.String())
	}
}

// TestStatusOfNothing: without a node there is a problem and no table.
func TestStatusOfNothing(t *testing.T) {
	client := operations.Dial(t.TempDir())
	defer client.Close()
	var b strings.Builder
	if err := showNetwork(t.Context(), client, false, false, &b); err == nil || b.Len() > 0 {
		t.Errorf("%v, %q", err, b.String())
	}
}

// TestStrayWord: a word that is no command of a group is a mistake, and not a
// wish for help.
func TestStrayWord(t *testing.T) {
	for args, want := range map[string]int{"network bogus": terminal.Misused, "node bogus --json": terminal.Misused, "bogus": terminal.Misused, "network": terminal.OK,
		"network --help": terminal.OK, "network status --help": terminal.OK, "network help": terminal.OK, "help network": terminal.OK, "bench bogus": terminal.Misused} {
		var out, errOut strings.Builder
		if got := Main(t.Context(), strings.Fields(args), nil, &out, &errOut); got != want {
			t.Errorf("coco %s: exit code %d, not %d: %s", args, got, want, errOut.String())
		}
	}
}
