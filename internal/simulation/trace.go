package simulation

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"time"
)

// trace notes what happens: all of it in a hash, the end of it as text.
type trace struct {
	hash hash.Hash64
	ring []string
	next int
}

func newTrace(keep int) *trace { return &trace{hash: fnv.New64a(), ring: make([]string, keep)} }

func (t *trace) note(at time.Duration, f string, args ...any) {
	line := fmt.Sprintf("%12.6f  ", at.Seconds()) + fmt.Sprintf(f, args...)
	_, _ = t.hash.Write([]byte(line)) // a hash takes everything
	t.ring[t.next%len(t.ring)] = line
	t.next++
}

// tail is the last lines, oldest first.
func (t *trace) tail() string {
	var b strings.Builder
	for i := max(0, t.next-len(t.ring)); i < t.next; i++ {
		b.WriteString(t.ring[i%len(t.ring)])
		b.WriteByte('\n')
	}
	return b.String()
}
