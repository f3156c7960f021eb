//go:build !race

package front

import (
	"testing"
	"time"
)

// A request costs no allocation here.
func TestAllocations(t *testing.T) {
	h := open(t, time.Minute)
	c := h.dial(t)
	text, buffer := []byte(post("/a", "1")), make([]byte, 4096)
	ask := func() {
		if _, err := c.Write(text); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n > 2 { // the session's: its fields and the body
		t.Errorf("%v allocations", n)
	}
}
