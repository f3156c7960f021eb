package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/server/caller"
)

// testDispatcher has a few methods that show each way in which a call can go.
func testDispatcher(limits Limits, guard Guard) (*Dispatcher, *bytes.Buffer) {
	var log bytes.Buffer
	d := New(limits, guard, slog.New(slog.NewTextHandler(&log, nil)))
	type none struct{}
	Handle(d, "echo", func(_ context.Context, _ *caller.Caller, p *struct {
		Text  string
		Count *int `rpc:"optional"`
	}) (any, error) {
		if p.Count != nil {
			return strings.Repeat(p.Text, *p.Count), nil
		}
		return p.Text, nil
	})
	Handle(d, "who", func(ctx context.Context, c *caller.Caller, _ *none) (any, error) {
		return c.String() + "/" + caller.From(ctx).String(), nil
	})
	Handle(d, "null", func(context.Context, *caller.Caller, *none) (any, error) { return nil, nil })
	Handle(d, "object", func(context.Context, *caller.Caller, *none) (any, error) {
		return map[string]int{"a": 1}, nil
	})
	Handle(d, "revert", func(context.Context, *caller.Caller, *none) (any, error) {
		return nil, &Error{Code: 3, Message: "execution reverted: no", Data: "0x08c379a0"}
	})
	Handle(d, "problem", func(context.Context, *caller.Caller, *none) (any, error) {
		return nil, problem.New("BUSY", "the queue is full", "retry in a second").From(errors.New("hidden"))
	})
	Handle(d, "fault", func(context.Context, *caller.Caller, *none) (any, error) {
		return nil, fmt.Errorf("the secret is %d", 42)
	})
	Handle(d, "crash", func(context.Context, *caller.Caller, *none) (any, error) { panic("the secret is 42") })
	Handle(d, "crashing result", func(context.Context, *caller.Caller, *none) (any, error) { return crashing{}, nil })
	Handle(d, "wait", func(ctx context.Context, _ *caller.Caller, _ *none) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, Within(time.Millisecond))
	return d, &log
}

// crashing is a result that cannot be encoded.
type crashing struct{}

func (crashing) AppendJSON([]byte) []byte { panic("the secret is 42") }

func serve(d *Dispatcher, request string) string {
	return string(d.Serve(context.Background(), []byte(request), nil))
}

func TestServe(t *testing.T) {
	d, log := testDispatcher(Limits{BatchItems: 4, Depth: 5, NumberDigits: 12, RequestBytes: 2000, ResponseBytes: 600}, nil)
	deep := strings.Repeat("[", 9) + strings.Repeat("]", 9)
	for _, c := range []struct{ name, request, want string }{
		{"a call", `{"jsonrpc":"2.0","id":1,"method":"echo","params":["hi"]}`, `{"jsonrpc":"2.0","id":1,"result":"hi"}`},
		{"white space", " {\t\"id\" : \"x\\u0041\" ,\r\n\"params\":[ \"hi\" , 2 ] , \"method\":\"echo\",\"jsonrpc\":\"2.0\" } ", `{"jsonrpc":"2.0","id":"x\u0041","result":"hihi"}`},
		{"text that needs escapes", `{"jsonrpc":"2.0","id":1,"method":"echo","params":["\"ü\n"]}`, `{"jsonrpc":"2.0","id":1,"result":"\"ü\n"}`},
		{"optional null", `{"jsonrpc":"2.0","id":1,"method":"echo","params":["hi",null]}`, `{"jsonrpc":"2.0","id":1,"result":"hi"}`},
		{"null id", `{"jsonrpc":"2.0","id":null,"method":"null"}`, `{"jsonrpc":"2.0","id":null,"result":null}`},
		{"null params", `{"jsonrpc":"2.0","id":-1.5e3,"method":"object","params":null}`, `{"jsonrpc":"2.0","id":-1.5e3,"result":{"a":1}}`},
		{"unknown member", `{"jsonrpc":"2.0","id":1,"method":"null","more":{"a":[true,false,null]}}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		{"caller", `{"jsonrpc":"2.0","id":1,"method":"who","params":[]}`, `{"jsonrpc":"2.0","id":1,"result":"anonymous/anonymous"}`},
		{"notification", `{"jsonrpc":"2.0","method":"echo","params":["hi"]}`, ``},
		{"failed notification", `{"jsonrpc":"2.0","method":"nothing"}`, ``},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"null"},{"jsonrpc":"2.0","method":"null"},7,{"jsonrpc":"2.0","id":2,"method":"echo","params":["b"]}]`,
			`[{"jsonrpc":"2.0","id":1,"result":null},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}},{"jsonrpc":"2.0","id":2,"result":"b"}]`},
		{"batch of notifications", `[{"jsonrpc":"2.0","method":"null"}]`, ``},
		{"empty batch", `[]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"empty batch"}}`},
		{"large batch", `[1,2,3,4,5]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}`},
		{"unknown method", `{"jsonrpc":"2.0","id":1,"method":"eth_\"x"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"the method eth_\\\"x does not exist/is not available"}}`},
		{"missing argument", `{"jsonrpc":"2.0","id":1,"method":"echo"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}`},
		{"null argument", `{"jsonrpc":"2.0","id":1,"method":"echo","params":[null]}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}`},
		{"too many arguments", `{"jsonrpc":"2.0","id":1,"method":"echo","params":["a",1,2]}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 2"}}`},
		{"wrong argument", `{"jsonrpc":"2.0","id":1,"method":"echo","params":[5]}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal number into Go value of type string"}}`},
		{"named arguments", `{"jsonrpc":"2.0","id":1,"method":"echo","params":{"Text":"a"}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"non-array args"}}`},
		{"revert", `{"jsonrpc":"2.0","id":1,"method":"revert"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted: no","data":"0x08c379a0"}}`},
		{"problem", `{"jsonrpc":"2.0","id":1,"method":"problem"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"the queue is full","data":{"code":"BUSY","next":"retry in a second"}}}`},
		{"fault", `{"jsonrpc":"2.0","id":1,"method":"fault"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`},
		{"crash", `{"jsonrpc":"2.0","id":1,"method":"crash"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"method handler crashed"}}`},
		{"crash while a result is encoded", `[{"jsonrpc":"2.0","id":1,"method":"crashing result"},{"jsonrpc":"2.0","id":2,"method":"null"}]`,
			`[{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"method handler crashed"}},{"jsonrpc":"2.0","id":2,"result":null}]`},
		{"timeout", `{"jsonrpc":"2.0","id":1,"method":"wait"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"request timed out"}}`},
		{"no JSON", `{"jsonrpc":"2.0",}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"invalid character '}' at byte 17"}}`},
		{"cut off", `{"jsonrpc":"2.0"`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"unexpected end of JSON input"}}`},
		{"nothing", ``, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"unexpected end of JSON input"}}`},
		{"two values", `{"jsonrpc":"2.0","id":1,"method":"null"} 1`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"invalid character '1' at byte 41"}}`},
		{"deep", `{"jsonrpc":"2.0","id":1,"method":"null","params":` + deep + `}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"JSON is nested too deeply"}}`},
		{"huge number", `{"jsonrpc":"2.0","id":1,"method":"null","params":[1e99999999999]}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a JSON number has too many digits"}}`},
		{"large request", strings.Repeat(" ", 2001), `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"request too large, limit is 2000 bytes"}}`},
		{"large response", `{"jsonrpc":"2.0","id":1,"method":"echo","params":["abcd",200]}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"response too large"}}`},
		{"large response of a batch", `[{"jsonrpc":"2.0","id":1,"method":"echo","params":["abcd",120]},{"jsonrpc":"2.0","id":2,"method":"echo","params":["abcd",120]},{"jsonrpc":"2.0","id":3,"method":"null"}]`,
			`[{"jsonrpc":"2.0","id":1,"result":"` + strings.Repeat("abcd", 120) + `"},{"jsonrpc":"2.0","id":2,"error":{"code":-32003,"message":"response too large"}},{"jsonrpc":"2.0","id":3,"error":{"code":-32003,"message":"response too large"}}]`},
		{"no version", `{"id":1,"method":"null"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: jsonrpc must be \"2.0\""}}`},
		{"no method", `{"jsonrpc":"2.0","id":1,"method":3}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: method must be a string"}}`},
		{"object as id", `{"jsonrpc":"2.0","id":{},"method":"null"}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: id must be a string, a number or null of at most 256 characters"}}`},
		{"method twice", `{"jsonrpc":"2.0","id":1,"method":"null","method":"echo"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"invalid request: more than one method"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := serve(d, c.request); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if text := log.String(); !strings.Contains(text, "method=crash") || !strings.Contains(text, "testDispatcher") {
		t.Errorf("the log does not say where a method crashed:\n%s", text)
	} else if strings.Contains(text, "42") && strings.Contains(text, "secret") {
		t.Errorf("the log quotes inner text:\n%s", text)
	}
}

// settled is a result that notes what became of it.
type settled struct {
	Appender
	fates *[]bool
}

func (s settled) Settle(answered bool) { *s.fates = append(*s.fates, answered) }

// long is a result of so many characters.
type long int

func (n long) AppendJSON(dst []byte) []byte { return AppendString(dst, strings.Repeat("a", int(n))) }

// A result learns whether it came into the answer.
func TestSettle(t *testing.T) {
	d, _ := testDispatcher(Limits{ResponseBytes: 500}, nil)
	var fates []bool
	Handle(d, "long", func(_ context.Context, _ *caller.Caller, p *struct{ Length int }) (any, error) {
		if p.Length < 0 {
			return settled{crashing{}, &fates}, nil
		}
		return settled{long(p.Length), &fates}, nil
	})
	for _, c := range []struct {
		request string
		want    []bool
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"long","params":[3]}`, []bool{true}},
		{`{"jsonrpc":"2.0","method":"long","params":[3]}`, []bool{false}},
		{`{"jsonrpc":"2.0","id":1,"method":"long","params":[500]}`, []bool{false}},
		{`{"jsonrpc":"2.0","id":1,"method":"long","params":[-1]}`, []bool{false}},
		{`[{"jsonrpc":"2.0","id":1,"method":"long","params":[300]},{"jsonrpc":"2.0","id":1,"method":"long","params":[300]}]`, []bool{true, false}},
	} {
		fates = nil
		if serve(d, c.request); fmt.Sprint(fates) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.request, fates, c.want)
		}
	}
	// Nor did it come into the answer when there is no memory for that.
	d, _ = testDispatcher(Limits{Memory: smallMessage}, nil)
	Handle(d, "long", func(context.Context, *caller.Caller, *struct{}) (any, error) {
		return settled{long(smallMessage), &fates}, nil
	})
	fates = nil
	ctx := WithRoom(t.Context(), d.Room())
	if got := string(d.Serve(ctx, []byte(`{"jsonrpc":"2.0","id":1,"method":"long"}`), nil)); !strings.Contains(got, "try again in a moment") || fmt.Sprint(fates) != "[false]" {
		t.Errorf("without memory: %v, %.100s", fates, got)
	}
}

func TestGuardSeesEveryCall(t *testing.T) {
	var seen []string
	guard := func(_ context.Context, c *caller.Caller, method string, prepared any) error {
		seen = append(seen, c.String()+" "+method)
		if method == "echo" {
			return Errorf("not for %s", c)
		}
		return nil
	}
	d, _ := testDispatcher(Limits{}, guard)
	ctx := caller.With(context.Background(), &caller.Caller{Kind: "test", Subject: "me"})
	got := string(d.Serve(ctx, []byte(`[{"jsonrpc":"2.0","id":1,"method":"who"},{"jsonrpc":"2.0","id":2,"method":"echo","params":["x"]}]`), nil))
	want := `[{"jsonrpc":"2.0","id":1,"result":"test:me/test:me"},{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"not for test:me"}}]`
	if got != want {
		t.Errorf("got %s", got)
	}
	if fmt.Sprint(seen) != "[test:me who test:me echo]" {
		t.Errorf("the guard saw %v", seen)
	}
}

// What calls of a batch put off is waited for before a call of another method and
// before the answer; outside of a batch at once. It may crash.
func TestLater(t *testing.T) {
	var order []string
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	Handle(d, "send", func(ctx context.Context, _ *caller.Caller, p *struct{ Name string }) (any, error) {
		order = append(order, p.Name)
		Later(ctx, func(context.Context) {
			order = append(order, "wait "+p.Name)
			if p.Name == "d" {
				panic("wait")
			}
		})
		return p.Name, nil
	})
	Handle(d, "read", func(context.Context, *caller.Caller, *struct{}) (any, error) {
		order = append(order, "read")
		return nil, nil
	})
	send := func(name string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"send","params":["` + name + `"]}`
	}
	const read = `{"jsonrpc":"2.0","id":1,"method":"read"}`
	for request, want := range map[string]string{
		send("a"): "[a wait a]",
		"[" + send("a") + "," + send("b") + "," + read + "," + send("c") + "]": "[a b wait a wait b read c wait c]",
		"[" + read + "," + send("d") + "]":                                     "[read d wait d]",
	} {
		order = nil
		if got := serve(d, request); strings.Contains(got, "error") || fmt.Sprint(order) != want {
			t.Errorf("%s: %v, want %s", got, order, want)
		}
	}
}

// A batch prepares its calls at the same time and makes them in order.
func TestBatchPreparesInParallelAndHandlesInOrder(t *testing.T) {
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	const n = 50
	var prepared atomic.Int64
	var order []int
	HandlePrepared(d, "add",
		func(_ context.Context, _ *caller.Caller, p *struct{ N int }) (int, error) {
			prepared.Add(1)
			if p.N == 13 {
				panic("prepare")
			}
			return p.N, nil
		},
		func(_ context.Context, _ *caller.Caller, n int) (any, error) {
			order = append(order, n)
			return prepared.Load(), nil
		})
	var request []string
	for i := range n {
		request = append(request, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"add","params":[%d]}`, i, i))
	}
	var responses []struct {
		ID     int
		Result int
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal([]byte(serve(d, "["+strings.Join(request, ",")+"]")), &responses); err != nil {
		t.Fatal(err)
	}
	for i, r := range responses {
		switch {
		case r.ID != i:
			t.Fatalf("response %d is to call %d", i, r.ID)
		case i == 13:
			if r.Error == nil || r.Error.Message != "method handler crashed" {
				t.Fatalf("crash in the preparing stage: %+v", r)
			}
		case r.Result != n:
			t.Fatalf("call %d was made when %d of %d were prepared", i, r.Result, n)
		}
	}
	for i := 1; i < len(order); i++ {
		if order[i] <= order[i-1] {
			t.Fatalf("order %v", order)
		}
	}
}

// What is refused says why, by name before namespace.
func TestRefusedMethods(t *testing.T) {
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	Handle(d, "a_there", func(context.Context, *caller.Caller, *struct{}) (any, error) { return 1, nil })
	d.Refuse("a_", "the namespace")
	d.Refuse("a_name", "the name")
	for method, want := range map[string]string{
		"a_there": `"result":1`,
		"a_name":  `"code":-32601,"message":"the method a_name does not exist/is not available: the name"`,
		"a_other": `does not exist/is not available: the namespace"`,
		"a":       `does not exist/is not available"`,
		"ab_name": `does not exist/is not available"`,
	} {
		if got := serve(d, `{"jsonrpc":"2.0","id":1,"method":"`+method+`"}`); !strings.Contains(got, want) {
			t.Errorf("%s: %s", method, got)
		}
	}
}

// More heavy calls than allowed never run at once, and a call that finds no
// place before its time ends says so.
func TestHeavyCallsAreBounded(t *testing.T) {
	d := New(Limits{HeavyCalls: 2}, nil, slog.New(slog.DiscardHandler))
	var running, most atomic.Int64
	gate := make(chan struct{})
	Handle(d, "burn", func(context.Context, *caller.Caller, *struct{}) (any, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-gate
		running.Add(-1)
		return nil, nil
	}, Heavy)
	Handle(d, "late", func(context.Context, *caller.Caller, *struct{}) (any, error) { return nil, nil }, Heavy, Within(time.Millisecond))
	few := NewPlaces(1)
	Handle(d, "other", func(context.Context, *caller.Caller, *struct{}) (any, error) {
		if got := serve(d, `{"jsonrpc":"2.0","id":1,"method":"another"}`); !strings.Contains(got, "request timed out") {
			t.Errorf("a second call where one may run: %s", got)
		}
		return 1, nil
	}, In(few))
	Handle(d, "another", func(context.Context, *caller.Caller, *struct{}) (any, error) { return 2, nil }, In(few), Within(time.Millisecond))
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() { serve(d, `{"jsonrpc":"2.0","id":1,"method":"burn"}`) })
	}
	for len(d.heavy) < 2 {
		runtime.Gosched() // until both hold a place
	}
	if got := serve(d, `{"jsonrpc":"2.0","id":1,"method":"late"}`); !strings.Contains(got, "request timed out") {
		t.Errorf("a call without a place: %s", got)
	}
	// Methods with places of their own do not wait for those.
	for range 2 { // the place is given back
		if got := serve(d, `{"jsonrpc":"2.0","id":1,"method":"other"}`); !strings.Contains(got, `"result":1`) {
			t.Errorf("a call with a place of its own: %s", got)
		}
	}
	close(gate)
	for range 6 {
		calls.Go(func() { serve(d, `{"jsonrpc":"2.0","id":1,"method":"burn"}`) })
	}
	calls.Wait()
	if most.Load() > 2 {
		t.Errorf("%d heavy calls ran at once", most.Load())
	}
}

func FuzzServe(f *testing.F) {
	d, _ := testDispatcher(Limits{BatchItems: 8, Depth: 8, NumberDigits: 20, ResponseBytes: 4096}, nil)
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"echo","params":["hi"]}`,
		`[{"jsonrpc":"2.0","id":"a","method":"who"},1,{"jsonrpc":"2.0","method":"crash"}]`,
		`{"jsonrpc":"2.0","id":1,"method":"echo","params":["\ud800\"",3]}`,
		`[[[[[[[[[[`, `{"a":{"b":[-0.0e+1,"\\"]}}`, "\xff", `"`, `{"":`, `[,]`, `{"id":1e5,"id":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		if bytes.Contains(request, []byte("wait")) || bytes.ContainsAny(request, "89") {
			return // waits on purpose, or repeats a text very often
		}
		response := d.Serve(context.Background(), request, nil)
		if len(response) > 0 && !json.Valid(response) {
			t.Fatalf("%q gives %q, which is no JSON", request, response)
		}
		if !json.Valid(request) && len(response) == 0 {
			t.Fatalf("%q is no JSON and was not refused", request)
		}
		if json.Valid(request) && bytes.Contains(response, []byte(`"code":-32700`)) &&
			!bytes.Contains(response, []byte("nested")) && !bytes.Contains(response, []byte("digits")) {
			t.Fatalf("%q is JSON and was refused as none: %s", request, response)
		}
	})
}

// The calls of a batch share one wall time: what has not begun at its end is
// answered with a timeout.
func TestBatchTime(t *testing.T) {
	d := New(Limits{CallTime: 5 * time.Millisecond}, nil, slog.New(slog.DiscardHandler))
	var made atomic.Int64
	Handle(d, "wait", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		made.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}, Within(time.Hour))
	got := serve(d, `[{"jsonrpc":"2.0","id":1,"method":"wait"},{"jsonrpc":"2.0","id":2,"method":"wait"}]`)
	if strings.Count(got, `"code":-32002,"message":"request timed out"`) != 2 || made.Load() != 1 {
		t.Errorf("%d calls were made: %s", made.Load(), got)
	}
}
