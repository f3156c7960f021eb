package workspace

import (
	"context"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

var errRole = problem.New("ROLE_UNKNOWN", "the application has no such role", "use one of the application's roles")

// Assignments lists who has which role in an application; roleID 0: all roles.
func (p *Person) Assignments(ctx context.Context, applicationID, roleID int, page Page) (List[offchain.Assignment], error) {
	if _, err := p.see(ctx, applicationID); err != nil {
		return List[offchain.Assignment]{}, err
	}
	return listed(p.w.Store.Assignments(ctx, applicationID, roleID, offchain.Page(page.bounded())))
}

// Assignment is one of them, with the person.
func (p *Person) Assignment(ctx context.Context, applicationID, id int) (*offchain.Assignment, error) {
	if _, err := p.see(ctx, applicationID); err != nil {
		return nil, err
	}
	a, err := p.w.Store.Assignment(ctx, id)
	if err != nil {
		return nil, hidden(err)
	}
	if a.ApplicationID != applicationID {
		return nil, ErrNotFound
	}
	whole := *a
	whole.Person, err = p.w.person(ctx, a.PersonID)
	return &whole, err
}

// Assign gives somebody a role and gives the assignment's id.
func (p *Person) Assign(ctx context.Context, applicationID, userID, roleID int) (int, error) {
	if err := p.mayAssign(ctx, applicationID, userID, roleID); err != nil {
		return 0, err
	}
	a, err := p.w.do(ctx, &offchain.RoleAssigned{PersonID: userID, RoleID: roleID, By: p.ID})
	return a.ID, err
}

// Reassign makes an assignment one to another person or role.
func (p *Person) Reassign(ctx context.Context, applicationID, id, userID, roleID int) (int, error) {
	if err := p.mayAssign(ctx, applicationID, userID, roleID); err != nil {
		return 0, err
	}
	if _, err := p.Assignment(ctx, applicationID, id); err != nil {
		return 0, err
	}
	_, err := p.w.do(ctx, &offchain.RoleChanged{ID: id, PersonID: userID, RoleID: roleID, By: p.ID})
	return id, err
}

// Unassign takes a role away. It counts from the next request on.
func (p *Person) Unassign(ctx context.Context, applicationID, id int) error {
	if _, err := p.Assignment(ctx, applicationID, id); err != nil {
		return err
	}
	if err := p.mustAdminister(); err != nil {
		return err
	}
	_, err := p.w.do(ctx, &offchain.RoleRemoved{ID: id, By: p.ID})
	return err
}

// mayAssign checks that the person administers, and that person and role exist.
func (p *Person) mayAssign(ctx context.Context, applicationID, userID, roleID int) error {
	app, err := p.see(ctx, applicationID)
	if err != nil {
		return err
	}
	if err := p.mustAdminister(); err != nil {
		return err
	}
	if !slices.ContainsFunc(app.Roles, func(r offchain.Role) bool { return r.ID == roleID }) {
		return errRole
	}
	if _, err := p.w.person(ctx, userID); err != nil {
		return problem.New("USER_UNKNOWN", "there is no such person", "add the person first").From(err)
	}
	return nil
}
