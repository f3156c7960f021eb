package page

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var places = regexp.MustCompile(`\{[a-z]+\}`)

// Every language has every text, with the same places in it; every key that is
// used has a text.
func TestCatalogue(t *testing.T) {
	all, err := readTexts()
	if err != nil {
		t.Fatal(err)
	}
	base := all[Languages[0].Tag]
	for _, l := range Languages[1:] {
		for key, text := range base {
			other, ok := all[l.Tag][key]
			if !ok {
				t.Errorf("%s lacks %s", l.Tag, key)
				continue
			}
			want, have := places.FindAllString(text.Other, -1), places.FindAllString(other.Other, -1)
			slices.Sort(want)
			slices.Sort(have)
			if !slices.Equal(want, have) {
				t.Errorf("%s: the places of %s are %v, not %v", l.Tag, key, have, want)
			}
		}
		for key := range all[l.Tag] {
			if _, ok := base[key]; !ok {
				t.Errorf("%s has %s, which nobody knows", l.Tag, key)
			}
		}
	}
	used := regexp.MustCompile(`(?:\bt|\.T)\(? ?"([a-z][A-Za-z0-9.]*[a-z0-9])"`)
	for _, glob := range []string{"templates/*.html", "*.go", "../*.go"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range used.FindAllSubmatch(source, -1) {
				if _, ok := base[string(m[1])]; !ok {
					t.Errorf("%s uses %s, which has no text", file, m[1])
				}
			}
		}
	}
}

// Every problem that has words in another language is one that coco has, and those of
// the rooms right behind the pages have words.
func TestProblems(t *testing.T) {
	table, err := os.ReadFile("../../../../docs/reference/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(table), -1) {
		rooms[m[1]] = m[2]
	}
	de, en := set(t).printers["de"], set(t).printers["en"]
	for code, said := range de.problems {
		if rooms[code] == "" {
			t.Errorf("%s is no code of coco", code)
		}
		for _, text := range said {
			if text != "" && !strings.ContainsAny(text[len(text)-1:], ".?") {
				t.Errorf("%s: %q is no sentence", code, text)
			}
		}
	}
	for code, room := range rooms {
		if _, ok := de.problems[code]; !ok && (strings.Contains(room, "builder/workspace") || room == "builder/portal") {
			t.Errorf("%s of %s has no words in German", code, room)
		}
	}
	for _, c := range []struct {
		p                *Printer
		code, what, lang string
	}{
		{en, "NOT_FOUND", "As it came.", ""}, {de, "NO_SUCH_CODE", "As it came.", "en"},
		{de, "ISSUER_DOWN", "Der Anmeldedienst antwortet nicht, daher ist nicht bekannt, wer Sie sind.", ""},
	} {
		if what, _, lang := c.p.Problem(c.code, "As it came.", ""); what != c.what || lang != c.lang {
			t.Errorf("%s in %s: %q %q", c.code, c.p.Lang, what, lang)
		}
	}
}

func TestPrinter(t *testing.T) {
	s := set(t)
	en, de := s.printers["en"], s.printers["de"]
	for _, c := range []struct{ have, want string }{
		{en.T("contracts.count", "n", 1), "1 contract"},
		{en.T("contracts.count", "n", 1234), "1,234 contracts"},
		{de.T("contracts.count", "n", 1234), "1.234 Verträge"},
		{en.T("contract.number", "id", 1234), "Contract 1234"},
		{en.T("no.such.key"), "no.such.key"},
		{en.T("field.wrong", "field", "{what}", "what", "{field}"), "{what}: {field}"},
		{en.Group("115792089237316195423570985008687907853269984665640564039457584007913129639935"), "115,792,089,237,316,195,423,570,985,008,687,907,853,269,984,665,640,564,039,457,584,007,913,129,639,935"},
		{en.Group("-1000"), "−1,000"},
		{en.Group("12a"), "12a"},
		{en.Ago(now.Add(-59*time.Second), now), "just now"},
		{en.Ago(now.Add(-2*time.Hour), now), "2 h ago"},
		{de.Ago(now.Add(-25*time.Hour), now), "vor 1 Tag"},
		{en.Ago(now.Add(-8*24*time.Hour), now), "14 Nov 2026, 23:30 UTC"},
		{initials("Anna Ortega"), "AO"}, {initials("  "), "?"}, {initials("Ω"), "Ω"}, {initials("meter-7"), "m7"},
		{short(sampleAddress), "0x7a250d…488d"},
	} {
		if c.have != c.want {
			t.Errorf("%q, not %q", c.have, c.want)
		}
	}
}

func TestLocal(t *testing.T) {
	for to, want := range map[string]string{
		"/contracts/1?a=b": "/contracts/1?a=b", "": "/x", "//evil.example": "/x", "https://evil.example/": "/x", `/\evil.example`: "/x",
		"javascript:alert(1)": "/x", "/a\r\nSet-Cookie: b": "/x", "contracts": "/x",
	} {
		if have := Local(to, "/x"); have != want {
			t.Errorf("%q: %s, not %s", to, have, want)
		}
	}
}

// The first page with its style, script and letters weighs at most 60 KB.
func TestWeight(t *testing.T) {
	s := set(t)
	total := 0
	for _, name := range []string{"app.css", "app.js", "icon.svg", "sans.woff2"} {
		r := httptest.NewRequest(http.MethodGet, "/assets/"+name, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		s.Assets().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", name, w.Code)
		}
		t.Logf("%s: %d bytes", name, w.Body.Len())
		total += w.Body.Len()
	}
	var page bytes.Buffer
	z := gzip.NewWriter(&page)
	z.Write([]byte(draw(t, s, "en", "applications", Sample("applications", "usual", now))))
	z.Close()
	if total += page.Len(); total > 60_000 {
		t.Errorf("the first page weighs %d bytes", total)
	}
	t.Logf("the first page weighs %d bytes, %d of them its own", total, page.Len())
}

// Colours stand in the tokens and nowhere else.
func TestTokens(t *testing.T) {
	colour := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\brgba?\(`)
	for _, name := range sheets {
		if name == "tokens.css" {
			continue
		}
		text, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if colour.MatchString(line) {
				t.Errorf("%s:%d: a colour outside of the tokens: %s", name, i+1, line)
			}
		}
	}
}
