package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// HistoryOptions say how questions about history are measured.
type HistoryOptions struct {
	// Nodes are asked in turn. The first is the one that ratios are of.
	Nodes []Node
	// Logs is how many logs are written before anything is asked. Default 1,000,000.
	Logs int
	// Rounds is how often each question is asked at each node. Default 20.
	Rounds int
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

// HistoryReport is what was measured.
type HistoryReport struct {
	Machine Machine    `json:"machine"`
	Nodes   []NodeInfo `json:"nodes"`
	Logs    int        `json:"logs"`
	Rounds  int        `json:"rounds"`
	Rows    []Question `json:"rows"`
}

// Question is one question at all nodes, in the order of HistoryOptions.Nodes.
type Question struct {
	Question string   `json:"question"`
	Answers  []Answer `json:"answers"`
}

// Answer is how one node answers a question. Times are in milliseconds.
type Answer struct {
	Node    string  `json:"node"`
	Logs    int     `json:"logs"`
	Bytes   int     `json:"bytes"`
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	NodeCPU float64 `json:"nodeCPU,omitempty"` // of one answer
	Ratio   float64 `json:"ratio,omitempty"`   // the first node's p50 to this one's
	Error   string  `json:"error,omitempty"`   // why there is no answer

	times []int64
	used  time.Duration
}

// questions are the filters that are asked for.
var questions = []struct {
	name   string
	filter func(e *emitter) map[string]any
}{
	{"one log, by a topic", func(e *emitter) map[string]any { return e.across(nil, nil, number(e.logs/3)) }},
	{"100 logs, by 100 topics", func(e *emitter) map[string]any {
		var some []common.Hash
		for i := range 100 {
			some = append(some, number(i*(e.logs/100)))
		}
		return e.across(nil, nil, some)
	}},
	{"none, by a topic that never occurs", func(e *emitter) map[string]any { return e.across(nil, nil, number(2*e.logs)) }},
	{"one in 100, by a topic", func(e *emitter) map[string]any { return e.across(nil, number(7)) }},
	{"all of one block, by address", func(e *emitter) map[string]any {
		f := e.across()
		f["fromBlock"] = hexutil.Uint64(e.first + (e.last-e.first)/2)
		f["toBlock"] = f["fromBlock"]
		return f
	}},
}

// History writes logs to every node and measures how they answer eth_getLogs.
func History(ctx context.Context, o HistoryOptions) (*HistoryReport, error) {
	o.Logs, o.Rounds = cmp.Or(o.Logs, 1_000_000), cmp.Or(o.Rounds, 20)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	report := &HistoryReport{Machine: machine(), Logs: o.Logs, Rounds: o.Rounds}
	targets, leave, err := dialAll(ctx, o.Nodes, 200, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	var emitters []*emitter
	for _, t := range targets {
		e, err := t.emit(ctx, o.Logs, o.Progress)
		if err == nil {
			err = e.check(t.control)
		}
		if err != nil {
			return nil, ErrSetup.From(err)
		}
		emitters = append(emitters, e)
		report.Nodes = append(report.Nodes, t.info())
	}
	for _, q := range questions {
		fmt.Fprintf(o.Progress, "asking for %s\n", q.name)
		row := Question{Question: q.name, Answers: make([]Answer, len(targets))}
		for round := range o.Rounds {
			for i := range targets {
				i = (i + round) % len(targets) // none is always first
				row.Answers[i].ask(targets[i], q.filter(emitters[i]))
			}
		}
		for i := range row.Answers {
			row.Answers[i].summarize(&row.Answers[0])
		}
		report.Rows = append(report.Rows, row)
	}
	return report, nil
}

// ask asks once.
func (a *Answer) ask(t *target, filter map[string]any) {
	a.Node = t.name
	body, err := json.Marshal(request{"2.0", 1, "eth_getLogs", []any{filter}})
	if err != nil {
		panic(err) // filters are made here
	}
	before, start := t.usage(), time.Now()
	raw, err := t.control.send(body)
	elapsed, after := time.Since(start), t.usage()
	if err == nil && bytes.Contains(raw[:min(len(raw), 200)], []byte(`"error"`)) {
		err = fmt.Errorf("%.300s", raw)
	}
	if err != nil {
		a.Error = err.Error()
		return
	}
	a.Logs, a.Bytes = bytes.Count(raw, []byte(`"logIndex"`)), len(raw)
	a.times = append(a.times, int64(elapsed))
	if before.known && after.known {
		a.used += after.node - before.node
	}
}

func (a *Answer) summarize(first *Answer) {
	if len(a.times) == 0 {
		return
	}
	a.NodeCPU = float64(a.used) / 1e6 / float64(len(a.times))
	a.P50, a.P90, _, _ = percentiles(a.times)
	if a != first {
		a.Ratio = ratio(first.P50, a.P50)
	}
}

// JSON writes the report as one line.
func (r *HistoryReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report as a table for people.
func (r *HistoryReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "%d logs, each question asked %d times in turn; eth_getLogs over HTTP\n", r.Logs, r.Rounds)
	nodesText(w, r.Nodes)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "question\tnode\tlogs\tKiB\tp50 ms\tp90 ms\tnode CPU ms\tp50 ratio\t")
	for _, row := range r.Rows {
		question := row.Question
		for _, a := range row.Answers {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t\n", question, a.Node, a.Logs, a.Bytes>>10, milli(a.P50), milli(a.P90),
				known(a.NodeCPU, 1), known(a.Ratio, 2))
			question = ""
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		for _, a := range row.Answers {
			if a.Error != "" {
				fmt.Fprintf(w, "error: %s at %s: %s\n", row.Question, a.Node, a.Error)
			}
		}
	}
	return nil
}
