package identity

import (
	"sync"
	"time"
)

const (
	maxTokens  = 10_000          // checked tokens that are remembered
	rememberIt = 5 * time.Minute // for how long at most
)

// tokens remembers what checked tokens said, by their SHA-256. The zero value is
// ready.
type tokens struct {
	mu sync.Mutex
	by map[[32]byte]remembered
}

type remembered struct {
	claims *Claims
	until  time.Time
}

// find is what a token said, or nil.
func (t *tokens) find(digest [32]byte, now time.Time) *Claims {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.by[digest]
	if !ok {
		return nil
	}
	if !now.Before(r.until) {
		delete(t.by, digest)
		return nil
	}
	return r.claims
}

// keep remembers what a token said until its end, and not for long. A full
// memory forgets any one: it can be checked again.
func (t *tokens) keep(digest [32]byte, c *Claims, now, end time.Time) {
	if until := now.Add(rememberIt); until.Before(end) {
		end = until
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[[32]byte]remembered{}
	}
	for other := range t.by {
		if len(t.by) < maxTokens {
			break
		}
		delete(t.by, other)
	}
	t.by[digest] = remembered{c, end}
}
