package attest_test

import (
	"crypto/sha512"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
)

func genesis() attest.GenesisBinding {
	return attest.GenesisBinding{
		Service: [16]byte{1}, Mode: "simulated", ServiceKey: []byte{2}, NodeKey: []byte{3}, NodeHPKEKey: []byte{4}, CheckpointKey: []byte{5},
	}
}

// The bound structures, in CBOR written by hand.
func TestBindingFormat(t *testing.T) {
	tail := slices.Concat(
		append([]byte{0x50, 1}, make([]byte, 15)...), []byte("\x69simulated"), []byte{0x41, 2, 0x41, 3, 0x41, 4, 0x41, 5})
	want := sha512.Sum512(slices.Concat([]byte{0x87}, []byte("\x6ecoco/genesis/1"), tail))
	if got := genesis().ReportData(); got != want {
		t.Errorf("genesis binds %x, want %x", got, want)
	}
	head := append([]byte{9}, make([]byte, 31)...)
	want = sha512.Sum512(slices.Concat([]byte{0x88}, []byte("\x6fcoco/recovery/1"), tail, []byte{0x58, 0x20}, head))
	if got := (attest.RecoveryBinding{GenesisBinding: genesis(), OldHead: [32]byte(head)}).ReportData(); got != want {
		t.Errorf("recovery binds %x, want %x", got, want)
	}
}

// Every part and the purpose count, and parts do not run into each other.
func TestBindingsDiffer(t *testing.T) {
	seen := map[attest.ReportData]string{genesis().ReportData(): "the genesis"}
	add := func(name string, data attest.ReportData) {
		if with, ok := seen[data]; ok {
			t.Errorf("%s binds the same as %s", name, with)
		}
		seen[data] = name
	}
	for name, change := range map[string]func(*attest.GenesisBinding){
		"another service":        func(b *attest.GenesisBinding) { b.Service[15]++ },
		"another mode":           func(b *attest.GenesisBinding) { b.Mode = "production" },
		"another service key":    func(b *attest.GenesisBinding) { b.ServiceKey = []byte{9} },
		"another node key":       func(b *attest.GenesisBinding) { b.NodeKey = []byte{9} },
		"another HPKE key":       func(b *attest.GenesisBinding) { b.NodeHPKEKey = []byte{9} },
		"another checkpoint key": func(b *attest.GenesisBinding) { b.CheckpointKey = []byte{9} },
		"swapped keys":           func(b *attest.GenesisBinding) { b.ServiceKey, b.NodeKey = b.NodeKey, b.ServiceKey },
		"shifted keys":           func(b *attest.GenesisBinding) { b.ServiceKey, b.NodeKey = []byte{2, 3}, []byte{} },
	} {
		b := genesis()
		change(&b)
		add(name, b.ReportData())
	}
	add("recovery", attest.RecoveryBinding{GenesisBinding: genesis()}.ReportData())
	add("recovery of another head", attest.RecoveryBinding{GenesisBinding: genesis(), OldHead: [32]byte{1}}.ReportData())
}
