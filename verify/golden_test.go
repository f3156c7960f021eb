package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

var update = flag.Bool("update", false, "write testdata anew; a changed format needs an ADR")

// golden are the files of testdata that the author writes.
func golden(t *testing.T) map[string][]byte {
	a := short(t, "golden")
	list := map[string][]byte{}
	for name, f := range a.files() {
		list["ledger/"+name] = f.Data
	}
	receipt := a.receipt(a.tree.Size() - 2)
	var err error
	if list["receipt.json"], err = receipt.EncodeJSON(); err != nil {
		t.Fatal(err)
	}
	if list["receipt.cose"], err = receipt.EncodeCOSE(); err != nil {
		t.Fatal(err)
	}
	list["checkpoint"] = a.signedCheckpoint()
	list["service.pem"] = a.servicePEM()
	list["secret"] = []byte(hex.EncodeToString(a.secret[:]) + "\n")
	sum := sha256.New()
	b := long(t, "golden")
	for _, e := range b.entries {
		frame := format.AppendFrame(nil, format.Hash{}, &e)
		sum.Write(frame)
	}
	list["long.sha256"] = []byte(hex.EncodeToString(sum.Sum(nil)) + "\n")
	return list
}

// TestGolden keeps the formats: what this build writes is byte for byte what the
// first version wrote, and what that wrote verifies.
func TestGolden(t *testing.T) {
	for name, data := range golden(t) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, data) {
			t.Errorf("%s is written differently now: the format changed", name)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	dir := os.DirFS("testdata/ledger")
	r, err := Ledger(t.Context(), dir, Options{AllowSimulated: true, Checkpoint: read("checkpoint"), Receipt: read("receipt.cose"), ServicePEM: read("service.pem")})
	if err != nil || r.Result != Valid {
		t.Fatalf("%+v %v", r, err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/report.json", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(data, read("report.json")) {
		t.Errorf("the report is another:\n%s", data)
	}
	for _, name := range []string{"receipt.json", "receipt.cose"} {
		if r, err := Receipt(read(name), read("service.pem"), Options{AllowSimulated: true}); err != nil || len(r.Disclosed) == 0 {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

// TestNodeAgrees gives the author's ledger to the code by which a node follows
// and opens its own: both read the same formats.
func TestNodeAgrees(t *testing.T) {
	for name, a := range map[string]*author{"short": short(t, "golden"), "long": long(t, "golden")} {
		t.Run(name, func(t *testing.T) { nodeAgrees(t, a) })
	}
}

func nodeAgrees(t *testing.T, a *author) {
	ring := keys.NewRing(keys.Service{ID: a.id, Mode: a.mode}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: a.secret})
	follow := lineage.New(sim.Roots())
	var prefix format.Hash
	blocks := 0
	for i := range a.entries {
		e := &a.entries[i]
		if e.Kind != format.EntryBlock {
			if err := follow.Pass(e, prefix); err != nil {
				t.Fatal(err)
			}
		} else {
			blocks++
			if err := follow.Extend(e, prefix); err != nil {
				t.Fatal(err)
			}
			b, err := envelope.Open(ring, e)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range b.Records {
				if r.Leaf != a.leaves[r.Prelude.Seqno-1] {
					t.Fatalf("record %d has another leaf", r.Prelude.Seqno)
				}
			}
		}
		prefix = format.NextPrefix(prefix, e)
	}
	if follow.Head.Hash != a.lastHash || blocks != int(a.last.Height)+1 {
		t.Errorf("head %x after %d blocks", follow.Head.Hash, blocks)
	}
	r := report(t, a, Options{})
	if c := follow.Identity.Config; !slices.Equal(c.Voters, r.Voters) || len(c.Learners) != len(r.Learners) || c.Joint() {
		t.Errorf("configuration %+v, the report has %v and %v", c, r.Voters, r.Learners)
	}
	nodes := follow.Identity.Nodes.All()
	if len(nodes) != len(r.Nodes) {
		t.Fatalf("%d nodes, the report has %d", len(nodes), len(r.Nodes))
	}
	for i, n := range nodes {
		if got := r.Nodes[i]; got.RaftID != n.Node.RaftID || got.Status != n.Status.String() || got.Address != n.Address {
			t.Errorf("node %+v, the report has %+v", n, got)
		}
	}
}
