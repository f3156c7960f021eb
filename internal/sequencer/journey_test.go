package sequencer

import "testing"

// TestJourney follows a block: its moments are in order, and the request that
// carries a trace context has a leg, the other none.
func TestJourney(t *testing.T) {
	seen := make(chan *Journey, 4)
	f := start(t, func(c *Config) { c.Watch = func(j *Journey) { seen <- j } })
	f.lead(t, 2)
	ticket, err := f.Submit(&Request{Protocol: "counter", Bytes: []byte{2}, Trace: "00-trace"})
	if err != nil {
		t.Fatal(err)
	}
	<-f.desk.arrived
	f.commit(t, 1)
	if err := ticket.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.submit(t, 4)
	<-f.desk.arrived
	f.commit(t, 2)
	j := <-seen
	tx, _ := ticket.TxID()
	if j.View != 2 || j.Records != 1 || j.Bytes == 0 || len(j.Legs) != 1 || j.Legs[0].Trace != "00-trace" || j.Legs[0].Seqno != tx.Seqno {
		t.Errorf("%+v", j)
	}
	for i, pair := range [][2]int64{{j.Opened.UnixNano(), j.Legs[0].From.UnixNano()}, {j.Legs[0].From.UnixNano(), j.Legs[0].To.UnixNano()},
		{j.Legs[0].To.UnixNano(), j.Sealed.UnixNano()}, {j.Sealed.UnixNano(), j.Committed.UnixNano()}, {j.Committed.UnixNano(), j.Published.UnixNano()}} {
		if pair[0] > pair[1] || j.Opened.IsZero() {
			t.Errorf("moment %d is before the one it follows: %+v", i+1, j)
		}
	}
	if next := <-seen; len(next.Legs) != 0 || next.Height != j.Height+1 {
		t.Errorf("%+v", next)
	}
}
