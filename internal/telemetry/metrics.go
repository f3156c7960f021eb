package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are one node's instruments. Its methods may be called from any
// goroutine and on nil, which measures nothing.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	commits  prometheus.Histogram
	syncs    prometheus.Histogram
	records  prometheus.Histogram
	bytes    prometheus.Histogram
}

// Buckets of durations, in seconds: from what memory does to what a client waits
// for an election.
var durations = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// New makes a node's instruments, with those of the Go runtime and the process.
func New() *Metrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "coco_request_seconds",
			Help: "Time to answer JSON-RPC calls, by method and outcome.", Buckets: durations}, []string{"method", "outcome"}),
		commits: histogram("coco_commit_seconds", "Time from the execution of a block's first transaction to its commit, at the primary.", durations),
		syncs:   histogram("coco_log_sync_seconds", "Time to make the log durable.", durations),
		records: histogram("coco_block_records", "Records in blocks that this node executed.", prometheus.ExponentialBuckets(1, 4, 8)),
		bytes:   histogram("coco_block_bytes", "Sizes of blocks that this node executed.", prometheus.ExponentialBuckets(1024, 4, 8)),
	}
	m.registry.MustRegister(m.requests, m.commits, m.syncs, m.records, m.bytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds figures that are read when somebody asks.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// Handler answers what Prometheus asks, in its text format or OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true})
}

// Answered notes a JSON-RPC call. The method is a registered one: what a client
// made up must not become a label. The outcome is ok, refused or failed.
func (m *Metrics) Answered(method, outcome string, took time.Duration) {
	if m != nil {
		m.requests.WithLabelValues(method, outcome).Observe(took.Seconds())
	}
}

// Committed notes a block that was committed so long after its first transaction
// was about to be executed.
func (m *Metrics) Committed(took time.Duration) {
	if m != nil {
		m.commits.Observe(took.Seconds())
	}
}

// Synced notes a sync of the log.
func (m *Metrics) Synced(took time.Duration) {
	if m != nil {
		m.syncs.Observe(took.Seconds())
	}
}

// Block notes a published block with its size in bytes as it lies in the ledger.
func (m *Metrics) Block(records, bytes int) {
	if m != nil {
		m.records.Observe(float64(records))
		m.bytes.Observe(float64(bytes))
	}
}
