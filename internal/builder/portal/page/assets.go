package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets
var assetFiles embed.FS

// sheets are the parts of app.css, in their order.
var sheets = []string{"font.css", "tokens.css", "base.css", "layout.css", "components.css", "data.css"}

// types of the files that are served.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

// asset is a file as it is sent, with its entity tag.
type asset struct {
	kind, tag    string
	plain, small []byte // small is gzip; nil when it is not smaller
}

type assets struct{ files map[string]*asset }

// bundle reads the files and joins the style sheets into app.css.
func bundle() (*assets, error) {
	a := &assets{files: map[string]*asset{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".css" || types[path.Ext(e.Name())] == "" {
			continue
		}
		data, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		a.add(e.Name(), data)
	}
	var css bytes.Buffer
	for _, name := range sheets {
		data, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		css.Write(data)
	}
	a.add("app.css", css.Bytes())
	return a, nil
}

func (a *assets) add(name string, data []byte) {
	sum := sha256.Sum256(data)
	file := &asset{kind: types[path.Ext(name)], tag: hex.EncodeToString(sum[:8]), plain: data}
	if path.Ext(name) != ".woff2" {
		if z := squeeze(data, gzip.BestCompression); len(z) < len(data) {
			file.small = z
		}
	}
	a.files[name] = file
}

// url is an asset's address, which changes with its content.
func (a *assets) url(name string) string {
	f := a.files[name]
	if f == nil {
		return "/assets/" + name
	}
	return "/assets/" + name + "?v=" + f.tag
}

// Assets serves the files under /assets/.
func (s *Set) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.assets.files[strings.TrimPrefix(r.URL.Path, "/assets/")]
		if f == nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		Protect(h)
		h.Set("Content-Type", f.kind)
		h.Set("ETag", `"`+f.tag+`"`)
		h.Set("Vary", "Accept-Encoding")
		if r.URL.Query().Get("v") == f.tag {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := f.plain
		if f.small != nil && takesGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = f.small
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			w.Write(body)
		}
	})
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0"
		}
	}
	return false
}

var writers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

func squeeze(data []byte, level int) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return data
	}
	z.Write(data)
	z.Close()
	return out.Bytes()
}

// send writes an answer, compressed when that is worth it and wanted.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	if len(body) > 1400 && takesGzip(r) {
		var out bytes.Buffer
		z := writers.Get().(*gzip.Writer)
		z.Reset(&out)
		z.Write(body)
		z.Close()
		writers.Put(z)
		w.Header().Set("Content-Encoding", "gzip")
		body = out.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}
