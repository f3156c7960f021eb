package consortium

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSoak keeps a network under load for COCO_SOAK, half a minute unless told
// otherwise, and kills a node every 20 seconds, the primary half of the time.
// Nothing is lost, and no node takes more memory late than early.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasts, every := 30*time.Second, 20*time.Second
	if text := os.Getenv("COCO_SOAK"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil || lasts < every {
			t.Fatalf("COCO_SOAK=%s is no duration of %s or more: %v", text, every, err)
		}
	}
	net := found(t, tight{newProxies(t)}, 3)
	l := net.begin(t)
	began, next := time.Now(), time.Now().Add(every/2)
	var used []sample
	for time.Since(began) < lasts {
		for _, n := range net.running() {
			used = append(used, sample{time.Since(began), n.resident(t)})
		}
		if time.Now().After(next) {
			next = time.Now().Add(every)
			victim, _ := net.leader()
			if rand.IntN(2) == 0 {
				victim = l.pick()
			}
			victim.kill()
			l.more(t, 10)
			victim.again(t)
		}
		pause(t.Context(), time.Second)
	}
	l.more(t, 10)
	flat(t, used)
	took := time.Since(began)
	l.end()
	t.Logf("%.0f acknowledged writes a second over %s", float64(l.acknowledged())/took.Seconds(), took.Round(time.Second))
	l.settle(t)
}

// tight lets nodes collect garbage as soon as there is as much as is alive, instead of
// letting some hundreds of MiB gather first: what they take then tells what they keep.
type tight struct{ wire }

func (w tight) command(node int, program string, args ...string) *exec.Cmd {
	c := w.wire.command(node, program, args...)
	c.Env = append(c.Environ(), "GOGC=100")
	return c
}

// sample is the resident memory of a node at some time.
type sample struct {
	at    time.Duration
	bytes int
}

// resident is the memory that a node's process takes, from proc(5).
func (n *node) resident(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Fatal("the memory of a process is only known on Linux")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.life().cmd.Process.Pid))
	if err != nil {
		return 0 // it ended
	}
	var kB int
	if _, rest, ok := strings.Cut(string(text), "VmRSS:"); ok {
		fmt.Sscan(rest, &kB)
	}
	return kB << 10
}

// flat compares what nodes take at most in the second and in the last fifth of the
// time. What a node keeps of its history on purpose is below the bound.
func flat(t *testing.T, used []sample) {
	t.Helper()
	var peaks [5]int
	end := used[len(used)-1].at + 1
	for _, s := range used {
		i := int(int64(s.at) * 5 / int64(end))
		peaks[i] = max(peaks[i], s.bytes)
	}
	text := ""
	for _, p := range peaks {
		text += fmt.Sprintf(" %d MiB", p>>20)
	}
	t.Logf("the most that a node took in each fifth of the time:%s, of all %d MiB", text, slices.Max(peaks[:])>>20)
	if peaks[4] > peaks[1]*3/2+64<<20 {
		t.Errorf("nodes take more and more memory:%s", text)
	}
}
