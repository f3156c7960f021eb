package transport

import (
	"strconv"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// BenchmarkMessages sends appends of one entry from one node to another over
// TLS on the loopback, at most a window of them on their way.
func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{200, 256 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			n := newNetwork(b)
			from, to := n.prepare(1), n.prepare(2)
			window := 64
			if size < 1<<10 {
				window = 512
			}
			arrived := make(chan struct{}, window)
			to.config.Deliver = func(*raftpb.Message) { arrived <- struct{}{} }
			n.start(from)
			n.start(to)
			messages := []*raftpb.Message{appends(1, 2, 1, size)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			on := 0
			for b.Loop() {
				if on == window {
					<-arrived
					on--
				}
				from.Send(messages)
				on++
			}
			for ; on > 0; on-- {
				<-arrived
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			if d := status(from, 2).Dropped; d > 0 {
				b.Fatalf("%d messages were dropped", d)
			}
		})
	}
}

// BenchmarkRoundTrip is the time of a small message and its answer.
func BenchmarkRoundTrip(b *testing.B) {
	n := newNetwork(b)
	from, to := n.prepare(1), n.prepare(2)
	arrived := make(chan struct{}, 1)
	from.config.Deliver = func(*raftpb.Message) { arrived <- struct{}{} }
	to.config.Deliver = func(*raftpb.Message) { to.Send([]*raftpb.Message{vote(2, 1, 1)}) }
	n.start(to)
	n.start(from)
	messages := []*raftpb.Message{vote(1, 2, 1)}
	b.ReportAllocs()
	for b.Loop() {
		from.Send(messages)
		<-arrived
	}
}
