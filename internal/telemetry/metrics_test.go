package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMetrics(t *testing.T) {
	m := New()
	m.Answered("eth_call", "ok", time.Millisecond)
	m.Committed(2 * time.Second)
	m.Synced(300 * time.Microsecond)
	m.Block(3, 5000)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`coco_request_seconds_count{method="eth_call",outcome="ok"} 1`, `coco_commit_seconds_bucket{le="2.5"} 1`, `coco_commit_seconds_bucket{le="1"} 0`,
		`coco_log_sync_seconds_bucket{le="0.0005"} 1`, `coco_block_records_sum 3`, `coco_block_bytes_sum 5000`, `go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains(w.Body.String(), "\n"+line) {
			t.Errorf("no %s", line)
		}
	}
	var none *Metrics // measures nothing
	none.Answered("eth_call", "ok", 0)
	none.Committed(0)
	none.Synced(0)
	none.Block(0, 0)
}
