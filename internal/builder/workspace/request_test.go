package workspace_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// TestOneRequestIDAsksOnce sends requests again: the same is answered as the first
// time, even when it would now be refused; anything else is told apart.
func TestOneRequestIDAsksOnce(t *testing.T) {
	s := newStage(t)
	owner := s.people["owner"]
	in := purchase(s.f, "saw")
	in.RequestID = "one"
	first, err := owner.Create(s.ctx, in)
	s.Must(err)
	s.settled(first)
	price := workspace.Input{FunctionID: function(s.f, "ChangePrice"), Arguments: arguments("askingPrice", "70"), RequestID: "two"}
	changed, err := owner.Act(s.ctx, first, price)
	s.Must(err)
	s.settled(first)

	again := func(what string, want int, code string, ask func() (int, error)) {
		t.Helper()
		id, err := ask()
		if told(err) != code || err == nil && id != want {
			t.Errorf("%s: %d %v, not %d %q", what, id, err, want, code)
		}
	}
	create := func(change func(*workspace.Input)) func() (int, error) {
		in := purchase(s.f, "saw")
		in.RequestID = "one"
		change(&in)
		return func() (int, error) { return owner.Create(s.ctx, in) }
	}
	act := func(contract int, change func(*workspace.Input)) func() (int, error) {
		in := price
		change(&in)
		return func() (int, error) { return owner.Act(s.ctx, contract, in) }
	}
	for _, when := range []string{"", ", read only since"} {
		again("the same contract"+when, first, "", create(func(*workspace.Input) {}))
		again("without the constructor"+when, first, "", create(func(in *workspace.Input) { in.FunctionID = 0 }))
		again("with the usual connection"+when, first, "", create(func(in *workspace.Input) { in.ConnectionID, in.CodeID = s.Connection, s.code }))
		again("in another order"+when, first, "", create(func(in *workspace.Input) {
			in.Arguments = arguments("askingPrice", "0100", "condition", "0", "machine", "saw")
		}))
		again("another machine"+when, 0, "REQUEST_ID_USED", create(func(in *workspace.Input) { in.Arguments[0].Value = "drill" }))
		again("on another connection"+when, 0, "REQUEST_ID_USED", create(func(in *workspace.Input) { in.ConnectionID = 99 }))
		again("of another code"+when, 0, "REQUEST_ID_USED", create(func(in *workspace.Input) { in.CodeID = 99 }))
		again("values that are none"+when, 0, "VALUE_INTEGER", create(func(in *workspace.Input) { in.Arguments[2].Value = "x" }))
		again("the id of an action"+when, 0, "REQUEST_ID_USED", create(func(in *workspace.Input) { in.RequestID = "two" }))
		again("the same action"+when, changed, "", act(first, func(*workspace.Input) {}))
		again("another price"+when, 0, "REQUEST_ID_USED", act(first, func(in *workspace.Input) { in.Arguments = arguments("askingPrice", "71") }))
		again("another function"+when, 0, "REQUEST_ID_USED", act(first, func(in *workspace.Input) { in.FunctionID = function(s.f, "Withdraw") }))
		again("another contract"+when, 0, "REQUEST_ID_USED", act(s.contract, func(*workspace.Input) {}))
		again("the id of a contract"+when, 0, "REQUEST_ID_USED", act(first, func(in *workspace.Input) { in.RequestID = "one" }))
		s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, false))
	}
	again("too long an id", 0, "INPUT_INVALID", create(func(in *workspace.Input) { in.RequestID = strings.Repeat("x", 129) }))
	s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, true))
	seller := s.people["seller"]
	if id, err := seller.Create(s.ctx, in); err != nil || id == first {
		t.Errorf("another person's request id is another request: %d, %v", id, err)
	}
}

// TestTheSameRequestAtOnce sends a request many times at the same moment.
func TestTheSameRequestAtOnce(t *testing.T) {
	s := newStage(t)
	in := purchase(s.f, "saw")
	in.RequestID = "one"
	ids := make([]int, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			var err error
			if ids[i], err = s.people["owner"].Create(s.ctx, in); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("one request made %v", ids)
		}
	}
}
