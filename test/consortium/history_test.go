package consortium

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/ethereum/go-ethereum/common"
)

// kind is what a client did with a register.
type kind int

const (
	reads   kind = iota // linearizable
	swaps               // learns what it replaced
	compare             // and swap
)

// input is a question about a register.
type input struct {
	kind            kind
	key             uint64
	value, expected uint64
}

// output is the answer. One that is not known is of a client that gave up: what
// it asked for may happen at any time after, or never.
type output struct {
	known bool
	old   uint64 // what a read read, what a swap replaced
	done  bool   // of a comparison: it was as expected
}

// action is what a client did, and when.
type action struct {
	input
	output
	client       int
	hash         common.Hash // of its transaction
	acknowledged bool
	call, end    time.Duration
}

// history is what all clients saw.
type history struct {
	began time.Time

	mu      sync.Mutex
	actions []*action
	stale   []stale

	count int // acknowledged writes
}

// stale is what a plain read of one node read.
type stale struct {
	node, life int // which process
	key, value uint64
	call       time.Duration
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() time.Duration { return time.Since(h.began) }

func (h *history) add(a *action) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.actions = append(h.actions, a)
	if a.acknowledged {
		h.count++
	}
}

// acknowledged is how many writes were.
func (h *history) acknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// model is a register: what a compare-and-swap register does, when some of the
// answers are not known.
var model = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[uint64][]porcupine.Operation{}
		for _, o := range all {
			key := o.Input.(input).key
			byKey[key] = append(byKey[key], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, in, out any) (bool, any) {
		s, i, o := state.(uint64), in.(input), out.(output)
		switch i.kind {
		case reads:
			return o.old == s, s
		case swaps:
			return !o.known || o.old == s, i.value
		}
		if s != i.expected {
			return !o.known || !o.done, s
		}
		return !o.known || o.done && o.old == s, i.value
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		return fmt.Sprintf("%s(%d, %x, if %x) -> %+v", [...]string{"read", "swap", "compare"}[i.kind], i.key, i.value, i.expected, o)
	},
}

// linearizable fails the test unless some order of the actions, each between its
// call and its end, is that of one register per key.
func (h *history) linearizable(t *testing.T) {
	t.Helper()
	var all []porcupine.Operation
	unknown := 0
	for _, a := range h.actions {
		end := int64(a.end)
		if !a.known {
			end = math.MaxInt64 // a client that gave up never heard of the end
			unknown++
		}
		all = append(all, porcupine.Operation{ClientId: a.client, Input: a.input, Call: int64(a.call), Output: a.output, Return: end})
	}
	result, info := porcupine.CheckOperationsVerbose(model, all, hang)
	if result != porcupine.Ok {
		file := fmt.Sprintf("%s/history-%d.html", t.ArtifactDir(), time.Now().UnixNano())
		if err := porcupine.VisualizePath(model, info, file); err != nil {
			t.Log(err)
		}
		t.Errorf("the history of %d actions is not linearizable: %s, see %s", len(all), result, file)
		return
	}
	t.Logf("%d actions are linearizable, the outcome of %d of them unknown to their clients", len(all), unknown)
}

// monotonic fails the test where a plain read of a process read what was never
// committed, what was not written yet, or something older than it had shown.
// order is each register's values in the ledger's order, with the time of the call
// that wrote them.
func (h *history) monotonic(t *testing.T, order map[uint64][]version) {
	t.Helper()
	place := map[uint64]map[uint64]int{}
	for key, values := range order {
		place[key] = map[uint64]int{0: 0}
		for i, v := range values {
			place[key][v.value] = i + 1
		}
	}
	type reader struct {
		node, life int
		key        uint64
	}
	last := map[reader]int{}
	for _, s := range h.stale {
		at, committed := place[s.key][s.value]
		r := reader{s.node, s.life, s.key}
		switch {
		case s.value != 0 && !committed:
			t.Errorf("node %d showed %x in register %d, which was never committed", s.node, s.value, s.key)
		case at < last[r]:
			t.Errorf("node %d showed version %d of register %d after version %d", s.node, at, s.key, last[r])
		}
		last[r] = at
	}
	t.Logf("%d plain reads never went back on any node", len(h.stale))
}

// version is a value of a register in the ledger.
type version struct {
	value uint64
	hash  common.Hash
}
