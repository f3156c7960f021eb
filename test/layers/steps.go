package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Layer is the name of a layer of tests. Each contains the one before.
type Layer string

// The layers.
const (
	Fast Layer = "fast" // under 3 minutes with warm caches: before every commit
	Test Layer = "test" // under 35 minutes with cold caches on two cores: every change
	Full Layer = "full" // hours: before a release
)

func (l Layer) known() bool { return l.rank() > 0 }

func (l Layer) rank() int {
	return map[Layer]int{Fast: 1, Test: 2, Full: 3}[l]
}

// Step is one step of a layer.
type Step struct {
	Name string
	From Layer // the lowest layer that runs it
	To   Layer // the highest, when a later step contains it; none: all above
	// Beside lets the steps after it begin at once: it keeps one processor busy for
	// a set time, or mostly waits.
	Beside bool
	// Needs names an environment variable without which the step cannot run.
	Needs string
	Env   []string
	// GoTest holds the arguments of `go test -json`; otherwise Run is a command
	// that passes or fails as a whole and must print nothing if Quiet.
	GoTest []string
	Run    []string
	Quiet  bool
}

// concurrent lists the rooms in which goroutines meet; `test` runs them under
// the race detector, `full` every package.
var concurrent = []string{
	"./internal/kv/...", "./internal/ledger/...", "./internal/history/...", "./internal/consensus/...", "./internal/sequencer/...",
	"./internal/protocol/ethereum", "./internal/protocol/ethereum/chain/...", "./internal/protocol/ethereum/pool/...",
	"./internal/protocol/ethereum/api/...", "./internal/server/...", "./internal/node/...",
	"./internal/builder/identity", "./internal/builder/vault",
}

// product is everything but the tests of the whole.
var product = []string{"./client/...", "./cmd/...", "./internal/...", "./verify/..."}

func steps() []Step {
	return []Step{
		{Name: "gofmt", From: Fast, Run: []string{"gofmt", "-l", "client", "cmd", "internal", "verify", "test"}, Quiet: true},
		{Name: "vet", From: Fast, Run: []string{"go", "vet", "./..."}},
		{Name: "staticcheck", From: Fast, Run: []string{"go", "tool", "staticcheck", "./..."}},
		{Name: "arrows", From: Fast, GoTest: []string{"./test/arrows"}},
		{Name: "runner", From: Fast, GoTest: []string{"./test/layers"}},
		{Name: "documents", From: Fast, To: Fast, GoTest: []string{"-short", "./test/documents"}},
		{Name: "documents", From: Test, Beside: true, GoTest: []string{"-count=1", "-timeout=30m", "./test/documents"}},
		{Name: "unit", From: Fast, To: Fast, GoTest: append([]string{"-short"}, product...)},
		{Name: "unit", From: Test, GoTest: append([]string{"-count=1", "-p=4", "-timeout=30m"}, product...)},
		{Name: "reproducible", From: Test, Beside: true, Run: []string{"./test/reproducible.sh"}},
		{Name: "process", From: Test, GoTest: []string{"-count=1", "-timeout=30m", "./test/process"}},
		{Name: "simulation", From: Test, To: Test, Beside: true, Env: []string{"COCO_SIMULATION=4m"}, GoTest: []string{"-count=1", "-timeout=15m", "-run=^TestSeeds$", "./internal/simulation"}},
		{Name: "simulation", From: Full, Env: []string{"COCO_SIMULATION=2h"}, GoTest: []string{"-count=1", "-timeout=3h", "-run=^TestSeeds$", "./internal/simulation"}},
		{Name: "consortium", From: Test, GoTest: []string{"-count=1", "-timeout=30m", "./test/consortium"}},
		{Name: "next format", From: Test, GoTest: []string{"-count=1", "-tags=nextformat", "-run=Format|Level|Raise|Follow|Golden|Block", "./internal/ledger/format", "./internal/ledger/lineage", "./verify"}},
		{Name: "upgrade", From: Test, Beside: true, GoTest: []string{"-count=1", "-timeout=15m", "./test/upgrade"}},
		{Name: "clients", From: Test, GoTest: []string{"-count=1", "-timeout=30m", "./test/clients"}},
		{Name: "issuer", From: Test, GoTest: []string{"-count=1", "-timeout=15m", "./test/issuer"}},
		{Name: "compilers", From: Test, Beside: true, GoTest: []string{"-count=1", "-timeout=15m", "./test/compilers"}},
		{Name: "builder", From: Test, GoTest: []string{"-count=1", "-timeout=15m", "./test/builder"}},
		{Name: "browser", From: Test, To: Test, GoTest: []string{"-count=1", "-timeout=30m", "./test/browser"}},
		{Name: "browser", From: Full, Env: []string{"COCO_BROWSER=all"}, GoTest: []string{"-count=1", "-timeout=30m", "./test/browser"}},
		{Name: "figures", From: Test, GoTest: []string{"-count=1", "-timeout=30m", "./test/figures"}},
		{Name: "toolchain", From: Test, Beside: true, GoTest: []string{"-count=1", "-timeout=30m", "./test/toolchain"}},
		{Name: "race", From: Test, To: Test, GoTest: append([]string{"-race", "-short", "-timeout=30m"}, concurrent...)},
		{Name: "race", From: Full, GoTest: append([]string{"-race", "-timeout=4h"}, product...)},
		{Name: "planted", From: Test, GoTest: []string{"-count=1", "-timeout=60m", "./test/planted"}},
		{Name: "no-cgo build", From: Test, To: Test, Env: []string{"CGO_ENABLED=0"}, Run: []string{"go", "build", "./..."}},
		{Name: "no-cgo", From: Full, Env: []string{"CGO_ENABLED=0"}, GoTest: append([]string{"-timeout=2h"}, product...)},
		{Name: "release build", From: Test, Run: []string{"go", "vet", "-tags", "release", "./cmd/...", "./internal/..."}},
		{Name: "fuzz", From: Full, Run: []string{"./test/fuzz.sh"}},
		{Name: "kill", From: Full, Env: []string{"COCO_KILL_ROUNDS=200"}, GoTest: []string{"-count=1", "-timeout=4h", "-run=Kill", "./test/process"}},
		{Name: "soak", From: Full, Env: []string{"COCO_SOAK=30m"}, GoTest: []string{"-count=1", "-timeout=2h", "-run=TestSoak", "./test/consortium"}},
		{Name: "kv 10M", From: Full, Env: []string{"COCO_KV_SLOTS=10000000"}, Run: []string{"go", "test", "-run=^$", "-bench=.", "-benchtime=1000000x", "-timeout=2h", "./internal/kv"}},
		{Name: "crash", From: Full, Env: []string{"COCO_CRASH_SEEDS=200"}, GoTest: []string{"-count=1", "-timeout=8h", "-run=TestCrashLaboratory", "./internal/node"}},
		{Name: "state tests", From: Full, Needs: "COCO_STATETESTS", GoTest: []string{"-count=1", "-timeout=8h", "./internal/protocol/ethereum/evm/..."}},
		{Name: "transaction tests", From: Full, Needs: "COCO_TRANSACTIONTESTS", GoTest: []string{"-count=1", "-run=TestTransactionTests", "./internal/protocol/ethereum/pool"}},
		{Name: "rpc vectors", From: Full, Needs: "COCO_RPC_VECTORS", GoTest: []string{"-count=1", "./internal/protocol/ethereum/conformance"}},
	}
}

// contained reports that a longer step of the same name takes this one's place.
func (s Step) contained(layer Layer) bool {
	return s.To != "" && layer.rank() > s.To.rank()
}

// leftOut gives the reason why a layer does not run the step, or "".
func (s Step) leftOut(layer Layer) string {
	switch {
	case layer.rank() < s.From.rank():
		return "belongs to the layer " + string(s.From)
	case s.Needs != "" && os.Getenv(s.Needs) == "":
		return "the variable " + s.Needs + " is not set"
	}
	return ""
}

func (s Step) run(ctx context.Context, layer Layer) Counts {
	if len(s.GoTest) > 0 {
		return goTest(ctx, layer, s)
	}
	out, err := command(ctx, s.Env, s.Run[0], s.Run[1:]...).CombinedOutput()
	if err == nil && s.Quiet && len(out) > 0 {
		err = fmt.Errorf("it should print nothing")
	}
	if err != nil {
		fmt.Printf("--- %s: %s: %v\n%s\n", s.Name, strings.Join(s.Run, " "), err, out)
		return Counts{Failed: 1}
	}
	if layer != Fast && len(out) > 0 && !s.Quiet {
		fmt.Print(indent(out))
	}
	return Counts{Passed: 1}
}

func indent(out []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(string(out), "\n"), "\n", "\n    ") + "\n"
}
