package bench

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"golang.org/x/sync/errgroup"
)

// PortalOptions say how App Builder is measured. The usual numbers are those at
// which Azure Blockchain Workbench was measured by its makers.
type PortalOptions struct {
	URL string // of the gateway
	Dir string // of the builder: its development login makes the people
	RPC string // of the ledger's node
	PID int    // of the builder's process; 0: the one that listens at URL

	People, Contracts, Actions int     // 120, 442, 19
	Readers                    int     // connections that read at once; 32
	Writes                     float64 // a second meanwhile; 10
	Clicks                     float64 // actions a second whose arrival elsewhere is measured; 50
	Time                       time.Duration
	Progress                   io.Writer
}

// PortalReport is what was measured. Times are in milliseconds.
type PortalReport struct {
	Machine   Machine `json:"machine"`
	People    int     `json:"people"`
	Contracts int     `json:"contracts"`
	Actions   int     `json:"actions"`

	Reads        int     `json:"reads"`
	PerSecond    float64 `json:"perSecond"`
	ReadP50      float64 `json:"readP50"`
	ReadP90      float64 `json:"readP90"`
	ReadP99      float64 `json:"readP99"`
	ReadMax      float64 `json:"readMax"`
	ReadBytes    float64 `json:"readBytes"`    // of an answer, on average
	ServerCPU    float64 `json:"serverCPU"`    // microseconds a read, everything in the process
	GeneratorCPU float64 `json:"generatorCPU"` // microseconds a read
	Writes       int     `json:"writes"`
	StaleP50     float64 `json:"staleP50"` // from the answer to a write until a reader sees it
	StaleMax     float64 `json:"staleMax"`

	Clicks   int     `json:"clicks"`
	ClickP50 float64 `json:"clickP50"` // from sending an action until another person, told by an event, sees its effect
	ClickP90 float64 `json:"clickP90"`
	ClickP99 float64 `json:"clickP99"`
	ClickMax float64 `json:"clickMax"`

	LedgerRate float64 `json:"ledgerRate"` // transactions a second committed while the lag was looked at
	LagP50     float64 `json:"lagP50"`     // how old the newest block in the database was
	LagMax     float64 `json:"lagMax"`
	LagBlocks  int     `json:"lagBlocks"` // the most
}

// stalest is how old an answer may be. It is a promise, so a measurement that
// finds an older one fails.
const stalest = time.Second

// Portal measures App Builder: reads with writes under way, how soon others see an
// action, and how far the database is behind a busy ledger.
func Portal(ctx context.Context, o PortalOptions) (*PortalReport, error) {
	o.People, o.Contracts, o.Actions = cmp.Or(o.People, 120), cmp.Or(o.Contracts, 442), cmp.Or(o.Actions, 19)
	o.Readers, o.Writes, o.Clicks, o.Time = cmp.Or(o.Readers, 32), cmp.Or(o.Writes, 10), cmp.Or(o.Clicks, 50), cmp.Or(o.Time, 20*time.Second)
	say := func(format string, args ...any) {
		if o.Progress != nil {
			fmt.Fprintf(o.Progress, format+"\n", args...)
		}
	}
	g := &gateway{url: strings.TrimSuffix(o.URL, "/"), dir: o.Dir,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * o.Readers, DisableCompression: true}, Timeout: time.Minute}}
	r := &PortalReport{Machine: machine(), People: o.People, Contracts: o.Contracts, Actions: o.Actions}
	server := findProcess(Node{URL: o.URL, PID: o.PID})
	say("making %d people", o.People)
	if err := g.admit(ctx, o.People); err != nil {
		return nil, err
	}
	say("making %d contracts, one of them with %d actions", o.Contracts, o.Actions)
	contracts := make([]int, o.Contracts)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range contracts {
		group.Go(func() (err error) {
			contracts[i], err = g.create(ctx, g.seller(i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := 1; i < o.Actions; i++ {
		price := strconv.Itoa(i)
		err := g.change(ctx, g.seller(0), contracts[0], price)
		if err == nil {
			err = g.until(ctx, g.seller(0), contracts[0], func(s *standing) bool { return s.value(g.workflow.price) == price })
		}
		if err != nil {
			return nil, err
		}
	}
	say("reading for %s", o.Time)
	if err := r.read(ctx, g, o, contracts, server); err != nil {
		return nil, err
	}
	say("acting for %s", o.Time)
	if err := r.click(ctx, g, o, contracts); err != nil {
		return nil, err
	}
	if o.RPC != "" {
		say("filling the ledger")
		if err := r.lag(ctx, g, o); err != nil {
			return nil, err
		}
	}
	if late := time.Duration(r.StaleMax * 1e6); late > stalest {
		return r, ErrGateway.From(fmt.Errorf("an answer was %s older than the last write; at most %s is promised", late, stalest))
	}
	return r, nil
}

func (g *gateway) seller(i int) guest { return g.guests[i%g.sellers] }

// read asks for lists and contracts in turn, as everybody, while prices change.
func (r *PortalReport) read(ctx context.Context, g *gateway, o PortalOptions, contracts []int, server *process) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.Now().Add(o.Time)
	var mu sync.Mutex
	var took, stale []int64
	var bytes atomic.Int64
	before, own := cpuOf(server), ownTime()
	readers, rctx := errgroup.WithContext(ctx)
	for n := range o.Readers {
		readers.Go(func() error {
			var mine []int64
			for i := 0; time.Now().Before(end); i++ {
				who := g.guests[(n*31+i)%len(g.guests)]
				path := fmt.Sprintf("/api/v2/contracts?workflowId=%d&top=50", g.workflow.id)
				if i%2 == 1 {
					path = fmt.Sprintf("/api/v2/contracts/%d", contracts[0])
				}
				start := time.Now()
				size, err := g.ask(rctx, who.token, http.MethodGet, path, nil, nil)
				if err != nil {
					return err
				}
				mine = append(mine, int64(time.Since(start)))
				bytes.Add(int64(size))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
			return nil
		})
	}
	started := time.Now()
	writers, wctx := errgroup.WithContext(ctx)
	for i := 0; time.Now().Before(end) && rctx.Err() == nil; i++ {
		writers.Go(func() error {
			at := 1 + i%(len(contracts)-1)
			price := strconv.Itoa(1_000_000 + i)
			if err := g.change(wctx, g.seller(at), contracts[at], price); err != nil {
				return err
			}
			since := time.Now()
			err := g.until(wctx, g.guests[len(g.guests)-1], contracts[at], func(s *standing) bool { return s.value(g.workflow.price) == price })
			mu.Lock()
			stale = append(stale, int64(time.Since(since)))
			mu.Unlock()
			return err
		})
		next := started.Add(time.Duration(float64(i+1) / o.Writes * float64(time.Second)))
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
		}
	}
	if err := errors.Join(readers.Wait(), writers.Wait()); err != nil {
		return err
	}
	elapsed := time.Since(started)
	r.Reads, r.Writes = len(took), len(stale)
	r.PerSecond = rate(len(took), int64(elapsed))
	r.ReadBytes = float64(bytes.Load()) / float64(max(1, len(took)))
	r.ServerCPU = float64(cpuOf(server)-before) / 1e3 / float64(max(1, len(took)))
	r.GeneratorCPU = float64(ownTime()-own) / 1e3 / float64(max(1, len(took)))
	r.ReadP50, r.ReadP90, r.ReadP99, r.ReadMax = percentiles(took)
	r.StaleP50, _, _, r.StaleMax = percentiles(stale)
	return nil
}

func cpuOf(p *process) time.Duration {
	if p == nil {
		return 0
	}
	t, _ := p.time()
	return t
}

// click sends actions at a rate. Another person's event stream tells of each; that
// person then reads the contract, until the effect is there.
func (r *PortalReport) click(ctx context.Context, g *gateway, o PortalOptions, contracts []int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	other := g.guests[len(g.guests)-1]
	told, err := g.listen(ctx, other)
	if err != nil {
		return err
	}
	type click struct {
		price string
		at    time.Time
		busy  bool // somebody looks
		again bool // and was told once more meanwhile
	}
	var mu sync.Mutex
	open := map[int]*click{}
	var took []int64
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(256)
	var looking sync.WaitGroup
	looking.Go(func() {
		for id := range told {
			mu.Lock()
			c := open[id]
			look := c != nil && !c.busy
			if look {
				c.busy = true
			} else if c != nil {
				c.again = true
			}
			mu.Unlock()
			if !look {
				continue
			}
			looking.Go(func() {
				for {
					s, err := g.look(ctx, other, id)
					mu.Lock()
					there := err == nil && s.value(g.workflow.price) == c.price && open[id] == c
					if there {
						took = append(took, int64(time.Since(c.at)))
						delete(open, id)
					}
					again := !there && c.again && err == nil
					c.again, c.busy = false, again
					mu.Unlock()
					if !again {
						return
					}
				}
			})
		}
	})
	total := int(o.Clicks * o.Time.Seconds())
	started := time.Now()
	for i := range total {
		at := rand.IntN(len(contracts)-1) + 1
		id := contracts[at]
		mu.Lock()
		if open[id] == nil { // else the last one is not there yet
			c := &click{price: strconv.Itoa(2_000_000 + i), at: time.Now()}
			open[id] = c
			group.Go(func() error { return g.change(gctx, g.seller(at), id, c.price) })
		}
		mu.Unlock()
		select {
		case <-time.After(time.Until(started.Add(time.Duration(float64(i+1) / o.Clicks * float64(time.Second))))):
		case <-gctx.Done():
		}
	}
	err = group.Wait()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		n := len(open)
		mu.Unlock()
		if n == 0 {
			break
		}
	}
	cancel()
	looking.Wait()
	if err == nil && len(open) > 0 {
		err = ErrGateway.From(fmt.Errorf("%d actions were not seen by another person within 5 s of the last", len(open)))
	}
	r.Clicks = len(took)
	r.ClickP50, r.ClickP90, r.ClickP99, r.ClickMax = percentiles(took)
	return err
}

// listen gives the contracts of which somebody's event stream tells.
func (g *gateway) listen(ctx context.Context, who guest) (<-chan int, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/api/v2/events", nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+who.token)
	answer, err := (&http.Client{}).Do(q)
	if err != nil {
		return nil, ErrGateway.From(err)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, ErrGateway.From(errors.New(answer.Status))
	}
	told := make(chan int, 1024)
	go func() {
		defer close(told)
		defer answer.Body.Close()
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			data, ok := strings.CutPrefix(s.Text(), "data: ")
			var e struct {
				ContractID int `json:"contractId"`
			}
			if ok && json.Unmarshal([]byte(data), &e) == nil && e.ContractID != 0 {
				select {
				case told <- e.ContractID:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return told, nil
}

// lag fills the ledger with transfers that no application knows, and looks how old
// the newest block in the database is.
func (r *PortalReport) lag(ctx context.Context, g *gateway, o PortalOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var lags []int64
	done := make(chan error, 1)
	var looking sync.WaitGroup
	looking.Go(func() {
		seen := map[uint64]time.Time{}
		for ctx.Err() == nil {
			head, err1 := blockNumber(ctx, o.RPC)
			now := time.Now()
			if _, ok := seen[head]; err1 == nil && !ok {
				seen[head] = now
			}
			taken, err2 := g.taken(ctx)
			if err1 == nil && err2 == nil {
				late := time.Duration(0)
				for number, at := range seen {
					switch {
					case number <= taken:
						delete(seen, number)
					case time.Since(at) > late:
						late = time.Since(at)
					}
				}
				lags = append(lags, int64(late))
				if head > taken {
					r.LagBlocks = max(r.LagBlocks, int(head-taken))
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	go func() {
		load, err := ParseLoad("erc20 http batch=100")
		if err == nil {
			var report *Report
			if report, err = Ethereum(ctx, Options{Nodes: []Node{{URL: o.RPC}}, Loads: []Load{load}, Rounds: 1}); err == nil {
				r.LedgerRate = report.Rows[0].Sides[0].Median.CommittedPerSecond
			}
		}
		done <- err
	}()
	err := <-done
	cancel()
	looking.Wait()
	r.LagP50, _, _, r.LagMax = percentiles(lags)
	return err
}

// taken is the newest block in the database.
func (g *gateway) taken(ctx context.Context) (uint64, error) {
	var list struct {
		Blocks []struct {
			BlockNumber uint64 `json:"blockNumber"`
		} `json:"blocks"`
	}
	_, err := g.ask(ctx, g.guests[0].token, http.MethodGet, "/api/v2/ledgers/connections/1/blocks?top=1", nil, &list)
	if err != nil || len(list.Blocks) == 0 {
		return 0, err
	}
	return list.Blocks[0].BlockNumber, nil
}

// blockNumber is the height of a ledger.
func blockNumber(ctx context.Context, rpc string) (uint64, error) {
	c := &control{ctx: ctx, url: rpc}
	defer c.close()
	var height hexutil.Uint64
	err := call(c, &height, "eth_blockNumber")
	return uint64(height), err
}

// JSON writes the report as one line.
func (r *PortalReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *PortalReport) Text(out io.Writer) error {
	r.Machine.text(out)
	fmt.Fprintf(out, "%d people with different roles, %d contracts; the process holds node, App Builder and database\n\n", r.People, r.Contracts)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tcount\ta second\tp50 ms\tp90 ms\tp99 ms\tmax ms\t")
	fmt.Fprintf(w, "list of 50 and contract of %d actions, in turn\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%.0f\t\n", r.Actions, r.Reads, r.PerSecond, r.ReadP50, r.ReadP90, r.ReadP99, r.ReadMax)
	fmt.Fprintf(w, "a write meanwhile, until a reader sees it\t%d\t\t%.0f\t\t\t%.0f\t\n", r.Writes, r.StaleP50, r.StaleMax)
	fmt.Fprintf(w, "an action, until another person sees its effect\t%d\t\t%.0f\t%.0f\t%.0f\t%.0f\t\n", r.Clicks, r.ClickP50, r.ClickP90, r.ClickP99, r.ClickMax)
	if r.LedgerRate > 0 {
		fmt.Fprintf(w, "age of the newest block at %.0f tx/s, at most %d blocks behind\t\t\t%.0f\t\t\t%.0f\t\n", r.LedgerRate, r.LagBlocks, r.LagP50, r.LagMax)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\na read: %.0f bytes, %.0f µs of the process, %.0f µs of the generator\n", r.ReadBytes, r.ServerCPU, r.GeneratorCPU)
	return err
}
