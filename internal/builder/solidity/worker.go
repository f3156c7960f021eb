package solidity

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/coco-consortium/coco/internal/builder/solidity/soljson"
)

// WorkerCommand is the hidden command of the program that is a compiler's
// process: `coco solc-worker`.
const WorkerCommand = "solc-worker"

// job is what a worker is asked, one JSON value on its standard input. The input
// then stays open; when it ends, whoever asked is gone, and so is the worker.
type job struct {
	Script string `json:"script"` // path of the build
	SHA256 string `json:"sha256"` // what the file must be, hex
	Cache  string `json:"cache"`
	Memory int64  `json:"memory"` // bytes
	Time   int64  `json:"time"`   // seconds of processor time
	Input  []byte `json:"input"`  // standard JSON; nil: only tell the version
}

// reply is the worker's first line on standard output; Size bytes of the
// compiler's answer follow.
type reply struct {
	Version     string `json:"version"`
	WebAssembly bool   `json:"webAssembly"`
	Changed     bool   `json:"changed,omitempty"` // the file is not what was asked for
	Fault       string `json:"fault,omitempty"`   // the build broke down
	Size        int    `json:"size"`
}

// RunWorker makes the process a worker, and ends it, if it was started as one.
// A program calls it first of all, a test binary first in TestMain.
func RunWorker() {
	if len(os.Args) == 2 && os.Args[1] == WorkerCommand {
		os.Exit(Worker(os.Stdin, os.Stdout))
	}
}

// Worker does one job and returns the exit code. It limits its own process, so
// it is the only thing that a process does.
func Worker(stdin io.Reader, stdout io.Writer) int {
	decoder := json.NewDecoder(stdin)
	var j job
	if err := decoder.Decode(&j); err != nil {
		fmt.Fprintln(os.Stderr, "this is the compiler's process and is started by coco itself")
		return 2
	}
	if err := confine(j.Memory, j.Time); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	debug.SetMemoryLimit(j.Memory / 4 * 3)
	debug.SetGCPercent(300) // a short life with much memory
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // ends when the other side is gone
		os.Exit(3)
	}()
	r, answer := j.do(context.Background())
	r.Size = len(answer)
	w := bufio.NewWriter(stdout)
	line, err := json.Marshal(r)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err == nil {
		_, err = w.Write(answer)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (j job) do(ctx context.Context) (r reply, answer []byte) {
	script, err := os.ReadFile(j.Script)
	if err != nil {
		return reply{Changed: true, Fault: err.Error()}, nil
	}
	if sum := sha256.Sum256(script); hex.EncodeToString(sum[:]) != j.SHA256 {
		return reply{Changed: true}, nil
	}
	fault := func(err error) (reply, []byte) { r.Fault = err.Error(); return r, nil }
	c, err := soljson.Load(ctx, script, j.Cache)
	if err != nil {
		return fault(err)
	}
	r.WebAssembly = c.WebAssembly()
	if r.Version, err = c.Version(); err != nil {
		return fault(err)
	}
	if j.Input != nil {
		if answer, err = c.Compile(j.Input); err != nil {
			return fault(err)
		}
	}
	return r, answer
}
