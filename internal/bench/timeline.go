package bench

import (
	"cmp"
	"slices"
	"time"
)

// timeline is what the writers had acknowledged, in the order of time.
type timeline []ack

func (w *writers) timeline() timeline {
	var all timeline
	for _, o := range w.list {
		o.mu.Lock()
		all = append(all, o.acks...)
		o.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b ack) int { return cmp.Compare(a.at, b.at) })
	return all
}

// Span is what was acknowledged in a span of time. Latencies are in milliseconds,
// from when a batch should have been sent to its acknowledgement.
type Span struct {
	Seconds            float64 `json:"seconds"`
	CommittedPerSecond float64 `json:"committedPerSecond"`
	P50                float64 `json:"p50"`
	P99                float64 `json:"p99"`
	Max                float64 `json:"max"`
}

// span gives the figures from one moment to another.
func (t timeline) span(from, to int64) Span {
	s := Span{Seconds: float64(to-from) / 1e9}
	n := 0
	var latencies []int64
	for _, a := range t {
		if a.at >= from && a.at < to {
			n += a.n
			latencies = append(latencies, a.at-a.due)
		}
	}
	s.CommittedPerSecond = rate(n, to-from)
	s.P50, _, s.P99, s.Max = percentiles(latencies)
	return s
}

// silence is the longest time without an acknowledgement that ended between two
// moments, or had not ended at the second.
func (t timeline) silence(from, to int64) time.Duration {
	var last, longest int64
	for _, a := range t {
		if a.at >= to {
			break
		}
		if a.at >= from {
			longest = max(longest, a.at-last)
		}
		last = a.at
	}
	return time.Duration(max(longest, to-last))
}

// moments are the ends of successful reads at one node.
type moments []int64

// gap is the longest time from one to the next between two moments.
func (m moments) gap(from, to int64) time.Duration {
	last, longest := from, int64(0)
	for _, at := range m {
		if at <= from {
			continue
		}
		if at >= to {
			break
		}
		longest, last = max(longest, at-last), at
	}
	return time.Duration(max(longest, to-last))
}

// waited is the longest time that a batch which was acknowledged between two
// moments had been due for.
func (t timeline) waited(from, to int64) time.Duration {
	var longest int64
	for _, a := range t {
		if a.at >= from && a.at < to {
			longest = max(longest, a.at-a.due)
		}
	}
	return time.Duration(longest)
}
