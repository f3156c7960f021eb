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

// inert fails for whatever a browser would run or the policy forbids: inline
// scripts and styles, handlers, addresses of scripts, elements of no template.
func inert(t *testing.T, page string) {
	t.Helper()
	for _, tag := range tags.FindAllStringSubmatch(page, -1) {
		named := map[string]string{}
		for _, a := range attributes.FindAllStringSubmatch(tag[2], -1) {
			name, value := strings.ToLower(a[1]), a[2]
			named[name] = value
			if strings.HasPrefix(name, "on") || name == "style" || name == "srcdoc" ||
				(name == "href" || name == "src" || name == "action") && strings.Contains(strings.ToLower(value), "script:") {
				t.Errorf("the page has %s", tag[0])
			}
		}
		switch strings.ToLower(tag[1]) {
		case "script":
			if !strings.HasPrefix(named["src"], "/assets/") {
				t.Errorf("the page has %s", tag[0])
			}
		case "style", "img", "iframe", "object", "embed", "base":
			t.Errorf("the page has %s", tag[0])
		}
	}
}

// Values cannot write tags: html/template escapes angle brackets and quotes.
var (
	tags       = regexp.MustCompile(`<([a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>]*)?)>`)
	attributes = regexp.MustCompile(`([a-zA-Z-]+)(?:="([^"]*)")?`)
)

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
	for title, make := range pages {
		for _, l := range Languages {
			t.Run(title+" "+l.Tag, func(t *testing.T) {
				name, p := make()
				text := draw(t, s, l.Tag, name, p)
				inert(t, text)
				for _, bad := range []string{"<script>alert", "<img src=x", "ZgotmplZ", "%!", "<no value>"} {
					if strings.Contains(text, bad) {
						t.Errorf("the page contains %q", bad)
					}
				}
				if n := strings.Count(text, "<h1"); n < 1 {
					t.Error("no first heading")
				}
				ids := map[string]bool{}
				if name != "design" {
					for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(text, -1) {
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
