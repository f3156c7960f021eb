package simulation

import (
	"errors"
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
		var f *Failure
		if errors.As(err, &f) {
			t.Fatalf("%v\nreproduce with COCO_SIMULATION_SEED=%d go test -run TestSeeds ./internal/simulation", err, seed)
		}
		t.Fatal(err)
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
	for seed := range uint64(8) {
		sum.Add(must(t, seed, Options{}).Statistics)
	}
}

// TestSeedsReproduce runs seeds twice: every event is the same.
func TestSeedsReproduce(t *testing.T) {
	for seed := range uint64(2) {
		one, two := must(t, seed, Options{}), must(t, seed, Options{})
		if one != two {
			t.Fatalf("seed %d: two runs differ:\n%+v\n%+v", seed, one, two)
		}
	}
}
