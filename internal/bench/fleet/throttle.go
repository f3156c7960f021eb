package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Throttle lets a node have a part of one processor only, such as 0.1, until
// release. how says by what means: the kernel's (a control group, version 2 or 1)
// where this user may make one, and otherwise by stopping and continuing the
// process, which leaves it that part of the time on all processors.
func (n *Node) Throttle(part float64) (how string, release func() error, err error) {
	if n.process == nil {
		return "", nil, ErrProcess.From(fmt.Errorf("node %d does not run", n.Number))
	}
	for _, g := range []group{
		{"cgroup v2", "/sys/fs/cgroup", "cpu.max", "%d 100000"},
		{"cgroup v1", "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "%d"},
	} {
		if release, err := g.limit(n.PID(), part); err == nil {
			return g.name, release, nil
		}
	}
	return "SIGSTOP and SIGCONT", n.blink(part), nil
}

// group is a way to make a control group with a limit of processor time for
// each 100 ms, the period that both versions begin with.
type group struct{ name, root, file, form string }

// limit puts a process into a new group below the root. The root is the place
// where a group without processes of its own may have others below it.
func (g group) limit(pid int, part float64) (func() error, error) {
	if _, err := os.Stat(filepath.Join(g.root, "cgroup.procs")); err != nil {
		return nil, err
	}
	dir := filepath.Join(g.root, fmt.Sprintf("coco-bench-%d", pid))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	write := func(file, text string) error {
		f, err := os.OpenFile(file, os.O_WRONLY, 0) // never made: it must be the kernel's
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Close())
	}
	release := func() error {
		err := write(filepath.Join(g.root, "cgroup.procs"), strconv.Itoa(pid))
		if errors.Is(err, syscall.ESRCH) { // it ended
			err = nil
		}
		return errors.Join(err, os.Remove(dir))
	}
	err := write(filepath.Join(dir, g.file), fmt.Sprintf(g.form, int(part*100_000)))
	if err == nil {
		err = write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// blink stops and continues the process.
func (n *Node) blink(part float64) (release func() error) {
	const period = 100 * time.Millisecond
	end := make(chan struct{})
	var blinking sync.WaitGroup
	p := n.process.Process
	blinking.Go(func() {
		defer p.Signal(syscall.SIGCONT)
		for {
			for _, phase := range []struct {
				signal syscall.Signal
				lasts  time.Duration
			}{{syscall.SIGSTOP, time.Duration((1 - part) * float64(period))}, {syscall.SIGCONT, time.Duration(part * float64(period))}} {
				p.Signal(phase.signal)
				select {
				case <-end:
					return
				case <-time.After(phase.lasts):
				}
			}
		}
	})
	return func() error {
		close(end)
		blinking.Wait()
		return nil
	}
}
