package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process of this machine, read from /proc.
type process struct{ pid int }

// usage is what a run costs: processor time of the node and of the generator,
// and the node's memory.
type usage struct {
	node, generator time.Duration
	backups         []time.Duration
	resident        int64 // bytes
	written         int64 // bytes that were given to the disk; 0 when that is not known
	known           bool  // the node's part
}

func (t *target) usage() usage {
	u := usage{generator: ownTime()}
	if t.process == nil {
		return u
	}
	used, err1 := t.process.time()
	resident, err2 := t.process.resident()
	u.node, u.resident, u.known = used, resident, err1 == nil && err2 == nil
	u.written = t.process.written()
	for _, p := range t.backups {
		used, err := p.time()
		u.backups, u.known = append(u.backups, used), u.known && err == nil
	}
	return u
}

func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// clockTick is the unit of /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// time is the processor time used, user and system, to 10 ms.
func (p *process) time() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	// The command, the second field, may hold spaces: count from its end.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is short")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// resident is the resident memory in bytes.
func (p *process) resident() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/statm is short")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// written is how many bytes it has given to the disk since it began, 0 when the kernel
// does not say.
func (p *process) written() int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

// findProcess is the process of a node on this machine, or nil.
func findProcess(n Node) *process {
	if n.PID != 0 {
		return &process{n.PID}
	}
	u, err := url.Parse(n.URL)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	ip := net.ParseIP(u.Hostname())
	if err != nil || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode := listener(table, port); inode != "" {
			return owner("socket:[" + inode + "]")
		}
	}
	return nil
}

// listener is the inode of the socket that listens at a port, or empty.
func listener(table string, port uint64) string {
	file, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer file.Close()
	const listening = "0A"
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != listening {
			continue
		}
		_, hexPort, _ := strings.Cut(f[1], ":")
		if p, err := strconv.ParseUint(hexPort, 16, 16); err == nil && p == port {
			return f[9]
		}
	}
	return ""
}

// owner is the process that holds a socket open, or nil when it is another
// user's.
func owner(socket string) *process {
	names, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	for _, name := range names {
		if link, err := os.Readlink(name); err == nil && link == socket {
			if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil {
				return &process{pid}
			}
		}
	}
	return nil
}

// machine describes where the figures come from.
func machine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, after, _ := strings.Cut(string(data), "model name")
		line, _, _ := strings.Cut(after, "\n")
		m.Processor = strings.TrimLeft(line, "\t :")
	}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(data))
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(data), " ")
	}
	m.Disk = diskOf(os.TempDir())
	return m
}
