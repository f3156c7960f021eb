package founding

import (
	"errors"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

var now = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newFounder(t *testing.T) *Founder {
	t.Helper()
	platform := must(sim.New(sim.Options{Now: now}))(t)
	return &Founder{Bundle: must(NewBundle())(t), Digest: format.Hash{1}, Process: must(NewProcess())(t), Address: "one:1", Client: "one:2",
		Evidence: func(report attest.ReportData) ([]byte, error) {
			e, err := platform.Evidence(t.Context(), report)
			if err != nil {
				return nil, err
			}
			return e.Encode()
		}}
}

// founded is the entry of a new network's genesis block, and its lineage or why it
// is not believed.
func founded(t *testing.T, f *Founder, of *Founder) (*format.Entry, *lineage.Lineage, error) {
	t.Helper()
	log := must(ledger.Open(crash.New(), "ledger", ledger.Options{}))(t)
	defer log.Close()
	policy := sim.Policy([48]byte{}, [32]byte{})
	g := must(of.Genesis(must(policy.Encode())(t)))(t)
	writes := []format.Write{{Table: "first", Key: []byte("key"), Value: []byte("value")}}
	section := envelope.Section{{Protocol: "test", Data: []byte("with the block")}}
	if err := f.Found(log, g, writes, section, uint64(now.UnixNano())); err != nil {
		t.Fatal(err)
	}
	e := must(log.Entry(1))(t)
	line := lineage.New(sim.Roots())
	return e, line, line.Extend(e, format.Hash{})
}

func TestAFoundedLedgerIsBelieved(t *testing.T) {
	f := newFounder(t)
	e, line, err := founded(t, f, f)
	if err != nil {
		t.Fatal(err)
	}
	if n := line.Identity.Nodes.Get(1); line.Identity.Genesis.Service != f.Bundle.Service.ID || n == nil || n.Address != "one:1" || n.Client != "one:2" {
		t.Errorf("the ledger names %x and %+v", line.Identity.Genesis.Service, n)
	}
	b := must(envelope.Open(f.Bundle.Ring(), e))(t)
	if w := b.Records[0].Private.Writes; len(w) != 1 || string(w[0].Value) != "value" || string(b.Section.Of("test")) != "with the block" {
		t.Errorf("the block has %v and %v", w, b.Section)
	}
}

// TestAnothersGenesisIsNotBelieved signs the block with keys that the genesis
// document does not introduce.
func TestAnothersGenesisIsNotBelieved(t *testing.T) {
	f := newFounder(t)
	other := *f
	other.Process = must(NewProcess())(t)
	if _, _, err := founded(t, &other, f); !errors.Is(err, lineage.ErrChain) {
		t.Errorf("a genesis block of another process: %v", err)
	}
}

func TestARecoveryNamesTheOldHead(t *testing.T) {
	f := newFounder(t)
	_, line, err := founded(t, f, f)
	if err != nil {
		t.Fatal(err)
	}
	next := *f
	next.Process = must(NewProcess())(t)
	r, draft, err := next.Recovery(line, format.Hash{9}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count != 1 || r.Header != line.Head.Hash || r.Prefix != (format.Hash{9}) || r.Node.RaftID != 2 || string(r.Node.Key) != string(next.Process.SPKI()) {
		t.Errorf("the record says %+v", r)
	}
	nodes := must(lineage.ReadNodes(draft.Public))(t)
	if len(nodes) != 2 || draft.Kind != format.KindRecovery {
		t.Errorf("%d nodes change in a record of kind %v", len(nodes), draft.Kind)
	}
}
