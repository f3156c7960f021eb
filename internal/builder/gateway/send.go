package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// leastGzip is the size from which an answer is worth compressing.
const leastGzip = 1400

var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// send sends an answer whole, compressed if the client takes that.
func (c *call) send(status int, kind string, body []byte) {
	c.started = true
	h := c.w.Header()
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	if len(body) < leastGzip {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		c.w.WriteHeader(status)
		c.w.Write(body) // an error means that the client has left
		return
	}
	h.Add("Vary", "Accept-Encoding")
	if !takesGzip(c.r.Header.Get("Accept-Encoding")) || c.r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		c.w.WriteHeader(status)
		c.w.Write(body)
		return
	}
	h.Set("Content-Encoding", "gzip")
	c.w.WriteHeader(status)
	z := compressors.Get().(*gzip.Writer)
	z.Reset(c.w)
	z.Write(body)
	z.Close()
	compressors.Put(z)
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip, not with weight 0.
func takesGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
