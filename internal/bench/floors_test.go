package bench

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/bench/attribution"
)

func runs(rates ...float64) (all []Run) {
	for _, r := range rates {
		all = append(all, Run{CommittedPerSecond: r})
	}
	return all
}

// TestOver: a ratio is that of the medians, its extent that of the rounds.
func TestOver(t *testing.T) {
	a, b := &Side{Runs: runs(300, 100, 200)}, &Side{Runs: runs(100, 100, 50)}
	if f := over(a, b, committed); f != (figure{2, 1, 4}) {
		t.Errorf("%+v", f)
	}
	if f := over(a, b, committed).percent(); f != (figure{200, 100, 400}) {
		t.Errorf("%+v", f)
	}
	if f := over(a, &Side{}, committed); f.value != 0 {
		t.Errorf("nothing measured: %+v", f)
	}
	if f := figureOf(a, committed); f != (figure{200, 100, 300}) {
		t.Errorf("%+v", f)
	}
}

// TestFloors: met, not met and not measured are told apart, in words.
func TestFloors(t *testing.T) {
	r := &FloorsReport{Part: 1, Rounds: 3}
	row := &Row{Sides: []Side{{Runs: runs(90)}, {Runs: runs(100)}}}
	r.rates("single", row, 3, 0.85, errors.New("no geth"))
	r.rates("batch", &Row{Sides: []Side{{Runs: runs(90)}, {Runs: runs(100)}, {Runs: runs(45)}}}, 2.5, 0.95, nil)
	r.atMost("memory", "≤ 150 bytes", 150, "bytes", figure{150, 150, 150})
	r.atMost("start", "≤ 5 s", 5, "s", figure{})
	var got []string
	for _, f := range r.Floors {
		got = append(got, f.Row+" "+f.Verdict)
	}
	want := "single not measured, single met, batch not met, batch not met, memory met, start not measured"
	if strings.Join(got, ", ") != want {
		t.Errorf("%v", got)
	}
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"≥ 3 × geth", "not measured: no geth", "90.00 %", "150 bytes", "2.00 ×"} {
		if !strings.Contains(b.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, b.String())
		}
	}
}

// TestFloorRows: every row has words.
func TestFloorRows(t *testing.T) {
	for _, row := range FloorRows {
		if loads[row] == "" {
			t.Errorf("%s has no words", row)
		}
	}
	if _, err := Floors(t.Context(), FloorsOptions{Rows: []string{"everything"}}); !errors.Is(err, ErrLoad) {
		t.Errorf("%v", err)
	}
}

// TestCompare: the runs of the beginning against those of the end, memory of the last
// third against the middle's.
func TestCompare(t *testing.T) {
	r := &SoakReport{Seconds: 60}
	var all []Run
	var began []time.Duration
	for i := range 60 {
		run := Run{CommittedPerSecond: 100, P99: 10, Resident: 100}
		if i >= 40 {
			run.Resident = 120
		}
		if i >= 50 {
			run.P99, run.CommittedPerSecond = 15, 80
		}
		all, began = append(all, run), append(began, time.Duration(i)*time.Second)
	}
	r.compare(all, began, SoakOptions{Edge: 10 * time.Second})
	if r.P99 != 1.5 || r.Rate != 0.8 || r.Memory != 1.2 {
		t.Errorf("%+v", r)
	}
	r.compare(all[:1], began[:1], SoakOptions{Edge: time.Second})
	if r.P99 != 1 {
		t.Errorf("one run: %+v", r)
	}
}

// TestProfileMedians: each part by itself, and the ledger's sum of a run.
func TestProfileMedians(t *testing.T) {
	row := Row{Sides: []Side{{Runs: []Run{
		{NodeCPU: 100, BackupCPU: []float64{20, 40}, Profile: spread(attribution.Time{attribution.Seal: 30, attribution.KV: 10, attribution.Rest: 60}, 100)},
		{NodeCPU: 200, BackupCPU: []float64{20, 40}, Profile: spread(attribution.Time{attribution.Seal: 1, attribution.Rest: 1}, 200)},
		{NodeCPU: 100, BackupCPU: []float64{20, 40}, Profile: spread(attribution.Time{attribution.Index: 1}, 100)},
	}}}}
	row.summarize()
	m := row.Sides[0].Median
	if math.Abs(m.Profile[attribution.Seal]-30) > 1e-9 || m.Profile[attribution.KV] != 0 || math.Abs(m.Profile[attribution.Rest]-60) > 1e-9 {
		t.Errorf("%v", m.Profile)
	}
	if f := figureOf(&row.Sides[0], (*Run).ledgerCPU); math.Abs(f.value-100) > 1e-9 || math.Abs(f.least-40) > 1e-9 {
		t.Errorf("%+v", f)
	}
	if e := row.Sides[0].energy(5); math.Abs(e.CPU-160) > 1e-9 || math.Abs(e.Joules-160e-6*5) > 1e-12 {
		t.Errorf("%+v", e)
	}
	if e := (&Side{}).energy(5); e != (Energy{}) {
		t.Errorf("an unknown process: %+v", e)
	}
}

// TestWork: what a transaction writes lies among the slots, and follows from its place.
func TestWork(t *testing.T) {
	l := Load{Contract: "work", Transactions: 50, Work: Work{Slots: 100, Writes: 60, Data: 7}}.withDefaults()
	for order := range 50 {
		data := workOf(l, order)
		first := int(data[31])
		if len(data) != 4*32+7 || first > 40 || int(data[63]) != 60 {
			t.Fatalf("%x", data)
		}
		if string(data) != string(workOf(l, order)) {
			t.Error("another one the second time")
		}
	}
}

// TestSteps: every sweep has values whose loads are understood.
func TestSteps(t *testing.T) {
	for _, sweep := range Sweeps {
		steps := stepsOf(sweep)
		if len(steps) == 0 {
			t.Errorf("%s has no values", sweep)
		}
		for _, s := range steps {
			if _, err := ParseLoad(s.load); err != nil {
				t.Errorf("%s: %v", sweep, err)
			}
		}
	}
}
