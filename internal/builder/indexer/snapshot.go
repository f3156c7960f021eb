package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

const (
	atOnce    = 8        // blocks whose contracts are read at the same time
	callsEach = 512      // calls in one request
	blockText = 8 << 20  // bytes of values that one block may add; further ones keep their older value
	rangeText = 24 << 20 // bytes of values that one entry of several blocks may have
)

// snapshots reads the properties of every touched contract after its block, and
// then says which state each action led to.
func (p *plan) snapshots(ctx context.Context, driver ledger.Driver, log *slog.Logger) error {
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var kept atomic.Int64
	for i := range p.touched {
		if len(p.touched[i].targets) == 0 {
			continue
		}
		group.Go(func() error {
			sets, err := read(running, driver, &p.touched[i], log)
			p.facts.Blocks[i].Sets = sets
			if kept.Add(size(sets)) > rangeText && len(p.touched) > 1 && err == nil {
				err = errRange
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range p.touched {
		p.states(i, log)
	}
	return nil
}

// size is how much text sets hold, in bytes.
func size(sets []setFacts) int64 {
	n := 0
	for i := range sets {
		for _, v := range sets[i].Values {
			n += len(v.Value)
		}
	}
	return int64(n)
}

// read asks the getters of the contracts that one block touched.
func read(ctx context.Context, driver ledger.Driver, t *touches, log *slog.Logger) ([]setFacts, error) {
	var calls []ledger.Call
	for _, x := range t.targets {
		for _, data := range x.Binding.Reads() {
			calls = append(calls, ledger.Call{To: x.address, Data: data})
		}
	}
	results, err := answers(ctx, driver, t.ref, calls, log)
	if err != nil {
		return nil, err
	}
	sets, room := make([]setFacts, 0, len(t.targets)), blockText
	for _, x := range t.targets {
		n := len(x.Workflow.Properties)
		if len(results) < n {
			return nil, ledger.ErrAnswer.From(fmt.Errorf("%d answers are missing", n-len(results)))
		}
		set := setFacts{Contract: x.ref}
		for i, result := range results[:n] {
			text, err := "", result.Err
			if err == nil {
				text, err = x.Binding.DecodeRead(i, result.Data)
			}
			id := x.Workflow.Properties[i].ID
			if room -= len(text); err == nil && room < 0 {
				err = errBlockText
			}
			if err != nil {
				log.Warn("a property cannot be read; its older value stays", "contract", x.address, "block", t.ref.Number,
					"property", x.Workflow.Properties[i].Name, "why", err)
				set.Unread = append(set.Unread, id)
				continue
			}
			set.Values = append(set.Values, valueFacts{Property: id, Value: text})
		}
		results = results[n:]
		sets = append(sets, set)
	}
	return sets, nil
}

// answers runs the calls after a block. Where the node no longer keeps that
// state, it takes the newest: the values are then right for the present, and the
// contract's history has a gap, which is said.
func answers(ctx context.Context, driver ledger.Driver, at ledger.Ref, calls []ledger.Call, log *slog.Logger) ([]ledger.Result, error) {
	var all []ledger.Result
	for part := range slices.Chunk(calls, callsEach) {
		results, err := driver.Read(ctx, at, part)
		if errors.Is(err, ledger.ErrStateGone) {
			head, again := driver.Head(ctx)
			if again != nil {
				return nil, again
			}
			log.Warn("the node no longer keeps the state after a block; contracts are read as they are now", "block", at.Number, "now", head.Number)
			at = head
			results, err = driver.Read(ctx, at, part)
		}
		if err != nil {
			return nil, err
		}
		if len(results) != len(part) {
			return nil, ledger.ErrAnswer.From(fmt.Errorf("%d answers to %d calls", len(results), len(part)))
		}
		all = append(all, results...)
	}
	return all, nil
}

// states gives the actions of a block the state that their contract had after it.
func (p *plan) states(block int, log *slog.Logger) {
	b, t := &p.facts.Blocks[block], &p.touched[block]
	for i, x := range t.targets {
		before := x.state
		property := x.Workflow.StateProperty()
		if property == nil {
			x.state = x.Workflow.StartStateID
		} else {
			for _, v := range b.Sets[i].Values {
				if v.Property != property.ID {
					continue
				}
				x.state = 0
				if s := x.Workflow.StateOf(v.Value); s != nil {
					x.state = s.ID
				}
			}
		}
		if at := t.acts[x]; len(at) == 1 {
			x.unexpected(before, b.Transactions[at[0].transaction].Calls[at[0].call].Name, b.Number, log)
		}
	}
	for x, places := range t.acts {
		for _, at := range places {
			b.Transactions[at.transaction].Calls[at.call].State = x.state
		}
	}
}

// unexpected warns when an action led to a state that the configuration does not
// name. That is no error: NextStates is documentation (Workbench's own samples
// differ from it).
func (x *target) unexpected(before int, function string, block uint64, log *slog.Logger) {
	from, to := x.Workflow.State(before), x.Workflow.State(x.state)
	if from == nil || to == nil || function == "" {
		return
	}
	known := false
	for _, t := range from.Transitions {
		if t.Function == function {
			known = true
			if slices.Contains(t.NextStates, to.Name) {
				return
			}
		}
	}
	if known {
		log.Warn("an action led to a state that the configuration does not name for it", "contract", x.address, "block", block,
			"workflow", x.Workflow.Name, "function", function, "from", from.Name, "to", to.Name)
	}
}
