package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"sync/atomic"
)

func TestPercentiles(t *testing.T) {
	var hundred []int64
	for i := range int64(100) {
		hundred = append(hundred, (100-i)*1e6)
	}
	for _, c := range []struct {
		latencies []int64
		want      [4]float64
	}{
		{nil, [4]float64{}},
		{[]int64{5e6}, [4]float64{5, 5, 5, 5}},
		{[]int64{2e6, 1e6}, [4]float64{1, 2, 2, 2}},
		{hundred, [4]float64{50, 90, 99, 100}},
	} {
		var got [4]float64
		got[0], got[1], got[2], got[3] = percentiles(slices.Clone(c.latencies))
		if got != c.want {
			t.Errorf("%d latencies: %v, want %v", len(c.latencies), got, c.want)
		}
	}
	if m := median([]float64{9, 1, 5}); m != 5 {
		t.Errorf("median of three: %v", m)
	}
	if m := median([]float64{4, 1, 2, 9}); m != 3 {
		t.Errorf("median of four: %v", m)
	}
}

func TestSummary(t *testing.T) {
	row := Row{Sides: []Side{
		{Node: "a", Runs: []Run{{CommittedPerSecond: 300, P50: 1, P99: 2}, {CommittedPerSecond: 100, P50: 3, P99: 4}, {CommittedPerSecond: 200, P50: 2, P99: 9}}},
		{Node: "b", Runs: []Run{{CommittedPerSecond: 100, P50: 8, P99: 8, Errors: map[string]int{"x": 2}}, {CommittedPerSecond: 50, P50: 8, P99: 8, Errors: map[string]int{"x": 1}}, {CommittedPerSecond: 150, P50: 8, P99: 8}}},
	}}
	row.summarize()
	a, b := row.Sides[0], row.Sides[1]
	if a.Median.CommittedPerSecond != 200 || a.Median.P50 != 2 || a.Median.P99 != 4 || a.Slowest != 100 || a.Fastest != 300 {
		t.Errorf("a: %+v", a)
	}
	if b.RateRatio != 2 || b.P50Ratio != 0.25 || b.P99Ratio != 0.5 || b.Median.Errors["x"] != 3 {
		t.Errorf("b: %+v", b)
	}
}

func TestParseLoad(t *testing.T) {
	for _, c := range []struct {
		text string
		want Load
	}{
		{"", Load{Contract: "erc20", Transport: "http", Batch: 1, Connections: 8, Transactions: 10_000}},
		{"eth ws batch=100", Load{Contract: "eth", Transport: "ws", Batch: 100, Connections: 8, Transactions: 40_000}},
		{"batch=100,eth,ws", Load{Contract: "eth", Transport: "ws", Batch: 100, Connections: 8, Transactions: 40_000}},
		{"erc20 http rate=50.5", Load{Contract: "erc20", Transport: "http", Batch: 1, Connections: 8, Rate: 50.5, Transactions: 505}},
		{"work", Load{Contract: "work", Transport: "http", Batch: 1, Connections: 8, Transactions: 10_000, Work: Work{Writes: 1, Slots: 10_000}}},
		{"work writes=5 slots=100 loops=7 data=9", Load{Contract: "work", Transport: "http", Batch: 1, Connections: 8, Transactions: 10_000, Work: Work{5, 100, 7, 9}}},
		{"sync connections=1", Load{Contract: "erc20", Transport: "http", Batch: 1, Connections: 1, Sync: true, Transactions: 2_000}},
	} {
		got, err := ParseLoad(c.text)
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
		if again, err := ParseLoad(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q and reads back as %+v, %v", c.text, got, again, err)
		}
	}
	for _, text := range []string{"nft", "batch=0", "batch=x", "batch=-1", "rate=-1", "rate=NaN", "rate=1e9", "connections=0.5", "transactions=3000000", "sync batch=2"} {
		if _, err := ParseLoad(text); !errors.Is(err, ErrLoad) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestHTTPConn reads answers as servers write them: with a length, in chunks,
// and refusals.
func TestHTTPConn(t *testing.T) {
	long := strings.Repeat("0123456789", 30_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.RequestURI() != "/path?q=1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		switch string(body) {
		case "short":
			fmt.Fprint(w, "an answer")
		case "chunks":
			for part := range slices.Chunk([]byte(long), 70_001) {
				w.Write(part)
				w.(http.Flusher).Flush()
			}
		case "nothing":
		default:
			http.Error(w, "no", http.StatusTeapot)
		}
	}))
	defer server.Close()
	c, err := dialHTTP(t.Context(), server.URL+"/path?q=1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	encode, err := httpEncoding(server.URL + "/path?q=1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for body, want := range map[string]string{"short": "an answer", "chunks": long, "nothing": ""} {
			if got, err := c.send(encode([]byte(body))); err != nil || string(got) != want {
				t.Errorf("%s: %d bytes, %v", body, len(got), err)
			}
		}
		if _, err := c.send(encode([]byte("else"))); err == nil || !strings.Contains(err.Error(), "418") {
			t.Errorf("a refusal: %v", err)
		}
	}
}

// TestControlConnects again when the server has closed the connection.
func TestControlConnects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "an answer") }))
	defer server.Close()
	c := &control{ctx: t.Context(), url: server.URL}
	defer c.close()
	for range 3 {
		if got, err := c.send([]byte("question")); err != nil || string(got) != "an answer" {
			t.Fatalf("%q, %v", got, err)
		}
		server.CloseClientConnections()
	}
}

func TestAnswers(t *testing.T) {
	got, err := parseAnswers([]byte(` [{"id":1,"error":{"code":-32000,"message":"nonce too low: next 5, tx 3"}},{"id":0,"result":"0x1"}]`), 2)
	if err != nil || got[0].Error != nil || got[1].Error == nil {
		t.Fatalf("%v, %v", got, err)
	}
	if kind := got[1].Error.kind(); kind != "-32000 nonce too low" {
		t.Errorf("kind %q", kind)
	}
	for _, raw := range []string{"", "[]", "{", `[{"id":0}]`, `[{"id":0},{"id":0}]`, `[{"id":0},{"id":2}]`, `[{"id":0},{"id":null}]`, `{"id":null,"error":{"code":1,"message":"too many"}}`} {
		if _, err := parseAnswers([]byte(raw), 2); err == nil {
			t.Errorf("%q was taken for two answers", raw)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"id":0,"result":"0x1"},{"id":1,"error":{"code":1,"message":"m 0x12: x"}}]`), 2)
	f.Add([]byte(`{"id":0,"result":null}`), 1)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		n = max(1, min(n, 100))
		answers, err := parseAnswers(raw, n)
		if err == nil && len(answers) != n {
			t.Errorf("%d answers to %d requests", len(answers), n)
		}
		for _, a := range answers {
			if a.Error != nil {
				a.Error.kind()
			}
		}
		_, _ = announcedNumber(raw)
	})
}

// stalled is a connection whose first answer comes when it is released.
type stalled struct {
	release chan struct{}
	sent    atomic.Int32
}

func (s *stalled) close() {}

func (s *stalled) send([]byte) ([]byte, error) {
	if s.sent.Add(1) == 1 {
		<-s.release
	}
	return []byte(`{"id":0,"result":"0x"}`), nil
}

func newRun(l Load, n int) *run {
	r := &run{load: l, plan: &plan{}, start: time.Now(),
		from: make([]int64, n), accepted: make([]int64, n), committed: make([]int64, n),
		window: semaphore.NewWeighted(int64(n)), open: make([]atomic.Bool, n), all: make(chan struct{}), errors: map[string]int{}}
	for i := range r.open {
		r.open[i].Store(true)
	}
	return r
}

// TestNoCoordinatedOmission: while a server stalls, the transactions that should
// have been sent meanwhile wait too, and their latency counts from when they
// should have been sent.
func TestNoCoordinatedOmission(t *testing.T) {
	const n = 10
	r := newRun(Load{Rate: 1e6, Sync: true}, n)
	var shots []shot
	for i := range n {
		shots = append(shots, shot{lo: i, hi: i + 1, due: time.Duration(i) * time.Microsecond})
	}
	c := &stalled{release: make(chan struct{})}
	go func() {
		for time.Since(r.start) < n*time.Microsecond { // until all are due
		}
		close(c.release)
	}()
	r.lane(context.Background(), shots, c)
	<-r.all
	for i := range n {
		if r.from[i] != max(1, int64(shots[i].due)) {
			t.Errorf("the latency of %d counts from %d ns", i, r.from[i])
		}
		if r.accepted[i] < n*1000 {
			t.Errorf("%d was answered after %d ns, before the stall ended", i, r.accepted[i])
		}
	}
}

// broken is a connection that breaks at its second request.
type broken struct{ stalled }

func (b *broken) send([]byte) ([]byte, error) {
	if b.sent.Add(1) == 2 {
		return nil, io.ErrUnexpectedEOF
	}
	return []byte(`{"id":0,"error":{"code":-32005,"message":"busy 17"}}`), nil
}

// TestRefusals: everything is accounted for, and a late commit of what was given
// up counts once.
func TestRefusals(t *testing.T) {
	r := newRun(Load{}, 4)
	shots := []shot{{lo: 0, hi: 1}, {lo: 1, hi: 2}, {lo: 2, hi: 4}}
	r.lane(context.Background(), shots, &broken{})
	<-r.all
	r.settle(1, 1)
	want := map[string]int{"-32005 busy #": 1, "connection: unexpected EOF": 1, "not sent after a broken connection": 2}
	for kind, n := range want {
		if r.errors[kind] != n {
			t.Errorf("%q: %d, want %d", kind, r.errors[kind], n)
		}
	}
	out := r.result()
	if out.Sent != 2 || out.Accepted != 0 || out.Committed != 0 || len(out.Errors) != len(want) {
		t.Errorf("%+v", out)
	}
}

func TestAnnouncedNumber(t *testing.T) {
	if n, err := announcedNumber([]byte(`{"params":{"result":{"number":"0x1f","x":1}}}`)); err != nil || n != 31 {
		t.Errorf("%d, %v", n, err)
	}
	for _, message := range []string{"", `{"number":7}`, `"number":"0x`, `"number":"zz"`, `"number":"0x10000000000000000"`} {
		if _, err := announcedNumber([]byte(message)); err == nil {
			t.Errorf("%q has a number", message)
		}
	}
}
