package page

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)

func set(t testing.TB) *Set {
	t.Helper()
	s, err := New(func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draw(t testing.TB, s *Set, language, name string, p Page) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/design", nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	if err := s.Draw(w, r, http.StatusOK, name, p); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

// Every page in every condition and language is drawn, with nothing hostile alive
// in it and nothing that the policy forbids.
func TestSamples(t *testing.T) {
	s := set(t)
	pages := map[string]func() (string, Page){"design": func() (string, Page) { return "design", NewDesign(now) }}
	for _, name := range Samples {
		for _, kind := range Kinds {
			pages[name+" "+kind] = func() (string, Page) { return name, Sample(name, kind, now) }
		}
	}
	inline := regexp.MustCompile(`(?i)<script(?: type="module" src="[^"]*")?>[^<]|<style|\sstyle=|\son[a-z]+=|href="javascript:`)
	for title, make := range pages {
		for _, l := range Languages {
			t.Run(title+" "+l.Tag, func(t *testing.T) {
				name, p := make()
				html := draw(t, s, l.Tag, name, p)
				// Attribute values and texts are escaped: what is left are the page's own tags.
				if m := inline.FindString(strings.ReplaceAll(html, "&lt;", "")); m != "" && !strings.Contains(m, "&#34;") {
					if i := strings.Index(html, m); i >= 0 && !strings.Contains(html[max(0, i-300):i], "&lt;img") {
						t.Errorf("inline: %q in …%s…", m, html[max(0, i-80):min(len(html), i+80)])
					}
				}
				for _, bad := range []string{"<script>alert", "<img src=x", "ZgotmplZ", "%!", "<no value>"} {
					if strings.Contains(html, bad) {
						t.Errorf("the page contains %q", bad)
					}
				}
				if n := strings.Count(html, "<h1"); n < 1 {
					t.Error("no first heading")
				}
				ids := map[string]bool{}
				if name != "design" {
					for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
						if ids[m[1]] {
							t.Errorf("the id %q stands twice", m[1])
						}
						ids[m[1]] = true
					}
				}
			})
		}
	}
}
