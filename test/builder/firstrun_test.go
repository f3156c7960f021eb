package builder

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/binary"
)

// TestStartAgain stops and kills a network in which nobody did anything yet: the next
// start has nothing to complain about.
func TestStartAgain(t *testing.T) {
	i := &installation{t: t, data: t.TempDir(), tokens: map[string]string{}}
	for _, end := range []func(testing.TB) int{
		func(t testing.TB) int { return i.node.Stop(t) },
		func(t testing.TB) int { i.node.Kill(t); return 0 },
		func(t testing.TB) int { return i.node.Stop(t) },
	} {
		i.start()
		i.settled()
		if code := end(t); code != 0 || i.node.Stderr() != "" {
			t.Errorf("exit code %d, and it said:\n%s", code, i.node.Stderr())
		}
	}
}

// settled waits until the samples are installed: the last one's last member sees it.
func (i *installation) settled() {
	i.t.Helper()
	ledgertest.Eventually(i.t, "the samples are there", func() bool {
		status, _, _ := i.ask(dave, http.MethodGet, "/api/v2/applications?name=Freight", nil)
		return status == http.StatusOK
	})
}

// TestPortalAddress has something else listen where the portal would.
func TestPortalAddress(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:7700"); err == nil {
		defer l.Close()
	}
	data := filepath.Join(t.TempDir(), "data")
	refused := func(address, code string) {
		t.Helper()
		r := binary.Run(t, t.TempDir(), "start", "--rpc", "127.0.0.1:0", "--data", data, "--portal", address)
		if r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, code) {
			t.Errorf("%s: %d %s%s", address, r.Code, r.Stdout, r.Stderr)
		}
		if _, err := os.Stat(data); err == nil {
			t.Errorf("%s: a network was founded all the same", address)
		}
	}
	refused("127.0.0.1:7700", "BUILDER_LISTEN")
	refused("0.0.0.0:0", "DEV_LOGIN_EXPOSED")
	refused("[::]:0", "DEV_LOGIN_EXPOSED")
	refused(":0", "DEV_LOGIN_EXPOSED")

	i := &installation{t: t}
	i.node = binary.StartCommand(t, exec.Command(binary.Path(), "start", "--json", "--rpc", "127.0.0.1:0", "--data", data))
	if err := json.Unmarshal([]byte(i.node.Line), &i.place); err != nil {
		t.Fatal(err)
	}
	if i.place.Portal == "http://127.0.0.1:7700" || !strings.HasPrefix(i.place.Portal, "http://127.0.0.1:77") {
		t.Errorf("the portal is at %s", i.place.Portal)
	}
	answer, err := http.Get(i.place.Portal)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
}
