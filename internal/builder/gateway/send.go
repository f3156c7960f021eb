package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// patientFor is how long a client may take to accept an answer: who does not read
// would keep it in memory.
const patientFor = 2 * time.Minute

// leastGzip is the size from which an answer is worth compressing.
const leastGzip = 1400

var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// begin says that the answer is on its way, and by when it must be read.
func (c *call) begin() {
	c.started = true
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(patientFor)) // what cannot has its own end
}

// send sends an answer whole, compressed if the client takes that.
func (c *call) send(status int, kind string, body []byte) {
	c.begin()
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
