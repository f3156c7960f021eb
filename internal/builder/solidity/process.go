package solidity

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/builder/solidity/soljson"
	"github.com/coco-consortium/coco/internal/problem"
)

// Limits of one compilation, unless Options say otherwise. Times are processor
// time; on a busy machine a compilation may take patience times as long.
const (
	DefaultTime     = 60 * time.Second
	DefaultSlowTime = 3 * time.Minute // of builds that run as JavaScript
	DefaultMemory   = 2 << 30         // bytes
	addTime         = 10 * time.Minute
	addMemory       = 3 << 30 // translating asm.js takes more than running it
	patience        = 5
	maxStderr       = 64 << 10
)

// ended is what a worker left behind.
type ended struct {
	reply  reply
	answer []byte
}

// work runs one job in a process of its own, which is killed when ctx ends, or
// when it has used up limit. The process gets no environment, no files and no terminal.
func (c *Compilers) work(ctx context.Context, j job, limit time.Duration) (*ended, error) {
	request, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	select {
	case c.turn <- struct{}{}: // one at a time: each takes a gigabyte
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	timed, cancel := context.WithTimeout(ctx, patience*limit)
	defer cancel()
	command, err := c.program()
	if err != nil {
		return nil, err
	}
	p := exec.CommandContext(timed, command, WorkerCommand)
	p.Env = []string{"GOTRACEBACK=none"}
	p.Dir = c.dir
	p.WaitDelay = 5 * time.Second
	stderr := &limited{most: maxStderr}
	p.Stderr = stderr
	stdin, err := p.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() {
		_, _ = stdin.Write(request) // a worker that ended early is seen below
	}()
	e, readErr := read(stdout)
	_ = stdin.Close() // the worker ends by itself too
	waitErr := p.Wait()
	switch {
	case readErr == nil:
		return e, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case timed.Err() != nil, p.ProcessState != nil && p.ProcessState.UserTime()+p.ProcessState.SystemTime() >= limit:
		return nil, problem.Newf(ErrCompilerTime.Code, ErrCompilerTime.Next, "the compiler was ended after %s of processor time", limit)
	case stderr.says("out of memory", "cannot allocate memory", "stack exceeds", "stack overflow", "failed to create new OS thread", "pthread_create failed"):
		return nil, problem.Newf(ErrCompilerMemory.Code, ErrCompilerMemory.Next, "the compiler was ended: it wanted more than %d MiB", j.Memory>>20)
	}
	return nil, ErrCompilerFailed.From(errors.Join(waitErr, errors.New(stderr.first())))
}

// read takes a worker's reply and answer.
func read(r io.Reader) (*ended, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	line, err := b.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	e := &ended{}
	if err := json.Unmarshal(line, &e.reply); err != nil {
		return nil, err
	}
	if e.reply.Size < 0 || e.reply.Size > soljson.MaxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", e.reply.Size)
	}
	e.answer = make([]byte, e.reply.Size)
	_, err = io.ReadFull(b, e.answer)
	return e, err
}

// program is this program's file, also after it was replaced on disk.
func (c *Compilers) program() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// limited keeps the first bytes that are written.
type limited struct {
	bytes.Buffer
	most int
}

func (l *limited) Write(b []byte) (int, error) {
	if room := l.most - l.Len(); room > 0 {
		l.Buffer.Write(b[:min(len(b), room)])
	}
	return len(b), nil
}

func (l *limited) says(any ...string) bool {
	for _, text := range any {
		if strings.Contains(l.String(), text) {
			return true
		}
	}
	return false
}

// first is the first line, for a cause.
func (l *limited) first() string {
	line, _, _ := strings.Cut(strings.TrimSpace(l.String()), "\n")
	return show(line)
}
