package simulation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/cryptotest"
	"time"
)

// run runs a seed; everything random in the process comes from it.
func run(t *testing.T, seed uint64, o Options) (Result, error) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	return Run(seed, o)
}

// must runs a seed that has to hold.
func must(t *testing.T, seed uint64, o Options) Result {
	t.Helper()
	r, err := run(t, seed, o)
	if err != nil {
		again := fmt.Sprintf("COCO_SIMULATION_SEED=%d go test -count=1 -run '^TestSeeds$' ./internal/simulation", seed)
		if o.Prefer != "" {
			again = fmt.Sprintf("go test -count=1 -run '^%s$' ./internal/simulation", t.Name())
		}
		t.Fatalf("%v\nreproduce with %s", err, again)
	}
	return r
}

// TestSeeds runs a few fixed seeds. COCO_SIMULATION_SEED names one seed to run
// instead; COCO_SIMULATION=4m spends that time on new seeds.
func TestSeeds(t *testing.T) {
	var sum Statistics
	defer func() { fmt.Println("simulation:", sum) }()
	if text := os.Getenv("COCO_SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		lines, _ := strconv.Atoi(os.Getenv("COCO_SIMULATION_LINES"))
		sum.Add(must(t, seed, Options{Lines: lines}).Statistics)
		return
	}
	if text := os.Getenv("COCO_SIMULATION"); text != "" {
		budget, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		for began, seed := time.Now(), rand.Uint64()>>16; time.Since(began) < budget; seed++ {
			if sum.Seeds == 0 {
				fmt.Printf("simulation: new seeds from COCO_SIMULATION_SEED=%d on\n", seed)
			}
			sum.Add(must(t, seed, Options{}).Statistics)
		}
		return
	}
	for seed := range few(t, 8) {
		sum.Add(must(t, seed, Options{}).Statistics)
	}
}

// TestSeedsReproduce runs seeds twice: every event is the same.
func TestSeedsReproduce(t *testing.T) {
	for seed := range few(t, 2) {
		one, two := must(t, seed, Options{}), must(t, seed, Options{})
		if one != two {
			t.Fatalf("seed %d: two runs differ:\n%+v\n%+v", seed, one, two)
		}
	}
}

// few is how many seeds to run: less of them in short mode.
func few(t *testing.T, n uint64) uint64 {
	t.Helper()
	if testing.Short() {
		return (n + 2) / 3
	}
	return n
}

// prefer runs seeds in which one fault happens again and again.
func prefer(t *testing.T, fault string, seeds uint64) {
	t.Helper()
	var sum Statistics
	for seed := range seeds {
		sum.Add(must(t, seed, Options{Events: 3000, Faults: 30, Prefer: fault}).Statistics)
	}
	t.Log(sum)
}

// These look for one kind of bug each, so that test/planted sees it caught in
// seconds.
func TestRaces(t *testing.T)             { prefer(t, "race", 4) }
func TestFailedSeals(t *testing.T)       { prefer(t, "failed seal", 2) }
func TestLyingPrimaries(t *testing.T)    { prefer(t, "lying primary", 2) }
func TestIsolatedPrimaries(t *testing.T) { prefer(t, "isolated primary", 2) }
func TestRetirements(t *testing.T)       { prefer(t, "retire", 2) }
func TestPowerCuts(t *testing.T)         { prefer(t, "cut in a write", 2) }
func TestNoise(t *testing.T)             { prefer(t, "noise", 2) }
