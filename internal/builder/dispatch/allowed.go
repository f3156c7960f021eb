package dispatch

import (
	"context"
	"fmt"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// Rights says whether who asked for an action may still do it, by the newest state
// that was taken in. What refuses it is a problem, of which CONTRACT_BUSY passes by
// itself; any other error says that it is not known now.
type Rights interface {
	Allows(ctx context.Context, a offchain.Action) error
}

// allowed asks whether the person may still do what they asked for, and says what
// changed if not.
func (l *lane) allowed(ctx context.Context, p *offchain.Pending) error {
	if l.Rights == nil {
		return nil
	}
	err := l.Rights.Allows(ctx, p.Action)
	switch code := problem.CodeOf(err); {
	case err == nil:
		return nil
	case code == "CONTRACT_BUSY":
		return &blocked{}
	case code == "FORBIDDEN":
		return l.changed(code, "%s lost the role, or the part in the contract, that allows it", l.name(ctx, p.PersonID))
	case code == "APPLICATION_DISABLED":
		return l.changed(code, "this version of the application was made read only")
	case code == "ACTION_NOT_ALLOWED":
		return l.changed(code, "the contract's state was changed%s and does not allow it any more", l.last(ctx, p))
	default:
		return stored(err)
	}
}

// changed is why an action is not signed that was allowed when it was asked for.
func (l *lane) changed(code problem.Code, what string, args ...any) error {
	return problem.Newf(code, "look at the contract again: it shows what can be done now", "not sent: since this was asked for, "+what, args...)
}

func (l *lane) name(ctx context.Context, person int) string {
	who, err := l.Store.Person(ctx, person)
	if err != nil {
		return "the person"
	}
	if name := strings.TrimSpace(who.FirstName + " " + who.LastName); name != "" {
		return name
	}
	return who.ExternalID
}

// last says by what the contract's state changed.
func (l *lane) last(ctx context.Context, p *offchain.Pending) string {
	list, err := l.Store.Actions(ctx, p.ContractID, true, offchain.Page{Top: 20})
	if err != nil {
		return ""
	}
	for _, a := range list.Rows {
		if a.Status != offchain.StatusCommitted {
			continue
		}
		by := ""
		if a.PersonID != 0 {
			by = " of " + l.name(ctx, a.PersonID)
		}
		if a.FunctionName == "" {
			return ""
		}
		return fmt.Sprintf(" by %s%s", a.FunctionName, by)
	}
	return ""
}
