// Package figures_test runs short versions of the measurements of a network: what
// they count must be right whatever the times are.
package figures_test

import (
	"encoding/json"
	"math"
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

// TestProfile: where a transaction's time goes adds up to what it takes, and energy
// follows from it.
func TestProfile(t *testing.T) {
	r := figures[bench.Report](t, "ethereum --nodes 1 --profile --rounds 1 --accounts 20 --load transactions=3000 --load sync,connections=1,transactions=50 --load work,writes=3,slots=200,transactions=100")
	if len(r.Nodes) != 1 || len(r.Rows) != 3 {
		t.Fatalf("%+v", r)
	}
	m := r.Rows[0].Sides[0].Median
	sum := 0.0
	for _, micros := range m.Profile {
		sum += micros
	}
	if m.Committed != 3000 || m.Profile["signature"] <= 0 || math.Abs(sum-m.NodeCPU) > 0.01*sum {
		t.Errorf("%+v: the parts are %.1f µs", m, sum)
	}
	if e := r.Rows[0].Sides[0].Energy; e.CPU <= 0 || e.Joules <= 0 {
		t.Errorf("%+v", e)
	}
	if d := r.Rows[1].Disk; len(d) != 1 || d[0].P50 <= 0 {
		t.Errorf("%+v", d)
	}
	if m := r.Rows[2].Sides[0].Median; m.Committed != 100 || len(m.Errors) > 0 {
		t.Errorf("%+v", m)
	}
}

// TestState: both states answer, the large one is started again and watched while it
// takes a snapshot.
func TestState(t *testing.T) {
	r := figures[bench.StateReport](t, "state --slots 4000 --few 1000 --history 300 --transactions 100 --rounds 2 --measure 1s --rate 600")
	if s := r.Random.Sides; len(s) != 2 || s[0].Median.Committed != 100 || s[1].Median.Committed != 100 || len(s[1].Median.Errors) > 0 {
		t.Errorf("%+v", s)
	}
	if r.Resident == 0 || r.Disk["ledger"] == 0 || len(r.Starts) != 2 || r.Starts[0].Answers <= 0 {
		t.Errorf("%+v", r)
	}
	if s := r.Snapshot; s.Taken == 0 || s.Bytes == 0 || s.While.Max <= 0 || s.Without.Max <= 0 {
		t.Errorf("%+v", s)
	}
}

// TestSoak: the load goes on until the time is over.
func TestSoak(t *testing.T) {
	r := figures[bench.SoakReport](t, "soak --for 6s --load batch=10,transactions=500")
	if r.Seconds < 6 || len(r.Samples) < 2 || r.Total < 1000 || r.First.Committed != 500 || r.P99 <= 0 || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestScaling: each value of a sweep is measured.
func TestScaling(t *testing.T) {
	r := figures[bench.ScalingReport](t, "scaling --sweep cores --sweep writes --rounds 1 --part 0.02")
	if len(r.Points) < 4 {
		t.Fatalf("%+v", r)
	}
	for _, p := range r.Points {
		if p.Side.Median.Committed == 0 || len(p.Side.Median.Errors) > 0 || p.Factor < 0 {
			t.Errorf("%+v", p)
		}
	}
}

// TestFloors: rows have verdicts, and what needs a program that is not there says so.
func TestFloors(t *testing.T) {
	r := figures[bench.FloorsReport](t, "floors --part 0.01 --rounds 1 --geth-path /nowhere/geth --row single --row one")
	verdicts := map[string]int{}
	for _, f := range r.Floors {
		verdicts[f.Row+" "+f.Verdict]++
	}
	if verdicts["single not measured"] != 1 || verdicts["single met"]+verdicts["single not met"] != 1 || verdicts["one met"]+verdicts["one not met"] != 1 || len(r.Floors) != 3 {
		t.Errorf("%v", verdicts)
	}
}
