package solidity

import "golang.org/x/sys/unix"

// confine bounds what this process may use: writable memory of its own in bytes,
// processor time in seconds, no core file, no new files beyond the cache's size.
// It also gives way to the rest of the machine.
func confine(memory, seconds int64) error {
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_DATA, uint64(memory)},
		{unix.RLIMIT_CPU, uint64(seconds)},
		{unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return err
		}
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, 5)
}
