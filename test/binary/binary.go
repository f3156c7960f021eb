// Package binary builds the real coco once per test process and runs it as a
// person would: as a process, with a directory, an exit code and two output
// streams. The tests under test/ that need a running node start here. It knows
// nothing of the product but what docs/reference/cli.md says.
package binary

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Root is the repository, seen from a package two levels below it.
const Root = "../.."

var path string

// Path is the built program, an absolute path.
func Path() string { return path }

// Main builds coco, runs the tests of a package and ends the process. It is
// what TestMain calls. COCO_TEST_TAGS names build tags, for test/planted.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coco-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path = filepath.Join(dir, "coco")
	if err := Build(path, strings.Fields(os.Getenv("COCO_TEST_TAGS"))...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Build builds coco with tags into a file.
func Build(file string, tags ...string) error {
	c := exec.Command("go", "build", "-tags", strings.Join(tags, ","), "-o", file, "./cmd/coco")
	c.Dir = Root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building coco: %w\n%s", err, out)
	}
	return nil
}

// hang is when a command that should end is taken to hang: far longer than the
// slowest, which verifies half an hour's ledger on a busy machine.
const hang = 15 * time.Minute

// Result is what a command that ended left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a coco command in dir to its end.
func Run(t testing.TB, dir string, args ...string) Result {
	t.Helper()
	return RunProgram(t, path, dir, args...)
}

// RunProgram is Run for another build than Main's.
func RunProgram(t testing.TB, program, dir string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = dir
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); ctx.Err() != nil || c.ProcessState == nil {
		t.Fatalf("coco %v did not end by itself: %v\n%s%s", args, err, stdout.String(), stderr.String())
	}
	return Result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
