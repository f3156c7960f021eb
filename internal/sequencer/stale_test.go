package sequencer

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestBlockTimeIsNotThatOfARefusal: a block that was opened for a request which
// was refused does not wait for another request with the time of the first.
func TestBlockTimeIsNotThatOfARefusal(t *testing.T) {
	var later atomic.Int64
	f := start(t, func(c *Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	f.lead(t, 2)
	if err := f.submit(t, 3).Wait(t.Context()); err == nil {
		t.Fatal("the request is not refused")
	}
	f.work.Lock() // until the step that refused it is over
	later.Store(int64(time.Hour))
	f.work.Unlock()
	ticket := f.submit(t, 4)
	<-f.desk.arrived
	f.commit(t, 1)
	if err := ticket.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if behind := f.Clock().Sub(time.Unix(0, int64(f.told[0].Header.Time))); behind > 30*time.Minute {
		t.Fatalf("the block's time is %v behind the clock", behind)
	}
}
