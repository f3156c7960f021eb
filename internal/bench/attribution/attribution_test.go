package attribution

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// TestPartOf: the innermost room counts, libraries are whose they work for, and the
// collector is told from who it interrupts.
func TestPartOf(t *testing.T) {
	for _, c := range []struct{ stack, part string }{
		{"runtime.cgocall < E/crypto/secp256k1.RecoverPubkey < E/crypto.Ecrecover < E/core/types.Sender < O/protocol/ethereum/pool.(*Checker).Check < O/server/jsonrpc.(*Dispatcher).Serve < net/http.(*conn).serve", Signature},
		{"E/crypto.Keccak256 < E/core/types.(*modernSigner).Sender < O/protocol/ethereum/pool.(*Checker).check", Signature},
		{"E/rlp.Decode < O/protocol/ethereum/pool.(*Checker).check < O/server.(*Server).ServeHTTP", Admission},
		{"encoding/json.Unmarshal < O/server/jsonrpc.(*Dispatcher).Serve < net/http.(*conn).serve", HTTP},
		{"syscall.Write < net/http.(*conn).serve", HTTP},
		{"crypto/internal/fips140/sha256.block < O/proof.ClaimsDigest < O/ledger/envelope.(*Keys).Seal < O/sequencer.(*Sequencer).seal", Seal},
		{"crypto/aes.gcm < O/ledger/envelope.(*Keys).Seal < O/sequencer.(*Sequencer).seal", Seal},
		{"O/kv.(*View).Get < O/protocol/ethereum/evm.(*Executor).Apply", KV},
		{"E/core/vm.(*EVM).Call < E/core.ApplyMessage < O/protocol/ethereum/evm.(*Executor).Apply < O/sequencer.(*Sequencer).execute", Execution},
		{"O/sequencer.(*Sequencer).execute", Sequencer},
		{"syscall.Fdatasync < O/disk.(*file).Sync < O/ledger.(*Log).Append < O/consensus.(*Loop).run", Log},
		{"syscall.Fdatasync < O/disk.osFile.Sync < O/history.(*output).Write < O/history.(*builder).page < O/history.(*writer).drain", Index},
		{"O/history.(*writer).drain", Index},
		{"google.golang.org/protobuf.Marshal < go.etcd.io/raft/v3.(*RawNode).Step < O/consensus.(*Loop).run", Consensus},
		{"runtime.scanobject < runtime.gcDrain < runtime.gcBgMarkWorker", Collector},
		{"runtime.gcAssistAlloc1 < runtime.gcAssistAlloc < runtime.mallocgc < O/kv.(*Map).Set", Collector},
		{"runtime.mallocgc < O/kv.(*Map).Set", KV},
		{"runtime.futex < runtime.schedule", Runtime},
		{"main.main", Rest},
		{"", Rest},
		{"O/historian.X", Rest}, // another room with a longer name
		{"O/builder.X", Rest},
	} {
		var stack []string
		for name := range strings.SplitSeq(c.stack, " < ") {
			if name = strings.NewReplacer("E/", ethereum, "O/", own).Replace(name); name != "" {
				stack = append(stack, name)
			}
		}
		if got := partOf(stack); got != c.part {
			t.Errorf("%s: %s, not %s", c.stack, got, c.part)
		}
	}
}

// TestRead: profiles add up, and shares are of their sum.
func TestRead(t *testing.T) {
	function := func(id uint64, name string) *profile.Location {
		return &profile.Location{ID: id, Line: []profile.Line{{Function: &profile.Function{ID: id, Name: name}}}}
	}
	kv, seal := function(1, own+"kv.Get"), function(2, own+"ledger/envelope.Seal")
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1,
		Sample:   []*profile.Sample{{Location: []*profile.Location{kv, seal}, Value: []int64{1, 30}}, {Location: []*profile.Location{seal}, Value: []int64{1, 10}}},
		Location: []*profile.Location{kv, seal}, Function: []*profile.Function{kv.Line[0].Function, seal.Line[0].Function},
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	sum := Time{}
	if sum.Shares() != nil {
		t.Error("shares of nothing")
	}
	for range 2 {
		if err := sum.Read(bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	shares := sum.Shares()
	if sum[KV] != 60 || sum[Seal] != 20 || math.Abs(shares[KV]-0.75) > 1e-9 || math.Abs(shares[Seal]-0.25) > 1e-9 {
		t.Errorf("%v %v", sum, shares)
	}
	if err := sum.Read(strings.NewReader("no profile")); err == nil {
		t.Error("no error")
	}
}

// TestParts: every room is a part that is shown.
func TestParts(t *testing.T) {
	for begins, part := range rooms {
		found := false
		for _, p := range Parts {
			found = found || p == part
		}
		if !found {
			t.Errorf("%s is %s, which is no part", begins, part)
		}
	}
}
