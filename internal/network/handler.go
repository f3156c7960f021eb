package network

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
)

// Overview is the network at one moment, GET /network.
type Overview struct {
	Data  string `json:"data"`
	Nodes []Seat `json:"nodes"` // by number
	// Apart are the nodes that Partition cut from the others.
	Apart []int `json:"apart,omitempty"`
	// Busy is whether a command is under way, or what it began is being taken back.
	Busy bool `json:"busy,omitempty"`
}

// Seat is a node's place in the network.
type Seat struct {
	Number     int    `json:"number"`
	Running    bool   `json:"running"`
	Phase      string `json:"phase,omitempty"` // found, recover or join while it begins
	Data       string `json:"data"`
	RPC        string `json:"rpc,omitempty"`        // HOST:PORT
	Operations string `json:"operations,omitempty"` // HOST:PORT
	// Status is the node's own, as GET /status gives it; nil when it does not run.
	Status *operations.Status `json:"status,omitempty"`
}

// Overview asks every node.
func (n *Network) Overview() Overview {
	n.mu.Lock()
	o := Overview{Data: n.config.Data, Nodes: make([]Seat, 0, len(n.members)), Apart: slices.Clone(n.apart)}
	members := make([]*member, 0, len(n.members))
	for _, m := range n.members {
		members = append(members, m.snapshot())
	}
	n.mu.Unlock()
	if o.Busy = !n.work.TryLock(); !o.Busy {
		n.work.Unlock()
	}
	slices.SortFunc(members, func(a, b *member) int { return a.number - b.number })
	for _, m := range members {
		s := Seat{Number: m.number, Running: m.node != nil, Phase: m.phase, Data: m.data, RPC: m.rpc, Operations: m.metrics}
		if m.node != nil {
			status := operations.Read(m.node)
			s.Status = &status
		}
		o.Nodes = append(o.Nodes, s)
	}
	return o
}

// handler answers on the network's socket: for the network below /network, and
// otherwise for node 1 as that would. Commands end with whoever waits for them and
// take as long as they need: a node that joins may have much to fetch.
func (n *Network) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /network", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(n.Overview())
	})
	on := func(name string, do func(ctx context.Context, numbers []int) error) {
		mux.HandleFunc("POST /network/"+name, func(w http.ResponseWriter, r *http.Request) {
			list, err := numbers(r.FormValue("node"))
			if err == nil {
				patient := http.NewResponseController(w)
				err = errors.Join(patient.SetReadDeadline(time.Time{}), patient.SetWriteDeadline(time.Time{}))
			}
			if err == nil {
				err = do(r.Context(), list)
			}
			operations.Answer(w, err)
		})
	}
	one := func(name string, do func(ctx context.Context, number int) error) {
		on(name, func(ctx context.Context, numbers []int) error {
			if len(numbers) != 1 {
				return operations.ErrCommand.From(errors.New(name + " wants node=N, the number of one node"))
			}
			return do(ctx, numbers[0])
		})
	}
	one("stop", n.StopNode)
	one("start", n.StartNode)
	one("pause", func(_ context.Context, number int) error { return n.Pause(number) })
	one("resume", func(_ context.Context, number int) error { return n.Resume(number) })
	one("replace", func(ctx context.Context, number int) error { _, err := n.Replace(ctx, number); return err })
	on("partition", func(_ context.Context, numbers []int) error { return n.Partition(numbers) })
	on("heal", func(context.Context, []int) error { n.Heal(); return nil })
	on("add", func(ctx context.Context, _ []int) error { _, err := n.Add(ctx); return err })
	mux.HandleFunc("/", n.nodeOne)
	return mux
}

// nodeOne answers for node 1. Its stop is the network's: it is the process that
// the directory's socket speaks for.
func (n *Network) nodeOne(w http.ResponseWriter, r *http.Request) {
	m, err := n.live(1)
	if r.Method == http.MethodPost && r.URL.Path == "/stop" {
		operations.Answer(w, nil)
		n.end.Do(func() { close(n.stopped) })
		return
	}
	if err != nil {
		operations.Answer(w, err)
		return
	}
	operations.Local(m.observe, operations.Control(m.node, operations.Options{Development: true})).ServeHTTP(w, r)
}

// numbers reads numbers of nodes with commas between them.
func numbers(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(part)
		if err != nil || number < 1 {
			return nil, operations.ErrCommand.From(errors.New("nodes are numbers from 1, with commas between them"))
		}
		list = append(list, number)
	}
	return list, nil
}
