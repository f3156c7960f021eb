package headroom

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const mib = 1 << 20

func TestHeadroomIsAnAmount(t *testing.T) {
	for _, c := range []struct{ live, least, room int64 }{
		{0, Bytes, Bytes},                   // the runtime reckons with 4 MiB
		{60 * mib, Bytes, Bytes},            // a node
		{1200 * mib, Bytes, Bytes},          // with ten million slots
		{4096 * mib, Bytes, 512 * mib},      // an eighth
		{100 << 30, Bytes, Most},            // never more
		{60 * mib, 32 * mib, 32 * mib},      // a small machine
		{1 << 40, 1 << 20, (1 << 40) / 100}, // one percent at least
		{2000 * mib, 2 * Most, 2000 * mib},  // what is asked for counts
	} {
		percent := int64(percentOf(c.live, c.least))
		live := max(c.live, 4*mib)
		got := live * percent / 100
		if want := max(c.room, c.least); math.Abs(float64(got-want)) > float64(live)/100+1 {
			t.Errorf("of %d MiB alive the headroom is %d MiB, want %d", c.live/mib, got/mib, want/mib)
		}
	}
}

func TestLimits(t *testing.T) {
	root := fstest.MapFS{
		"proc/self/cgroup":                    {Data: []byte("1:cpu:/x\n0::/pods/one/c\n")},
		"sys/fs/cgroup/pods/one/c/memory.max": {Data: []byte("max\n")},
		"sys/fs/cgroup/pods/one/memory.max":   {Data: []byte("536870912\n")},
		"sys/fs/cgroup/pods/memory.max":       {Data: []byte("1073741824\n")},
		"sys/fs/cgroup/elsewhere/memory.max":  {Data: []byte("1\n")},
		"proc/meminfo":                        {Data: []byte("MemTotal:        2097152 kB\nMemFree: 1 kB\n")},
	}
	if got := groupLimit(root); got != 512*mib {
		t.Errorf("the group has %d MiB", got/mib)
	}
	if got := machine(root); got != 2048*mib {
		t.Errorf("the machine has %d MiB", got/mib)
	}
	for _, broken := range []string{"", "0::", "0::/../..", "MemTotal: x kB", "MemTotal: 99999999999999999999 kB"} {
		none := fstest.MapFS{"proc/self/cgroup": {Data: []byte(broken)}, "proc/meminfo": {Data: []byte(broken)},
			"sys/fs/cgroup/memory.max": {Data: []byte("-1")}}
		if g, m := groupLimit(none), machine(none); g != math.MaxInt64 || m != math.MaxInt64 {
			t.Errorf("of %q limits of %d and %d bytes are read", broken, g, m)
		}
	}
}

// TestKeep runs in a process of its own, since it is for all of a process's life.
func TestKeep(t *testing.T) {
	for _, c := range []struct{ mode, env string }{{"follows", ""}, {"asked", "GOGC=70"}, {"limit", ""}, {"own limit", "GOMEMLIMIT=777MiB"}} {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKeeper$")
		cmd.Env = append(os.Environ(), "HEADROOM_TEST="+c.mode)
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c.mode, err, out)
		}
	}
}

func TestKeeper(t *testing.T) {
	mode := os.Getenv("HEADROOM_TEST")
	if mode == "" {
		return
	}
	root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: 16777216 kB\n")}}
	if strings.Contains(mode, "limit") {
		root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte("0::/\n")}
		root["sys/fs/cgroup/memory.max"] = &fstest.MapFile{Data: []byte("1000000000\n")}
	}
	keep(os.Getenv, root)
	switch limit := debug.SetMemoryLimit(-1); {
	case mode == "asked":
		if p := percentNow(); p != 70 {
			t.Errorf("GOGC=70 was asked for, %d is set", p)
		}
	case mode == "limit" && limit != 900_000_000:
		t.Errorf("the limit is %d bytes", limit)
	case mode == "own limit" && limit != 777*mib:
		t.Errorf("the limit is %d bytes", limit)
	case mode == "follows":
		live := make([]byte, 64*mib)
		await(t, func(p uint64) bool { return p > 300 && p < 420 })
		runtime.KeepAlive(live)
		more := make([]byte, 512*mib)
		await(t, func(p uint64) bool { return p > 40 && p < 60 })
		runtime.KeepAlive(more)
		await(t, func(p uint64) bool { return p > 3000 })
	}
}

// await collects until the percentage is as it should be.
func await(t *testing.T, ok func(uint64) bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; runtime.Gosched() {
		runtime.GC()
		if ok(percentNow()) {
			return
		}
	}
	t.Errorf("the percentage stays %d", percentNow())
}

func percentNow() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
