package operations

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/telemetry"
)

// TestFigures scrapes a status and compares what comes out with the document.
func TestFigures(t *testing.T) {
	n := &fake{status: three()}
	n.status.CatchUp = &CatchUp{Stage: "chunks", Done: 5, Total: 10}
	n.status.Counters = Counters{Committed: 42, Blocks: 7}
	m := telemetry.New()
	m.Register(Collector(n))
	m.Answered("eth_call", "ok", 1)
	_, text := get(t, Observe(n, m.Handler()), "/metrics")
	for _, line := range []string{
		`coco_info{format="0",platform="simulated",version="coco/test"} 1`, `coco_raft_role{role="leader"} 1`, `coco_raft_role{role="follower"} 0`,
		`coco_raft_view 3`, `coco_peer_lag_entries{node="3"} 5000`, `coco_transactions_total{stage="committed"} 42`, `coco_catchup_total{stage="chunks"} 10`,
		`coco_warning{code="PEER_LAGGING"} 1`, `coco_log_durable_index 110`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(text, `_match_index{node="1"}`) || strings.Contains(text, "127.0.0.1") {
		t.Error("this node is its own peer, or an address is a label")
	}
	document, err := os.ReadFile("../../docs/reference/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (coco_\w+) `).FindAllStringSubmatch(text, -1) {
		named[m[1]] = true
		if !strings.Contains(string(document), "| `"+m[1]+"` |") {
			t.Errorf("docs/reference/operations.md does not explain %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(coco_\\w+)` \\|").FindAllStringSubmatch(string(document), -1) {
		if !named[m[1]] {
			t.Errorf("docs/reference/operations.md explains %s, which does not exist", m[1])
		}
	}
	if len(named) < 40 {
		t.Errorf("only %d families", len(named))
	}
}
