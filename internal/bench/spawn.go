package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Spawn starts a node in a process of its own, such as the bare server by this
// program, and waits until it has printed the line of JSON that names its
// address ("rpc", as `coco start --json` prints it). stop ends it and waits.
func Spawn(ctx context.Context, program string, args ...string) (n Node, stop func() error, err error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	c.Stderr = os.Stderr
	// The child must not outlive a generator that was killed.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := c.StdoutPipe()
	if err != nil {
		return Node{}, nil, ErrNode.From(err)
	}
	if err := c.Start(); err != nil {
		return Node{}, nil, ErrNode.From(err)
	}
	stop = func() error {
		err := c.Cancel()
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		c.Wait() // that it ended by the signal is no error
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(out, 64<<10)).ReadBytes('\n')
	var ready struct {
		RPC string `json:"rpc"`
	}
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return Node{}, nil, ErrNode.From(errors.Join(fmt.Errorf("%s said nothing of its address", program), err, stop()))
	}
	return Node{URL: ready.RPC, PID: c.Process.Pid}, stop, nil
}
