package workspace

import (
	"context"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// Held lists the roles that somebody has in applications that the person sees.
func (p *Person) Held(ctx context.Context, userID int) ([]offchain.Assignment, error) {
	if _, err := p.w.person(ctx, userID); err != nil {
		return nil, hidden(err)
	}
	all, err := p.w.Store.AssignmentsOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	sees, err := p.holds(ctx)
	if err != nil {
		return nil, err
	}
	var held []offchain.Assignment
	for _, a := range all {
		if sees(a.ApplicationID) {
			held = append(held, a)
		}
	}
	return held, nil
}
