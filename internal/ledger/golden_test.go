package ledger

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

var update = flag.Bool("update", false, "rewrite the golden files; a change of format needs an ADR")

// golden compares bytes with a hex dump in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	dump := hex.Dump(got)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(dump), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if dump != string(want) {
		t.Errorf("%s is not what it was (look at the difference, then -update):\n%s", file, dump)
	}
}

// TestGoldenChunk pins the bytes of a closed chunk with an entry of each kind.
func TestGoldenChunk(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	w := &writer{}
	must(t, l.Append([]format.Entry{w.block(1, 40, false), w.empty(2), w.config(2), w.block(2, 600, true)}))
	must(t, l.Close())
	data, err := disk.ReadFile(d, newChunk(testDir, 1).name, 1<<20)
	must(t, err)
	golden(t, "chunk", data)
}

func TestGoldenVote(t *testing.T) {
	d := crash.New()
	l := mustOpen(t, d, testOptions())
	w := &writer{}
	must(t, l.SetVote(1, 1))
	must(t, l.Append([]format.Entry{w.block(1, 40, false), w.empty(2)}))
	must(t, l.Sync())
	must(t, l.SetVote(2, 3))
	data, err := disk.ReadFile(d, "node/raft/vote", 1<<20)
	must(t, err)
	golden(t, "vote", data)
}
