package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// install makes the named people known and uploads the sample applications, as the
// first administrator among them. What is there already stays as people made it:
// a sample is installed, and its roles given, once.
func install(ctx context.Context, w *workspace.Workspace, people []identity.Named) error {
	known := map[string]*workspace.Person{}
	var administrator *workspace.Person
	for _, n := range people {
		p, err := w.As(ctx, n.Claims())
		if err != nil {
			return err
		}
		if known[n.Name] = p; administrator == nil && n.Administrator {
			administrator = p
		}
	}
	if administrator == nil {
		return errors.New("the sample applications need an administrator among the named people")
	}
	for _, a := range sample.All {
		there, err := administrator.Applications(ctx, workspace.ApplicationQuery{Name: a.Name, Archived: true})
		if err != nil {
			return err
		}
		var id int
		if there.Total > 0 { // a start that was killed may have left it without members
			id = there.Items[0].ID
			members, err := administrator.Assignments(ctx, id, 0, workspace.Page{Top: 1})
			if err != nil {
				return err
			}
			if there.Total > 1 || there.Items[0].CreatedBy != administrator.ID || members.Total > 0 {
				continue
			}
		} else if id, err = deploy(ctx, administrator, a); err != nil {
			return err
		}
		app, err := administrator.Application(ctx, id)
		if err != nil {
			return err
		}
		for _, n := range people {
			for _, name := range n.Roles {
				i := slices.IndexFunc(app.Roles, func(r offchain.Role) bool { return a.Name+"/"+r.Name == name })
				if i < 0 {
					continue
				}
				if _, err := administrator.Assign(ctx, id, known[n.Name].ID, app.Roles[i].ID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func deploy(ctx context.Context, administrator *workspace.Person, a sample.Application) (int, error) {
	id, report, err := administrator.Deploy(ctx, a.ConfigurationName, a.Configuration, a.CodeName, a.Code)
	if err != nil {
		return 0, fmt.Errorf("the sample %s: %w %v", a.Name, err, report)
	}
	return id, nil
}
