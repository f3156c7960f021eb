package solidity

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

func TestMain(m *testing.M) {
	RunWorker()
	os.Exit(m.Run())
}

// fake is the script of a compiler of some version.
func fake(t *testing.T, version string) []byte {
	t.Helper()
	script, err := os.ReadFile("testdata/fake.js")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(script, []byte("VERSION"), []byte(version), 1)
}

func written(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func npmPackage(t *testing.T, name string, script []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(script)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(script); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t *testing.T, versions ...string) *Compilers {
	t.Helper()
	c, err := Open(filepath.Join(t.TempDir(), "compilers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		if _, err := c.Add(t.Context(), written(t, "soljson.js", fake(t, v))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestAddAndList(t *testing.T) {
	c := open(t)
	if list := c.List(); len(list) != 0 {
		t.Fatalf("%v before anything was added", list)
	}
	script := fake(t, "0.5.17")
	folder := filepath.Dir(written(t, "soljson.js", fake(t, "0.8.37")))
	for _, file := range []string{
		written(t, "soljson.js", fake(t, "0.4.26")), folder,
		written(t, "solc-0.5.17.tgz", npmPackage(t, "package/soljson.js", script)),
		written(t, "again.js", script),
	} {
		i, err := c.Add(t.Context(), file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if i.Long != i.Version+"+commit.00000000.Emscripten.clang" || len(i.SHA256) != 64 || i.WebAssembly {
			t.Errorf("%+v", i)
		}
	}
	list := c.List()
	if len(list) != 3 || list[0].Version != "0.8.37" || list[1].Version != "0.5.17" || list[2].Version != "0.4.26" {
		t.Errorf("%+v", list)
	}
	for name, data := range map[string][]byte{
		"nightly.js": fake(t, "0.8.38-nightly.2026.1.1"),
		"odd.js":     fake(t, "../../x"),
		"no.js":      []byte("var Module = {};"),
		"broken.js":  []byte("var Module = {"),
		"text.txt":   []byte("hello"),
		"other.tgz":  npmPackage(t, "package/index.js", script),
		"torn.tgz":   npmPackage(t, "package/soljson.js", script)[:200],
	} {
		if i, err := c.Add(t.Context(), written(t, name, data)); !errors.Is(err, ErrCompilerUnusable) {
			t.Errorf("%s: %+v %v", name, i, err)
		}
	}
	if _, err := c.Add(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrCompilerUnusable) {
		t.Error(err)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil || len(entries) != 4 { // three versions and the cache: nothing half added
		t.Errorf("%v %v", entries, err)
	}
}

func TestChoose(t *testing.T) {
	c := open(t, "0.4.26", "0.5.17", "0.8.37")
	for _, x := range []struct{ pragmas, want, says string }{
		{">=0.4.25 <0.6.0", "0.5.17", ""},
		{"^0.4.25", "0.4.26", ""},
		{"", "0.8.37", ""},
		{">=0.4.22,<0.5.0", "0.4.26", ""},
		{"^0.6.0", "", "solc@0.6.12"},
		{"0.5.10", "", "solc@0.5.10"},
		{">=0.8.40", "", "solc@0.8.40"},
		{"^0.4.0,^0.5.0", "", "can satisfy"},
	} {
		s := Sources{}
		for n, text := range strings.Split(x.pragmas, ",") {
			if text != "" {
				text = "pragma solidity " + text + ";"
			}
			s[string(rune('a'+n))+".sol"] = []byte(text + " contract C {}")
		}
		i, err := c.Choose(s)
		if x.want != "" {
			if err != nil || i.Version != x.want {
				t.Errorf("%s: %s %v", x.pragmas, i.Version, err)
			}
			continue
		}
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != ErrCompilerMissing.Code || !strings.Contains(p.What+p.Next, x.says) {
			t.Errorf("%s: %v", x.pragmas, err)
		}
	}
}

func TestCompileWithinLimits(t *testing.T) {
	c := open(t, "0.5.17")
	compile := func(ctx context.Context, text string, o Options) (*Output, error) {
		return c.Compile(ctx, Sources{"C.sol": []byte("contract C {} // " + text)}, o)
	}
	out, err := compile(t.Context(), "", Options{})
	if err != nil || len(out.Contracts) != 1 || !bytes.Equal(out.Contracts[0].Bytecode, []byte{0x60, 1}) {
		t.Fatalf("%+v %v", out, err)
	}
	if again, err := compile(t.Context(), "", Options{}); err != nil || again != out {
		t.Errorf("the same code was compiled twice: %v", err)
	}
	for _, x := range []struct {
		text  string
		o     Options
		fails *problem.Error
	}{
		{"LOOP", Options{Time: 300 * time.Millisecond}, ErrCompilerTime},
		{"EAT", Options{Memory: 512 << 20}, ErrCompilerMemory},
		{"DEEP", Options{}, ErrCompilerMemory},
		{"THROW", Options{}, ErrCompilerFailed},
		{"WILD", Options{}, ErrCompilerFailed},
		{"TEXT", Options{}, ErrCompilerFailed},
		{"", Options{Version: "0.4.11"}, ErrCompilerMissing},
	} {
		if out, err := compile(t.Context(), x.text, x.o); out != nil || !errors.Is(err, x.fails) {
			t.Errorf("%s: %+v %v, not %s", x.text, out, err, x.fails.Code)
		}
	}
	out, err = compile(t.Context(), "HOST", Options{})
	if !errors.Is(err, ErrDoesNotCompile) || len(out.Messages) != 1 || strings.Trim(out.Messages[0].Text, "undefi ") != "" {
		t.Errorf("the script sees more than it should: %+v %v", out, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := compile(ctx, "LOOP", Options{})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// A file that is not what was added is never run.
	script := filepath.Join(c.dir, "0.5.17", scriptFile)
	if err := os.WriteFile(script, fake(t, "0.5.16"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := compile(t.Context(), "once more", Options{}); !errors.Is(err, ErrCompilerChanged) {
		t.Errorf("changed: %v", err)
	}
}

// A worker whose other side is gone ends, whatever it is doing.
func TestWorkerEndsWithItsCaller(t *testing.T) {
	c := open(t, "0.5.17")
	j := c.job(c.folder(c.List()[0]), c.List()[0], DefaultMemory, DefaultTime)
	j.Input = []byte("LOOP")
	request, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), self, WorkerCommand)
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	if code := p.ProcessState.ExitCode(); code != 3 {
		t.Errorf("it ended with %d", code)
	}
}

func TestWorkerAloneSaysWhatItIs(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), self, WorkerCommand)
	p.Stdin = strings.NewReader("hello")
	out, err := p.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "started by coco itself") {
		t.Errorf("%s %v", out, err)
	}
}
