package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// collector is what a collector of OTLP received.
type collector struct {
	bodies chan []byte
	url    string
}

func newCollector(t *testing.T) *collector {
	c := &collector{bodies: make(chan []byte, 16)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		c.bodies <- body
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// TestTraceAcrossNodes follows one transaction through two processes: a backup
// with the client's request, and the leader that was given the link.
func TestTraceAcrossNodes(t *testing.T) {
	c := newCollector(t)
	failed := func(err error) { t.Error(err) }
	backup, err := NewTracer(Tracing{Endpoint: c.url, Ratio: 1, Version: "test", Failed: failed})
	if err != nil {
		t.Fatal(err)
	}
	leader, err := NewTracer(Tracing{Endpoint: c.url, Ratio: 0, Failed: failed})
	if err != nil {
		t.Fatal(err)
	}
	request := backup.Begin("", Request, Method("eth_sendRawTransaction"), Node(2))
	forward := backup.Begin(request.Link(), Forward, Records(1))
	wire := string(forward.Link())
	now := time.Now()
	leader.Record(ParseLink(wire), Execute, now.Add(-time.Millisecond), now, Node(1), View(3), Seqno(17))
	secret := errors.New("0xdeadbeef of 0xcafe was refused")
	forward.End(problem.New("NONCE_USED", "the nonce 7 of 0xcafe is used", "take another").From(secret))
	request.Set(Height(9), Records(1), Code("NONCE_USED"))
	request.End(nil)
	for _, tracer := range []*Tracer{backup, leader} {
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(c.bodies)
	parents, traces := map[string]string{}, map[string]bool{}
	ids := map[string]string{}
	for body := range c.bodies {
		if strings.Contains(string(body), "0x") || strings.Contains(string(body), "nonce") {
			t.Errorf("the error's text left the process: %s", body)
		}
		var m otlpRequest
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		for _, s := range m.ResourceSpans[0].ScopeSpans[0].Spans {
			parents[s.Name], ids[s.SpanID] = s.Parent, s.Name
			traces[s.TraceID] = true
			for _, a := range s.Attributes {
				if !slices.Contains(Allowed, a.Key) {
					t.Errorf("%s has the attribute %s", s.Name, a.Key)
				}
			}
			if s.Name == string(Forward) && (s.Status == nil || s.Status.Code != statusError) {
				t.Error("the forwarding that failed is not marked")
			}
		}
	}
	if len(traces) != 1 || len(parents) != 3 {
		t.Errorf("%d traces with the spans %v", len(traces), parents)
	}
	if ids[parents["coco.execute"]] != "coco.forward" || ids[parents["coco.forward"]] != "coco.request" || parents["coco.request"] != "" {
		t.Errorf("the spans' parents are %v", parents)
	}
}

// TestAttributesAreListed reads this package's source: every key that a function
// makes is in Allowed, and the document names it.
func TestAttributesAreListed(t *testing.T) {
	source, err := os.ReadFile("attribute.go")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/reference/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	made := []Attribute{Node(1), View(1), Seqno(1), Height(1), Records(1), Method("m"), Code("C")}
	if functions := strings.Count(string(source), ") Attribute {"); functions != len(made)+1 { // number
		t.Errorf("attribute.go makes attributes with %d functions, this test knows %d", functions-1, len(made))
	}
	for i, a := range made {
		if string(a.kv.Key) != Allowed[i] {
			t.Errorf("%s is not in its place among the allowed", a.kv.Key)
		}
		if !strings.Contains(string(document), "`"+string(a.kv.Key)+"`") {
			t.Errorf("docs/reference/operations.md does not explain %s", a.kv.Key)
		}
	}
	for _, name := range []Name{Request, Forward, Execute, Seal, Replicate, Publish} {
		if !strings.Contains(string(document), "`"+string(name)+"`") {
			t.Errorf("docs/reference/operations.md does not explain the span %s", name)
		}
	}
}

// TestNothingIsSent without an address, and nothing for a trace that nobody
// samples.
func TestNothingIsSent(t *testing.T) {
	none, err := NewTracer(Tracing{Ratio: 1})
	if none != nil || err != nil {
		t.Fatalf("a tracer without an endpoint: %v, %v", none, err)
	}
	s := none.Begin("", Request)
	s.Set(Node(1))
	s.End(errors.New("x"))
	none.Record(s.Link(), Execute, time.Now(), time.Now())
	if s.Link() != "" || none.Close(t.Context()) != nil {
		t.Error("nothing is something")
	}
	c := newCollector(t)
	quiet, err := NewTracer(Tracing{Endpoint: c.url, Ratio: 0})
	if err != nil {
		t.Fatal(err)
	}
	s = quiet.Begin("", Request)
	quiet.Record(s.Link(), Execute, time.Now(), time.Now())
	s.End(nil)
	if err := quiet.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-c.bodies:
		t.Errorf("sent: %s", body)
	default:
	}
}

// TestCollectorAway loses spans and says so, and nobody waits.
func TestCollectorAway(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer s.Close()
	said := make(chan error, 16)
	tracer, err := NewTracer(Tracing{Endpoint: s.URL, Ratio: 1, Failed: func(err error) { said <- err }})
	if err != nil {
		t.Fatal(err)
	}
	tracer.Begin("", Request).End(nil)
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-said; !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	for _, bad := range []string{"127.0.0.1:4318", "ftp://x", "http://", "http://user:secret@x", "::"} {
		if _, err := NewTracer(Tracing{Endpoint: bad}); !errors.Is(err, ErrEndpoint) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestLinks(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if l := ParseLink(good); l != good || !l.Sampled() {
		t.Error("a good one is refused")
	}
	for _, bad := range []string{"", "00", strings.ToUpper(good), "01" + good[2:], good + "-x", strings.Replace(good, "0af7651916cd43dd8448eb211c80319c", strings.Repeat("0", 32), 1),
		strings.Replace(good, "b7ad", "b7ag", 1), strings.Replace(good, "-b7ad", "_b7ad", 1), good[:54]} {
		if l := ParseLink(bad); l != "" {
			t.Errorf("%q is taken", bad)
		}
	}
	if From(With(t.Context(), good)) != good || From(With(context.Background(), "")) != "" {
		t.Error("a context loses its link")
	}
}

// FuzzLink: whatever a client sends names a span or nothing, and comes back as it was.
func FuzzLink(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff")
	f.Fuzz(func(t *testing.T, text string) {
		l := ParseLink(text)
		if l == "" {
			return
		}
		c, ok := l.context()
		if !ok || string(l) != text || linkOf(c)[:53] != l[:53] {
			t.Errorf("%q became %q", text, linkOf(c))
		}
	})
}
