package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

// TestMissingFolders takes one folder after the other away from a directory that
// was left whole. What can be made again is; without the rest the node refuses,
// as the table in docs/reference/cli.md says.
func TestMissingFolders(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", whole)
	l := newLoad(t, n, 20)
	l.wait(t)
	n.Stop(t)
	acknowledged := l.end()

	for name, code := range map[string]string{
		"node/index":       "",
		"node/snapshot":    "",
		"node/ledger/tile": "",
		"node/lock":        "",
		"service.pem":      "",
		"node/raft":        "LEDGER_CORRUPT",
		"node/keys":        "KEY_BUNDLE",
		"node/ledger":      "LEDGER_CORRUPT",
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(data, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
				t.Fatal(err)
			}
			if code != "" {
				refused(t, start(t, data), code)
				return
			}
			n := binary.Start(t, "--data", data)
			present(t, n, acknowledged)
			if code := n.Stop(t); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			if r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code != verified {
				t.Errorf("coco ledger verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
}
