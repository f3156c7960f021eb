package operations

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestProfile(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: Control(&fake{}, Options{})}
	go s.Serve(l)
	defer s.Close()
	c := Dial(dir)
	defer c.Close()
	for _, kind := range Profiles {
		var got bytes.Buffer
		if err := c.Profile(t.Context(), kind, 20*time.Millisecond, &got); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		z, err := gzip.NewReader(&got)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), map[string]string{"cpu": "cpu", "goroutine": "goroutine"}[kind]) || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", kind, len(text), err)
		}
	}
	for _, bad := range []string{"", "kind=trace", "kind=cpu", "kind=cpu&seconds=0", "kind=cpu&seconds=-1", "kind=cpu&seconds=NaN", "kind=cpu&seconds=1e300", "kind=cpu&seconds=301"} {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/profile?"+bad, nil))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	w := httptest.NewRecorder()
	Observe(&fake{}, nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/profile?kind=heap", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("where figures are read: %d", w.Code)
	}
}
