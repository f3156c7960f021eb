// Package attribution says which rooms of a node spent the processor time of a
// profile.
//
// It promises that every sample is counted once: for the innermost function of its
// stack that belongs to a room, so that what a room has the standard library do is
// the room's. The collector's work is counted by itself wherever it is done, and
// what no room asked for is the runtime's or the rest.
package attribution

import (
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/coco-consortium/coco/internal/problem"
)

// ErrProfile is a profile that cannot be read.
var ErrProfile = problem.New("BENCH_PROFILE", "the node's profile cannot be read",
	"measure a node of this build; see the cause")

// The parts of a transaction's time, in the order of its way through the node.
const (
	HTTP      = "JSON-RPC and HTTP"
	Signature = "signature"
	Admission = "admission and pool"
	Sequencer = "sequencer"
	Execution = "EVM and state"
	Seal      = "seal and proof"
	Log       = "ledger log"
	Index     = "history index"
	KV        = "kv"
	Consensus = "consensus and network"
	Collector = "garbage collection"
	Runtime   = "runtime"
	Rest      = "rest"
)

// Parts are all of them.
var Parts = []string{HTTP, Signature, Admission, Sequencer, Execution, Seal, Log, Index, KV, Consensus, Collector, Runtime, Rest}

// Ledger are the parts that make a transaction durable, secret and provable, which
// the bare server does not have.
var Ledger = []string{Seal, Log, Index, KV}

const (
	own      = "github.com/coco-consortium/coco/internal/"
	ethereum = "github.com/ethereum/go-ethereum/"
)

// rooms say whose a function is by the beginning of its full name; the longest
// beginning counts. The file layer is nobody's: what it does is its caller's.
// Libraries that do one room's work are that room's even where they run on
// goroutines of their own.
var rooms = map[string]string{
	own + "server":                         HTTP,
	own + "protocol/ethereum/api":          HTTP,
	"net/http":                             HTTP,
	"github.com/coder/websocket":           HTTP,
	ethereum + "crypto/secp256k1":          Signature,
	ethereum + "crypto.Ecrecover":          Signature,
	ethereum + "core/types.Sender":         Signature,
	ethereum + "core/types.(*modernSigner": Signature,
	ethereum + "core/types.recoverPlain":   Signature,
	own + "protocol/ethereum.(*Signer)":    Signature,
	own + "protocol/ethereum/pool":         Admission,
	own + "sequencer":                      Sequencer,
	own + "protocol":                       Execution,
	ethereum + "core.":                     Execution,
	ethereum + "core/vm":                   Execution,
	own + "ledger/envelope":                Seal,
	own + "ledger/format":                  Seal,
	own + "ledger/lineage":                 Seal,
	own + "proof":                          Seal,
	own + "keys":                           Seal,
	own + "ledger":                         Log,
	own + "history":                        Index,
	own + "kv":                             KV,
	own + "consensus":                      Consensus,
	own + "network":                        Consensus,
	own + "catchup":                        Consensus,
	own + "forward":                        Consensus,
	own + "membership":                     Consensus,
	own + "node":                           Consensus,
	"go.etcd.io/raft":                      Consensus,
}

// collecting are the functions under which the runtime collects garbage.
var collecting = []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcMarkDone"}

// Time is processor time by part, in nanoseconds.
type Time map[string]int64

// Read adds a profile's samples.
func (t Time) Read(r io.Reader) error {
	p, err := profile.Parse(r)
	if err != nil {
		return ErrProfile.From(err)
	}
	value := slices.IndexFunc(p.SampleType, func(v *profile.ValueType) bool { return v.Type == "cpu" })
	for _, s := range p.Sample {
		if value >= 0 && value < len(s.Value) {
			t[partOf(stack(s))] += s.Value[value]
		}
	}
	return nil
}

// Shares are the parts of the whole, each between 0 and 1; nil when nothing was
// sampled.
func (t Time) Shares() map[string]float64 {
	var all int64
	for _, n := range t {
		all += n
	}
	if all == 0 {
		return nil
	}
	shares := make(map[string]float64, len(t))
	for part, n := range t {
		shares[part] = float64(n) / float64(all)
	}
	return shares
}

// stack is the names of the functions, innermost first.
func stack(s *profile.Sample) (names []string) {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}

// partOf says whose a stack is.
func partOf(stack []string) string {
	for _, name := range stack {
		if slices.ContainsFunc(collecting, func(c string) bool { return strings.HasPrefix(name, c) }) {
			return Collector
		}
	}
	for _, name := range stack {
		if room := roomOf(name); room != "" {
			return room
		}
	}
	if len(stack) > 0 && strings.HasPrefix(stack[0], "runtime.") {
		return Runtime
	}
	return Rest
}

// roomOf is the room of a function, or empty.
func roomOf(name string) string {
	longest := ""
	for begins := range rooms {
		if len(begins) > len(longest) && strings.HasPrefix(name, begins) && ends(name[len(begins):], begins) {
			longest = begins
		}
	}
	return rooms[longest]
}

// ends reports that a beginning ends where a part of a function's name does, so that
// a room is not taken for another with a longer name.
func ends(rest, begins string) bool {
	return rest == "" || strings.HasSuffix(begins, ".") || strings.ContainsRune("./)", rune(rest[0]))
}
