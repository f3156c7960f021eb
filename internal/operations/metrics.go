package operations

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// figure is one family of metrics that is read from a status.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s *Status, say func(value float64, labels ...string))
}

func gauge(name, help string, read func(s *Status) float64) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, func(s *Status, say func(float64, ...string)) { say(read(s)) }}
}

func counter(name, help string, read func(s *Status) uint64) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, func(s *Status, say func(float64, ...string)) { say(float64(read(s))) }}
}

func labelled(kind prometheus.ValueType, name, help, label string, read func(s *Status, say func(value float64, labels ...string))) figure {
	return figure{prometheus.NewDesc(name, help, []string{label}, nil), kind, read}
}

// peers reads something of every other node that is not retired.
func peers(kind prometheus.ValueType, name, help string, read func(p *Peer) float64) figure {
	return labelled(kind, name, help, "node", func(s *Status, say func(float64, ...string)) {
		for i := range s.Nodes {
			if p := &s.Nodes[i]; !p.Self && p.State != StateRetired {
				say(read(p), strconv.FormatUint(p.RaftID, 10))
			}
		}
	})
}

// figures are documented in docs/reference/operations.md; a test compares.
var figures = []figure{
	{prometheus.NewDesc("coco_info", "What runs; always 1.", []string{"version", "platform", "format"}, nil), prometheus.GaugeValue,
		func(s *Status, say func(float64, ...string)) {
			say(1, s.Version, s.Platform, strconv.FormatUint(s.Format, 10))
		}},
	gauge("coco_uptime_seconds", "Time since this process began.", func(s *Status) float64 { return s.Uptime }),
	gauge("coco_node_id", "Raft id of this process.", func(s *Status) float64 { return float64(s.RaftID) }),
	labelled(prometheus.GaugeValue, "coco_node_state", "1 for the state in which the node is.", "state", func(s *Status, say func(float64, ...string)) {
		for _, state := range []State{StatePending, StateLearner, StateVoter, StateRetired} {
			say(truth(s.State == state), string(state))
		}
	}),
	labelled(prometheus.GaugeValue, "coco_raft_role", "1 for the role that the node has.", "role", func(s *Status, say func(float64, ...string)) {
		for _, role := range []Role{RoleLeader, RoleFollower, RoleCandidate, RoleLearner, RoleNone} {
			say(truth(s.Role == role), string(role))
		}
	}),
	gauge("coco_raft_view", "Raft's term.", func(s *Status) float64 { return float64(s.View) }),
	gauge("coco_raft_leader", "Raft id of the leader that this node knows, 0 for none.", func(s *Status) float64 {
		if s.Leader == nil {
			return 0
		}
		return float64(s.Leader.RaftID)
	}),
	counter("coco_elections_total", "Views that began since the process did.", func(s *Status) uint64 { return s.Elections.Total }),
	counter("coco_recoveries_total", "How often the network was recovered.", func(s *Status) uint64 { return s.Recoveries }),

	gauge("coco_ledger_height", "Height of the last published block.", func(s *Status) float64 { return float64(s.Ledger.Height) }),
	gauge("coco_ledger_seqno", "Seqno of the last published record.", func(s *Status) float64 { return float64(s.Ledger.Seqno) }),
	gauge("coco_log_commit_index", "Index that is known to be committed.", func(s *Status) float64 { return float64(s.Ledger.Commit) }),
	gauge("coco_log_applied_index", "Index that was published here.", func(s *Status) float64 { return float64(s.Ledger.Applied) }),
	gauge("coco_log_durable_index", "Index that was synced here.", func(s *Status) float64 { return float64(s.Ledger.Durable) }),
	gauge("coco_log_last_index", "Last index of the log.", func(s *Status) float64 { return float64(s.Ledger.Last) }),
	gauge("coco_log_first_index", "First index of the log that is here.", func(s *Status) float64 { return float64(s.Ledger.First) }),
	gauge("coco_index_lag_blocks", "Blocks that the history index is behind.", func(s *Status) float64 {
		return float64(s.Ledger.Height - min(s.Ledger.Height, s.Ledger.Index))
	}),

	peers(prometheus.GaugeValue, "coco_peer_active", "1 if the node was heard within an election's time.", func(p *Peer) float64 { return truth(p.Active) }),
	peers(prometheus.GaugeValue, "coco_peer_match_index", "Last index that the node has, as the leader knows.", func(p *Peer) float64 { return float64(p.Match) }),
	peers(prometheus.GaugeValue, "coco_peer_lag_entries", "Entries that the node is behind the leader's commit.", func(p *Peer) float64 { return float64(p.Lag) }),
	peers(prometheus.GaugeValue, "coco_peer_heard_seconds", "Time since the node was heard; below 0: never.", func(p *Peer) float64 { return p.Heard }),
	peers(prometheus.GaugeValue, "coco_peer_rtt_seconds", "Time to the node and back.", func(p *Peer) float64 { return p.RTT }),
	peers(prometheus.GaugeValue, "coco_peer_clock_skew_seconds", "How far the node's clock is ahead of this one.", func(p *Peer) float64 { return p.Skew }),
	peers(prometheus.GaugeValue, "coco_peer_queue_messages", "Messages that wait to be sent to the node.", func(p *Peer) float64 { return float64(p.Queued) }),
	peers(prometheus.CounterValue, "coco_peer_dropped_messages_total", "Messages to the node that found no room.", func(p *Peer) float64 { return float64(p.Dropped) }),

	labelled(prometheus.CounterValue, "coco_transactions_total", "Transactions by what became of them here.", "stage", func(s *Status, say func(float64, ...string)) {
		say(float64(s.Counters.Submitted), "submitted")
		say(float64(s.Counters.Forwarded), "forwarded")
		say(float64(s.Counters.Committed), "committed")
		say(float64(s.Counters.Refused), "refused")
	}),
	counter("coco_blocks_total", "Blocks published.", func(s *Status) uint64 { return s.Counters.Blocks }),
	counter("coco_blocks_refused_total", "Blocks of other nodes that were refused.", func(s *Status) uint64 { return s.Counters.BlocksRefused }),
	counter("coco_messages_dropped_total", "Messages to and from other nodes that found no room.", func(s *Status) uint64 { return s.Counters.Dropped }),
	labelled(prometheus.GaugeValue, "coco_queue_length", "What waits, by queue.", "queue", func(s *Status, say func(float64, ...string)) {
		q := s.Queues
		say(float64(q.Requests), "requests")
		say(float64(q.Pool), "pool")
		say(float64(q.Forwarded), "forwarded")
		say(float64(q.InFlight), "in_flight")
		say(float64(q.Inbox), "inbox")
	}),

	gauge("coco_snapshot_height", "Height of the newest usable snapshot.", func(s *Status) float64 { return float64(s.Snapshot.Height) }),
	gauge("coco_snapshot_bytes", "Its size.", func(s *Status) float64 { return float64(s.Snapshot.Bytes) }),
	gauge("coco_snapshot_duration_seconds", "Time that taking it took.", func(s *Status) float64 { return s.Snapshot.Took }),
	gauge("coco_snapshot_pending_records", "Records committed since.", func(s *Status) float64 { return float64(s.Snapshot.Pending) }),
	labelled(prometheus.GaugeValue, "coco_catchup_done", "Progress of a node that is behind, in bytes or entries.", "stage", func(s *Status, say func(float64, ...string)) {
		if s.CatchUp != nil {
			say(float64(s.CatchUp.Done), s.CatchUp.Stage)
		}
	}),
	labelled(prometheus.GaugeValue, "coco_catchup_total", "What there is to fetch in that stage.", "stage", func(s *Status, say func(float64, ...string)) {
		if s.CatchUp != nil {
			say(float64(s.CatchUp.Total), s.CatchUp.Stage)
		}
	}),
	gauge("coco_disk_free_bytes", "Free on the data directory's file system.", func(s *Status) float64 { return float64(s.Disk.Free) }),
	gauge("coco_disk_size_bytes", "Size of that file system.", func(s *Status) float64 { return float64(s.Disk.Total) }),
	labelled(prometheus.GaugeValue, "coco_files_bytes", "Size of the node's files, by folder.", "folder", func(s *Status, say func(float64, ...string)) {
		say(float64(s.Disk.Ledger), "ledger")
		say(float64(s.Disk.Index), "index")
		say(float64(s.Disk.Past), "past")
	}),
	labelled(prometheus.GaugeValue, "coco_warning", "1 for each warning of the status.", "code", func(s *Status, say func(float64, ...string)) {
		said := map[string]bool{} // two peers may be worth the same
		for _, w := range s.Warnings {
			if !said[w.Code] {
				said[w.Code] = true
				say(1, w.Code)
			}
		}
	}),
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collector reads a node's status once for all figures of a scrape.
type collector struct{ node Node }

// Collector gives a node's status to Prometheus, read when it asks.
func Collector(n Node) prometheus.Collector { return collector{n} }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range figures {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := Read(c.node)
	for _, f := range figures {
		f.read(&s, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
		})
	}
}
