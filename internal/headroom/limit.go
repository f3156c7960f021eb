package headroom

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// groupLimit is the memory that the process's control group may use, the tightest
// on the way up; math.MaxInt64 when there is no limit or no such thing.
func groupLimit(root fs.FS) int64 {
	const mount = "sys/fs/cgroup"
	limit := int64(math.MaxInt64)
	list, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(list)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for name = path.Clean("/" + name); ; name = path.Dir(name) {
			text, _ := fs.ReadFile(root, path.Join(mount, name, "memory.max"))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				limit = min(limit, n)
			}
			if name == "/" {
				break
			}
		}
	}
	return limit
}

// machine is the machine's memory in bytes; math.MaxInt64 when it cannot be read.
func machine(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(s.Text(), "MemTotal: %d kB", &kib); n == 1 && kib > 0 {
			return kib << 10
		}
	}
	return math.MaxInt64
}
