package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/problem"
)

// nobody accepts no token.
type nobody struct{ err error }

func (n nobody) Bearer(context.Context, string) (*identity.Claims, error) { return nil, n.err }

func edge(o Options) http.Handler {
	o.Issuer, o.Audience = "https://issuer.example", "coco"
	if o.Authenticator == nil {
		o.Authenticator = nobody{problem.New("TOKEN_FOREIGN", "the token is for others", "get another")}
	}
	return New(o)
}

func ask(t *testing.T, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if method != http.MethodOptions && method != http.MethodHead && w.Header().Get("Content-Encoding") == "" {
		answered(t, method, path, w.Code, w.Header(), w.Body.Bytes())
	}
	return w
}

func TestWithoutTokenNothingButThreeDocuments(t *testing.T) {
	h := edge(Options{})
	for i := range table {
		for _, path := range table[i].paths() {
			path = concrete(path)
			w := ask(t, h, table[i].method, path)
			want := http.StatusUnauthorized
			if table[i].who == anyone {
				want = http.StatusOK
			}
			if w.Code != want {
				t.Errorf("%s %s is %d, not %d", table[i].method, path, w.Code, want)
			}
			if want == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") != `Bearer realm="coco"` {
				t.Errorf("%s %s asks for %q", table[i].method, path, w.Header().Get("WWW-Authenticate"))
			}
		}
	}
}

// concrete puts numbers for a path's parameters.
func concrete(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "1"
		}
	}
	return strings.Join(parts, "/")
}

func TestRefusedTokensAreToldWhatIsExpected(t *testing.T) {
	w := ask(t, edge(Options{}), get, "/api/v2/users/me", "Authorization", "Bearer x")
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Header().Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("%d, %s", w.Code, w.Header())
	}
	for _, want := range []string{`"issuer":"https://issuer.example"`, `"audience":"coco"`, `"code":"TOKEN_FOREIGN"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is missing in %s", want, w.Body)
		}
	}
	down := edge(Options{Authenticator: nobody{problem.New("ISSUER_DOWN", "no answer", "wait")}})
	if w := ask(t, down, get, "/api/v1/users/me", "Authorization", "Bearer x"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("with the issuer down: %d", w.Code)
	}
	for _, header := range []string{"Basic x", "Bearer", "Bearer ", "x"} {
		if w := ask(t, down, get, "/api/v1/users/me", "Authorization", header); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", header, w.Code)
		}
	}
}

func TestFaultsAreNotTold(t *testing.T) {
	h := edge(Options{Authenticator: nobody{io.ErrUnexpectedEOF}})
	w := ask(t, h, get, "/api/v1/users/me", "Authorization", "Bearer x")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "EOF") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h = edge(Options{Authenticator: panics{}})
	if w := ask(t, h, get, "/api/v1/users/me", "Authorization", "Bearer x"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type panics struct{}

func (panics) Bearer(context.Context, string) (*identity.Claims, error) { panic("secret") }

func TestRevertedReadsSayWhy(t *testing.T) {
	h := edge(Options{Authenticator: nobody{errReverted.From(&ledger.Reverted{Reason: "not yours"})}})
	w := ask(t, h, get, "/api/v2/users/me", "Authorization", "Bearer x")
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"revertReason":"not yours"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := edge(Options{})
	for _, path := range []string{"/", "/api", "/api/v3/users", "/api/v1/nothing", "/api/v1/" + strings.Repeat("x/", 1000)} {
		if w := ask(t, h, get, path); w.Code != http.StatusNotFound {
			t.Errorf("%.40s is %d", path, w.Code)
		}
	}
	w := ask(t, h, post, "/api/health")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("%d %s", w.Code, w.Header())
	}
	for _, path := range []string{"/api/v1//health", "//api/v1/HEALTH/", "/API/Health"} {
		if w := ask(t, h, get, path); w.Code != http.StatusOK {
			t.Errorf("%s is %d", path, w.Code)
		}
	}
}

func TestOrigins(t *testing.T) {
	h := edge(Options{Origins: []string{"https://front.example"}})
	w := ask(t, h, http.MethodOptions, "/api/v1/contracts", "Origin", "https://front.example", "Access-Control-Request-Method", "POST")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "https://front.example" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, origin := range []string{"https://other.example", "null", ""} {
		w := ask(t, h, get, "/api/v1/contracts", "Origin", origin)
		if w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%q: %v", origin, w.Header())
		}
	}
	if w := ask(t, edge(Options{}), get, "/api/health", "Origin", "https://front.example"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("without configuration an origin is allowed")
	}
	if w := ask(t, h, get, "/api/health", "Origin", "https://front.example"); w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Error("cookies are allowed")
	}
}

func TestCompression(t *testing.T) {
	h := edge(Options{})
	plain := ask(t, h, get, "/api/openapi.json").Body.Bytes()
	for coding, want := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "br": false, "": false, "GZIP": true} {
		w := ask(t, h, get, "/api/openapi.json", "Accept-Encoding", coding)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed %v", coding, got)
			continue
		}
		body := io.Reader(w.Body)
		if want {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		if b, err := io.ReadAll(body); err != nil || !bytes.Equal(b, plain) {
			t.Errorf("%q: %v, %d bytes of %d", coding, err, len(b), len(plain))
		}
	}
}

// TestFoldedStatus is the table of statuses of both versions.
func TestFoldedStatus(t *testing.T) {
	for status, want := range []int{0, 1, 2, 0, 0, 1} {
		if folded(1, status) != want || folded(2, status) != status {
			t.Errorf("%d is %d and %d", status, folded(1, status), folded(2, status))
		}
	}
}

func TestBeside(t *testing.T) {
	h := New(Options{}).Beside(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, want := range map[string]int{
		"/api/v1//health": http.StatusOK, "//api/health": http.StatusOK, "/API/Health": http.StatusOK, "/api/x": http.StatusNotFound, "/api": http.StatusNotFound,
		"/": http.StatusTeapot, "/apix": http.StatusTeapot, "/applications/1": http.StatusTeapot,
	} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(get, path, nil)); w.Code != want {
			t.Errorf("%s is %d, not %d", path, w.Code, want)
		}
	}
}
