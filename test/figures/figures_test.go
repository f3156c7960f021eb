// Package figures_test runs short versions of the measurements of a network: what
// they count must be right whatever the times are.
package figures_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/bench"
	"github.com/coco-consortium/coco/test/binary"
)

func TestMain(m *testing.M) { binary.Main(m) }

// figures runs a command to its end and reads its line of JSON.
func figures[T any](t *testing.T, words string) *T {
	t.Helper()
	r := binary.Run(t, t.TempDir(), strings.Fields("bench "+words+" --json")...)
	if r.Code != 0 {
		t.Fatalf("coco bench %s ended with %d:\n%s", words, r.Code, r.Stderr)
	}
	var report T
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, r.Stdout)
	}
	return &report
}

const small = " --writers 6 --batch 5 --rate 100 --measure 1s"

func kept(t *testing.T, l bench.Loss) {
	t.Helper()
	if l.Acknowledged == 0 || l.Blocks == 0 || l.Lost+l.Twice+l.Different > 0 {
		t.Errorf("what was acknowledged: %+v", l)
	}
}

// TestKills: nothing that was acknowledged is lost when primaries are killed, and
// each of them comes back.
func TestKills(t *testing.T) {
	r := figures[bench.KillsReport](t, "network kills --kills 2"+small)
	kept(t, r.Loss)
	if len(r.Kills) != 2 || r.Load.Rate != 100 || r.Load.Maximum != 0 {
		t.Errorf("%+v", r)
	}
	for _, k := range r.Kills {
		if k.Elections == 0 || k.Gap <= 0 || k.Gap > r.GapWorst || k.Reader <= 0 || k.Voter < k.Restart {
			t.Errorf("%+v", k)
		}
	}
}

// TestSlow: a throttled backup is told from a free one, and gets no more than its
// part.
func TestSlow(t *testing.T) {
	r := figures[bench.SlowReport](t, "network slow --rounds 1"+small)
	kept(t, r.Loss)
	if len(r.Rounds) != 1 || r.How == "" || r.Ratio <= 0 {
		t.Fatalf("%+v", r)
	}
	if d := r.Rounds[0]; d.Free.CommittedPerSecond <= 0 || d.Slow.CommittedPerSecond <= 0 {
		t.Errorf("%+v", d)
	}
}

// TestJoin: fresh nodes join one after the other, and have the same chain. The
// maximum is measured here.
func TestJoin(t *testing.T) {
	r := figures[bench.JoinReport](t, "network join --slots 3000 --rounds 2 --nodes 2 --writers 6 --batch 5 --measure 1s")
	kept(t, r.Loss)
	if len(r.Rounds) != 2 || r.Load.Maximum <= 0 || r.Load.Rate != r.Load.Maximum/2 {
		t.Fatalf("%+v", r)
	}
	for _, j := range r.Rounds {
		if j.Serves <= 0 || j.Voter < j.Serves || j.Head == 0 || j.Resident == 0 {
			t.Errorf("%+v", j)
		}
	}
}

// TestNodes: a network and one node alone get the same load, and the processor time
// of each process is known.
func TestNodes(t *testing.T) {
	r := figures[bench.Report](t, "ethereum --nodes 2 --backup --rounds 1 --accounts 20 --load transactions=300")
	if len(r.Nodes) != 3 || len(r.Rows) != 1 {
		t.Fatalf("%+v", r)
	}
	for i, s := range r.Rows[0].Sides {
		backups := []int{1, 1, 0}[i]
		if s.Median.Committed != 300 || s.Median.NodeCPU <= 0 || len(s.Median.BackupCPU) != backups {
			t.Errorf("%s: %+v", s.Node, s.Median)
		}
	}
}
