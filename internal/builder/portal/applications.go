package portal

import (
	"fmt"
	"strconv"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// applications shows the latest version of each application that the person sees;
// earlier versions are in its history.
func applications(x *visit) error {
	q := x.r.URL.Query()
	v := &page.Applications{Frame: x.frame(x.T("applications"), "applications"), Search: q.Get("search"), Archived: q.Get("archived") != "" && x.person.Administrator}
	v.Frame.Events = "/events"
	part := x.part()
	list, err := x.person.Applications(x.ctx(), workspace.ApplicationQuery{Page: part, Search: v.Search, Archived: v.Archived})
	if err != nil {
		return err
	}
	shown := shownVersions(list.Items)
	for i := range shown {
		a := &shown[i]
		t := page.Tile{URL: applicationURL(a.ID), Name: label(a.DisplayName, a.Name), Description: a.Description, Version: version(a), State: x.applicationTag(a),
			Added: a.CreatedAt, Members: applicationURL(a.ID) + "/members", Versions: applicationURL(a.ID) + "/versions"}
		if t.Roles, err = x.person.Roles(x.ctx(), a.ID); err != nil {
			return err
		}
		if x.person.Administrator {
			t.AddVersion = applicationURL(a.ID) + "/versions/new"
		}
		v.Tiles = append(v.Tiles, t)
	}
	v.Total = max(list.Total-len(list.Items)+len(shown), len(shown))
	v.Pager = x.pager(part, len(list.Items), list.Total, list.Next, false)
	return x.draw("applications", v)
}

// shownVersions leaves one of each application: the latest enabled version, else
// the latest.
func shownVersions(all []offchain.Application) []offchain.Application {
	best := map[string]int{}
	var out []offchain.Application
	for _, a := range all {
		i, seen := best[a.Name]
		switch {
		case !seen:
			best[a.Name] = len(out)
			out = append(out, a)
		case a.Enabled != out[i].Enabled && a.Enabled, a.Enabled == out[i].Enabled && a.Version > out[i].Version:
			out[i] = a
		}
	}
	return out
}

// application leads to the first workflow.
func application(x *visit) error {
	a, err := x.applicationOf()
	if err != nil {
		return err
	}
	if len(a.WorkflowIDs) == 0 {
		return x.redirect(applicationURL(a.ID) + "/versions")
	}
	return x.redirect(workflowURL(a.ID, a.WorkflowIDs[0]))
}

// crumbs lead to an application.
func (x *visit) crumbs(a *offchain.Application) []page.Link {
	c := []page.Link{{Text: x.T("applications"), URL: "/applications"}}
	if a != nil {
		c = append(c, page.Link{Text: label(a.DisplayName, a.Name), URL: applicationURL(a.ID)})
	}
	return c
}

// versions shows all versions of an application, newest first.
func versions(x *visit) error {
	a, err := x.applicationOf()
	if err != nil {
		return err
	}
	all, err := x.person.Versions(x.ctx(), a.ID)
	if err != nil {
		return err
	}
	name := label(a.DisplayName, a.Name)
	v := &page.Versions{Frame: x.frame(x.T("versions.title", "name", name), "applications", x.crumbs(a)...), Application: name}
	v.Frame.Events = "/events"
	if x.person.Administrator {
		v.AddVersion = applicationURL(a.ID) + "/versions/new"
	}
	for i := range all {
		row := &all[i]
		r := page.Version{ID: row.ID, URL: applicationURL(row.ID), Version: version(row), Latest: row.Latest, State: x.applicationTag(row), By: x.face(row.CreatedBy), At: row.CreatedAt}
		if x.person.Administrator {
			r.Forms = x.turns(row)
		}
		v.Rows = append(v.Rows, r)
	}
	return x.draw("versions", v)
}

// turns are what an administrator can do with a version.
func (x *visit) turns(a *offchain.Application) []page.Button {
	about := x.T("version", "v", version(a))
	button := func(to, key string) page.Button {
		return page.Button{Action: fmt.Sprintf("%s/turn/%s", applicationURL(a.ID), to), Text: x.T(key), About: about}
	}
	switch {
	case a.Archived:
		return []page.Button{button("restored", "versions.restore")}
	case a.Enabled:
		return []page.Button{button("disabled", "versions.disable"), button("archived", "versions.archive")}
	case !a.Coded:
		return []page.Button{button("archived", "versions.archive")}
	}
	return []page.Button{button("enabled", "versions.enable"), button("archived", "versions.archive")}
}

// turn enables, disables, archives or restores a version.
func turn(x *visit) error {
	id, err := x.id("app")
	if err != nil {
		return err
	}
	to := x.r.PathValue("to")
	switch to {
	case "enabled", "disabled":
		err = x.person.SetEnabled(x.ctx(), id, to == "enabled")
	case "archived", "restored":
		err = x.person.Archive(x.ctx(), id, to == "archived")
	default:
		err = workspace.ErrNotFound
	}
	if err != nil {
		return err
	}
	return x.redirect("/applications/" + strconv.Itoa(id) + "/versions?done=" + to)
}
