package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sync is what the disk needs to make 4 KiB durable: the physical limit of a commit.
// Times are in milliseconds.
type Sync struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// syncs appends 4 KiB to a new file beside temporary ones and calls fdatasync, so many times.
func syncs(times int) (s Sync, err error) {
	f, err := os.CreateTemp("", "coco-bench-sync-")
	if err != nil {
		return s, ErrSetup.From(err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page, took := make([]byte, 4096), make([]int64, times)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return s, ErrSetup.From(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return s, ErrSetup.From(err)
		}
		took[i] = int64(time.Since(began))
	}
	s.P50, _, s.P99, _ = percentiles(took)
	return s, nil
}

// disks writes what waiting for a transaction costs beyond the disk.
func (r *Report) disks(w io.Writer) error {
	for _, row := range r.Rows {
		if len(row.Disk) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%s: the disk makes 4 KiB durable in %.2f ms (p50, append and fdatasync, before each round)", row.Load, row.sync()); err != nil {
			return err
		}
		for _, s := range row.Sides {
			fmt.Fprintf(w, "; %s takes %.2f ms more", s.Node, s.Median.P50-row.sync())
		}
		fmt.Fprintln(w)
	}
	return nil
}

// sync is the median of the rounds' medians.
func (row *Row) sync() float64 {
	var all []float64
	for _, s := range row.Disk {
		all = append(all, s.P50)
	}
	return median(all)
}

// diskOf says which file system a directory is on, such as "ext4 on /dev/vda"; empty
// when it is not known.
func diskOf(dir string) string {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return ""
	}
	defer f.Close()
	best, what := "", ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) < 3 || len(w[1]) < len(best) {
			continue
		}
		if inside := strings.TrimSuffix(w[1], "/") + "/"; strings.HasPrefix(dir+"/", inside) {
			best, what = w[1], fmt.Sprintf("%s on %s", w[2], w[0])
		}
	}
	return what
}

// freeBytes is what the file system of a directory has left for this user.
func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return s.Bavail * uint64(s.Bsize), err
}

// sizes are the bytes on disk of the directories of a node's data directory.
func sizes(data string) (map[string]int64, error) {
	sums := map[string]int64{}
	root := filepath.Join(data, "node")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was deleted meanwhile
		}
		if err != nil || d.IsDir() {
			return err
		}
		inside, _ := filepath.Rel(root, path)
		part, _, below := strings.Cut(inside, string(filepath.Separator))
		if info, err := d.Info(); err == nil && below {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				sums[part] += s.Blocks * 512
			}
		}
		return nil
	})
	return sums, err
}
