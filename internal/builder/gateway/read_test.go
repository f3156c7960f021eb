package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkReads is what Workbench's performance was measured by: a page of 50 of
// 442 contracts, and a contract with 19 actions. It leaves the network out.
func BenchmarkReads(b *testing.B) {
	w := newWorld(b)
	f := w.workflow("Purchase", "Purchase")
	busy := w.purchase("a lathe")
	for i := range 18 {
		w.number("initiator", post, fmt.Sprintf("/api/v2/contracts/%d/actions", busy), action(function(f, "ChangePrice"), "askingPrice", fmt.Sprint(i)))
	}
	last := 0
	for i := range 441 {
		last = w.number("initiator", post, fmt.Sprintf("/api/v2/contracts?workflowId=%d", f.ID), action(f.Constructor.ID, "machine", fmt.Sprint("machine ", i), "condition", "1", "askingPrice", "100"))
	}
	w.committed(busy)
	w.committed(last)
	for name, path := range map[string]string{
		"list": fmt.Sprintf("/api/v2/contracts?workflowId=%d&top=50&sortBy=Timestamp", f.ID),
		"page": fmt.Sprintf("/api/v2/contracts/%d", busy),
	} {
		for coding, header := range map[string]string{"plain": "", "gzip": "gzip"} {
			b.Run(name+"/"+coding, func(b *testing.B) {
				r := httptest.NewRequest(get, path, nil)
				r.Header.Set("Authorization", "Bearer "+w.tokens["member"])
				r.Header.Set("Accept-Encoding", header)
				b.ReportAllocs()
				for b.Loop() {
					answer := httptest.NewRecorder()
					if w.gateway.ServeHTTP(answer, r); answer.Code != http.StatusOK {
						b.Fatalf("%d %s", answer.Code, answer.Body)
					}
					b.SetBytes(int64(answer.Body.Len()))
				}
			})
		}
	}
}
