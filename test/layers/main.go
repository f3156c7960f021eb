// Command layers runs one layer of coco's tests and says what it did: the time
// and the counts of every step, what did not run and why, and as its last line
// the sums.
//
//	go run ./test/layers fast|test|full
//
// It promises that nothing is left out in silence: a skipped test that no rule
// in skips.go explains is a failure, and so is a step whose tool is missing. It
// does not judge times, which depend on the machine; it prints them. test/run
// installs what is needed and then calls it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	layer := Test
	if len(os.Args) > 1 {
		layer = Layer(os.Args[1])
	}
	if len(os.Args) > 2 || !layer.known() {
		fmt.Fprintln(os.Stderr, "usage: layers [fast|test|full]")
		os.Exit(2)
	}
	if !run(ctx, layer, steps()) {
		stop()
		os.Exit(1)
	}
}

// run runs every step of the layer, failed ones before it notwithstanding, and
// reports whether all passed.
func run(ctx context.Context, layer Layer, all []Step) bool {
	start := time.Now()
	var sum Counts
	var left []string
	var failed []string
	var mu sync.Mutex // of what a step adds when it is over
	var beside sync.WaitGroup
	do := func(s *Step) {
		began := time.Now()
		counts := s.run(ctx, layer)
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%-14s %5d passed %4d failed %4d skipped %9s\n", s.Name,
			counts.Passed, counts.Failed, counts.Skipped, time.Since(began).Round(100*time.Millisecond))
		if counts.Failed > 0 {
			failed = append(failed, s.Name)
		}
		sum.add(counts)
	}
	fmt.Printf("layer %s\n\n", layer)
	for _, s := range all {
		if s.contained(layer) {
			continue
		}
		if reason := s.leftOut(layer); reason != "" {
			left = append(left, fmt.Sprintf("%s: %s", s.Name, reason))
			continue
		}
		if ctx.Err() != nil {
			left = append(left, s.Name+": the run was interrupted")
			mu.Lock()
			sum.Failed++
			mu.Unlock()
			continue
		}
		if s.Beside {
			beside.Go(func() { do(&s) })
			continue
		}
		do(&s)
	}
	beside.Wait()

	fmt.Println()
	for _, line := range left {
		fmt.Println("did not run:", line)
	}
	for _, line := range sum.Explained {
		fmt.Println("skipped:", line)
	}
	if len(failed) > 0 {
		fmt.Println("failed:", strings.Join(failed, ", "))
	}
	fmt.Printf("layer %s took %s\n", layer, time.Since(start).Round(time.Second))
	fmt.Printf("%d passed, %d failed, %d skipped\n", sum.Passed, sum.Failed, sum.Skipped)
	return sum.Failed == 0
}

// command is an exec.Cmd that is asked to end, children included, when ctx is
// done.
func command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	return c
}
