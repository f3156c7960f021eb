package coco_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
)

func TestMain(m *testing.M) { ledgertest.Main(m) }

// start starts a node with its data in dir, on a free port unless args name one.
func start(t testing.TB, dir string, args ...string) *binary.Node {
	t.Helper()
	return binary.StartCommand(t, ledgertest.Coco(t, append([]string{"start", "--json", "--portal", "off", "--rpc", "127.0.0.1:0", "--data", dir}, args...)...))
}

// open makes a driver that checks proofs against the node's own certificate.
func open(t testing.TB, n *binary.Node) *coco.Driver {
	t.Helper()
	service, err := os.ReadFile(filepath.Join(n.Data, "service.pem"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := coco.Open(n.RPC, client.Options{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, open(t, start(t, t.TempDir())), contracts.Token)
}
