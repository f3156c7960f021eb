package process

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

// refused checks that a command ended with an error as a person needs it: its
// code, what happened, why, what to do next; the exit code of a failure; nothing on
// stdout and no stack trace.
func refused(t *testing.T, r binary.Result, code string) {
	t.Helper()
	if r.Code != failed {
		t.Errorf("it ended with %d, not %d", r.Code, failed)
	}
	if r.Stdout != "" {
		t.Errorf("stdout: %q", r.Stdout)
	}
	for _, want := range []string{"coco: " + code + ": ", "\n  next: "} {
		if !strings.Contains(r.Stderr, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, trace := range []string{"goroutine ", "panic", ".go:"} {
		if strings.Contains(r.Stderr, trace) {
			t.Errorf("it says %q", trace)
		}
	}
	if n := strings.Count(r.Stderr, "\n"); n > 6 {
		t.Errorf("it takes %d lines", n)
	}
	if t.Failed() {
		t.Logf("it said:\n%s", r.Stderr)
	}
}

func start(t *testing.T, data string, more ...string) binary.Result {
	t.Helper()
	return binary.Run(t, t.TempDir(), append([]string{"start", "--data", data, "--portal", "off", "--rpc", "127.0.0.1:0"}, more...)...)
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data, "--rpc", taken.Addr().String())
	refused(t, r, "PORT_TAKEN")
	if !strings.Contains(r.Stderr, taken.Addr().String()) || !strings.Contains(r.Stderr, "--rpc") {
		t.Errorf("it names neither the port nor the flag:\n%s", r.Stderr)
	}
}

// TestUnwritable puts a file where the directory should be: unlike permissions,
// that stops root too.
func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{file, filepath.Join(file, "data"), "/proc/coco-data"} {
		t.Run(data, func(t *testing.T) {
			r := start(t, data)
			refused(t, r, "DATA_UNWRITABLE")
			if !strings.Contains(r.Stderr, data) {
				t.Errorf("it does not name the directory:\n%s", r.Stderr)
			}
		})
	}
}

func TestForeignDirectory(t *testing.T) {
	t.Run("something else", func(t *testing.T) {
		data := t.TempDir()
		if err := os.WriteFile(filepath.Join(data, "thesis.txt"), []byte("all of it"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, start(t, data), "DATA_FOREIGN")
		if names, _ := os.ReadDir(data); len(names) != 1 {
			t.Errorf("it left %v", names)
		}
	})
	t.Run("another network", func(t *testing.T) {
		one, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "other")
		for _, data := range []string{one, other} {
			binary.Start(t, "--data", data).Stop(t)
		}
		// The public face of one network on the files of another.
		if err := os.Rename(filepath.Join(one, "service.pem"), filepath.Join(other, "service.pem")); err != nil {
			t.Fatal(err)
		}
		refused(t, start(t, other), "DATA_FOREIGN")
	})
	t.Run("another network's ledger", func(t *testing.T) {
		one, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "other")
		for _, data := range []string{one, other} {
			binary.Start(t, "--data", data).Stop(t)
		}
		for _, dir := range []string{"ledger", "raft", "snapshot"} {
			swap(t, filepath.Join(one, "node", dir), filepath.Join(other, "node", dir))
		}
		refused(t, start(t, other), "KEY_BUNDLE") // not the one that the ledger names
	})
}

// TestSecondProcess starts two on one directory: the first goes on undisturbed.
func TestSecondProcess(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", data)
	second := start(t, data)
	refused(t, second, "DATA_LOCKED")
	if !strings.Contains(second.Stderr, strconv.Itoa(n.PID())) {
		t.Errorf("it does not name the process that holds the directory:\n%s", second.Stderr)
	}
	client := n.Dial(t)
	s := senders(t, n, client)[0]
	s.must(t, client, &s.address, 0, nil)
}

// TestCorruptFiles damages one file after the other of a directory that was
// left whole. The node refuses to start and names the file; put back, it starts.
func TestCorruptFiles(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", data)
	l := newLoad(t, n, 20)
	l.wait(t)
	n.Stop(t)
	acknowledged := l.end()

	for _, damage := range []struct {
		file string // the first that matches, below DATA
		code string
	}{
		{"node/ledger/chunk-*", "LEDGER_CORRUPT"},
		{"node/keys/bundle-*", "KEY_BUNDLE"},
		{"service.pem", "SERVICE_FILE"},
	} {
		t.Run(damage.file, func(t *testing.T) {
			names, err := filepath.Glob(filepath.Join(data, damage.file))
			if err != nil || len(names) == 0 {
				t.Fatalf("no %s: %v", damage.file, err)
			}
			name := names[len(names)-1]
			good := read(t, name)
			bad := []byte(good)
			bad[written(bad)/3] ^= 0x10
			write(t, name, string(bad))
			r := start(t, data)
			refused(t, r, damage.code)
			if !strings.Contains(r.Stderr, filepath.Base(name)) {
				t.Errorf("it does not name %s:\n%s", filepath.Base(name), r.Stderr)
			}
			write(t, name, good)
		})
	}
	present(t, binary.Start(t, "--data", data), acknowledged)
}

// TestReleaseBuild starts no development network and has no simulated platform.
func TestReleaseBuild(t *testing.T) {
	released := filepath.Join(t.TempDir(), "coco")
	if err := binary.Build(released, "release"); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	refused(t, binary.RunProgram(t, released, t.TempDir(), "start", "--data", data, "--portal", "off", "--rpc", "127.0.0.1:0"), "RELEASE_BUILD")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("it made %s: %v", data, err)
	}
}

// written is the length of a file without the zeros that a chunk is given ahead
// of its use.
func written(content []byte) int {
	return len(bytes.TrimRight(content, "\x00"))
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	for _, move := range [][2]string{{a, a + ".moved"}, {b, a}, {a + ".moved", b}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
}
