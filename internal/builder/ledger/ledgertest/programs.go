// Package ledgertest is what every ledger driver must do, as tests over real nodes,
// and starts those nodes: coco as built from this repository, and geth as built by
// bench/peers.sh. Tests alone import it.
package ledgertest

import (
	"crypto/ecdsa"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/rpc"
)

// patience guards against what hangs; no machine is so slow.
const patience = time.Minute

// root is the repository, whatever package is tested.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	return strings.TrimSpace(string(out)), err
}

// built is where coco was built, once somebody needed it.
var built struct {
	sync.Mutex
	dir string
}

// Main is what TestMain calls: it runs the tests and removes what Coco built.
func Main(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// Coco is a command of coco as built from this repository.
func Coco(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	long(t)
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "coco-test-")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", dir, "github.com/coco-consortium/coco/cmd/coco").CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			t.Fatalf("building coco: %v\n%s", err, out)
		}
		built.dir = dir
	}
	return exec.Command(filepath.Join(built.dir, "coco"), args...)
}

// long leaves out what needs a node where only the quick tests are wanted.
func long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts nodes: not with -short")
	}
}

// program is geth. COCO_PEERS names a directory that has it, or in which it is
// built; by default it is one of the user's cache, where it stays.
var program = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("COCO_PEERS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "coco", "peers")
	}
	repository, err := root()
	if err != nil {
		return "", err
	}
	c := exec.Command(filepath.Join(repository, "bench", "peers.sh"), dir)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("bench/peers.sh: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// GethProgram is the path of geth, for a test that starts and stops it itself.
func GethProgram(t testing.TB) string {
	t.Helper()
	long(t)
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Geth is a running development node of geth.
type Geth struct {
	URL    string
	Funder *ecdsa.PrivateKey // of the account that has all the funds
}

// StartGeth starts geth with the given APIs besides eth, net and web3. It ends
// with the test.
func StartGeth(t testing.TB, apis ...string) *Geth {
	t.Helper()
	file := GethProgram(t)
	dir := t.TempDir()
	port := FreePort(t)
	served := strings.Join(append([]string{"eth", "net", "web3"}, apis...), ",")
	c := exec.Command(file, "--dev", "--datadir", dir, "--ipcdisable", "--nodiscover", "--port", "0", "--authrpc.port", "0", "--lightkdf",
		"--http", "--http.port", port, "--http.api", served, "--ws", "--ws.port", port, "--ws.api", served, "--gcmode", "archive", "--verbosity", "3")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("geth said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	g := &Geth{URL: "http://127.0.0.1:" + port}
	Eventually(t, "geth answers", func() bool {
		node, err := rpc.DialContext(t.Context(), g.URL)
		if err != nil {
			return false
		}
		defer node.Close()
		return node.CallContext(t.Context(), nil, "eth_chainId") == nil
	})
	g.Funder = developer(t, filepath.Join(dir, "keystore"))
	return g
}

// developer is the key of geth's developer account, whose password is empty.
func developer(t testing.TB, dir string) *ecdsa.PrivateKey {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d keys in %s: %v", len(files), dir, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.DecryptKey(text, "")
	if err != nil {
		t.Fatal(err)
	}
	return key.PrivateKey
}

// FreePort is a port of this machine that was free a moment ago.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Eventually waits for what another process brings about.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in %v it has not come about that %s", patience, what)
		}
	}
}
