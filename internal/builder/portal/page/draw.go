package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/builder/choice"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Set is all pages in all languages, ready to be drawn.
type Set struct {
	assets    *assets
	clock     func() time.Time
	printers  map[string]*Printer
	templates map[string]map[string]*template.Template // language, page
}

// New reads the templates and the catalogue. clock says how long ago things
// were; nil is time.Now.
func New(clock func() time.Time) (*Set, error) {
	if clock == nil {
		clock = time.Now
	}
	texts, err := readTexts()
	if err != nil {
		return nil, err
	}
	files, err := bundle()
	if err != nil {
		return nil, err
	}
	s := &Set{assets: files, clock: clock, printers: map[string]*Printer{}, templates: map[string]map[string]*template.Template{}}
	for _, l := range Languages {
		p := &Printer{Lang: l.Tag, texts: texts[l.Tag], base: texts[Languages[0].Tag]}
		if p.problems, err = readProblems(l.Tag); err != nil {
			return nil, err
		}
		s.printers[l.Tag] = p
		if s.templates[l.Tag], err = s.parse(p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parse makes one template a page: the shared ones (their names begin with _)
// and the page's own.
func (s *Set) parse(p *Printer) (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(s.functions(p)).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range names {
		t, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, file); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".html")] = t
	}
	return pages, nil
}

func (s *Set) functions(p *Printer) template.FuncMap {
	return template.FuncMap{
		"t": p.T, "has": p.Has, "num": p.Count, "group": p.Group, "date": p.Date, "exactly": p.Exactly,
		"ago":   func(t time.Time) string { return p.Ago(t, s.clock()) },
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"icon":  icon, "short": short, "initials": initials, "hue": hue,
		"asset": s.assets.url,
		"map":   pairsToMap,
		"arc":   func(percent int) string { return fmt.Sprintf("%.1f 100", float64(max(0, min(percent, 100)))) },
	}
}

// pairsToMap lets a template hand several values to another.
func pairsToMap(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("map wants pairs, not %d values", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// Printer says things in the language of a request.
func (s *Set) Printer(r *http.Request) *Printer { return s.printers[choice.LanguageOf(r)] }

// Now is the time by which pages say how long ago something was.
func (s *Set) Now() time.Time { return s.clock() }

// Draw answers a request with a page. Nothing is sent if drawing fails, so that
// nobody sees half a page.
func (s *Set) Draw(w http.ResponseWriter, r *http.Request, status int, name string, p Page) error {
	f := p.frame()
	f.Lang, f.Theme, f.Languages, f.Now = choice.LanguageOf(r), choice.ThemeOf(r), Languages, s.clock()
	if f.Path == "" {
		f.Path = r.URL.RequestURI()
	}
	t, ok := s.templates[f.Lang][name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "page", p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", f.Lang)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie, Accept-Encoding")
	Protect(h)
	return send(w, r, status, out.Bytes())
}

// Protect sets the headers that keep a page from being used by others.
func Protect(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
