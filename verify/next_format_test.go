//go:build nextformat

package verify

import (
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// raised is a network whose level is raised in block 4, record 7.
func raised(then func(*author)) func(*author) {
	return all(1, func(a *author) {
		a.block(false, false, raise(1))
		then(a)
	})
}

// behind is a candidate that does not read what was raised.
func behind(a *author) draft {
	return a.members(a.candidate(learner, func(n *format.NodeInfo) { n.Node.Reads = 0 }))
}

// TestNextFormat goes over to the test-only level, in which more is written.
func TestNextFormat(t *testing.T) {
	rememberVerdicts(t)
	for name, write := range map[string]func(*author){
		"raised": raised(func(a *author) {
			a.transactions(1, false) // was under way
			a.level = 1
			a.transactions(3, true)
			a.block(true, false, transaction(1), a.members(a.candidate(learner, nil)))
			a.block(false, false, a.members(a.as(4, retired)))
			a.elect(3)
			a.lead(2)
			a.transactions(1, false)
			a.recovery(5, nil)
			a.transactions(1, false)
		}),
		"the last that does not read it is gone": all(1, func(a *author) {
			a.block(false, false, behind(a), transaction(1))
			a.block(false, false, a.members(a.as(4, retired)), raise(1))
			a.level = 1
			a.transactions(1, false)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			write(a)
			if r := report(t, a, Options{Checkpoint: a.signedCheckpoint()}); r.Result != Valid || r.Format != 1 {
				t.Fatalf("%s %v", r.Result, r.Findings)
			}
			nodeAgrees(t, a)
		})
	}
	for name, c := range map[string]struct {
		write  func(*author)
		code   Code
		height uint64
	}{
		"not raised": {all(1, func(a *author) { a.level = 1; a.transactions(1, false) }), FormatLevel, 4},
		"records alone": {all(1, func(a *author) {
			a.level = 1
			a.wrong = func(h *format.Header) { h.Format = 0 }
			a.transactions(1, false)
		}), FormatLevel, 4},
		"in its own block": {all(1, func(a *author) { a.level = 1; a.block(false, false, raise(1)) }), FormatLevel, 4},
		"raised again":     {raised(drafts(raise(1))), FormatLevel, 5},
		"lowered":          {raised(drafts(raise(0))), FormatLevel, 5},
		"joins behind":     {raised(func(a *author) { a.block(false, false, behind(a)) }), FormatLevel, 5},
		"joins with it":    {all(1, func(a *author) { a.block(false, false, raise(1), behind(a)) }), FormatLevel, 4},
		"joins before it":  {all(1, func(a *author) { a.block(false, false, behind(a), raise(1)) }), FormatLevel, 4},
		"recovers behind":  {raised(func(a *author) { a.reads = 0; a.recovery(4, nil) }), FormatLevel, 5},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			c.write(a)
			isWrong(t, a, c.code, c.height)
		})
	}
}
