package cli

import (
	"cmp"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/operations"
)

// stages say what a node does that does not serve yet, and in what it is counted.
var stages = map[string]struct{ does, of string }{
	operations.StageLedger:    {does: "opens what its directory has"},
	operations.StageAdmission: {does: "asks to be let in"},
	operations.StagePending:   {does: "waits until the members let it in"},
	operations.StageSnapshot:  {"fetches a snapshot", "bytes"},
	operations.StageEntries:   {"fetches the ledger", "entries"},
	operations.StageState:     {does: "fills its state from the snapshot"},
	operations.StageReplay:    {"verifies and applies the ledger", "blocks"},
	operations.StageOpening:   {does: "commits its first record"},
	operations.StageTail:      {"takes what was committed meanwhile", "blocks"},
}

// onItsWay says that a node does not serve yet.
func onItsWay(s *operations.Status) bool {
	return s.CatchUp != nil && s.CatchUp.Stage != operations.StageBackfill && s.Role == operations.RoleNone
}

// describeArrival tells of a node on its way: of the network it knows little more
// than whom it asks.
func describeArrival(w io.Writer, s *operations.Status) {
	c := s.CatchUp
	stage := stages[c.Stage]
	name := "the node"
	if s.RaftID > 0 {
		name = fmt.Sprintf("node %d", s.RaftID)
	}
	fmt.Fprintf(w, "%s does not serve yet, %s: it %s\n", name, contract.Printable(string(s.State)), cmp.Or(stage.does, contract.Printable(c.Stage)))
	if c.Total > 0 {
		fmt.Fprintf(w, "  %d of %d %s,%s\n", c.Done, c.Total, stage.of, portion(c))
	}
	if c.Problem != "" {
		fmt.Fprintf(w, "  last answer: %s\n", contract.Printable(c.Problem))
	}
	printWarnings(w, gather(nil, 0, s.Warnings), false)
}
