package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// workflowOf reads the application and the workflow of a path.
func (x *visit) workflowOf() (*offchain.Application, *offchain.Workflow, error) {
	a, err := x.applicationOf()
	if err != nil {
		return nil, nil, err
	}
	id, err := x.id("workflow")
	if err != nil {
		return nil, nil, err
	}
	w, err := x.person.Workflow(x.ctx(), id)
	if err != nil {
		return nil, nil, err
	}
	if w.ApplicationID != a.ID {
		return nil, nil, workspace.ErrNotFound
	}
	return a, w, nil
}

// contracts is an application's page: the contracts of one of its workflows.
func contracts(x *visit) error {
	a, w, err := x.workflowOf()
	if err != nil {
		return err
	}
	name := label(a.DisplayName, a.Name)
	v := &page.Contracts{Frame: x.frame(name, "applications", x.crumbs(nil)...), Application: name, Description: a.Description, Version: version(a),
		VersionState: x.applicationTag(a), Versions: applicationURL(a.ID) + "/versions", MembersURL: applicationURL(a.ID) + "/members",
		About: w.Description, Customise: workflowURL(a.ID, w.ID) + "/columns"}
	v.Frame.Events = "/events?application=" + strconv.Itoa(a.ID)
	if err := x.above(v, a, w); err != nil {
		return err
	}
	part := x.part()
	query := workspace.ContractQuery{Page: part, WorkflowID: w.ID, Sort: x.r.URL.Query().Get("sort"), Search: strings.TrimSpace(x.r.URL.Query().Get("search"))}
	if err := x.filters(v, &query, a, w); err != nil {
		return err
	}
	list, err := x.person.Contracts(x.ctx(), query)
	if err != nil {
		return err
	}
	columns := x.chosen(w)
	v.Columns = x.heads(query.Sort)
	for _, p := range columns {
		kind := kindOf(&p.Type.Type, roleNames(a))
		v.Columns = append(v.Columns, page.Column{Text: label(p.DisplayName, p.Name), Number: kind == "int" || kind == "money", Wide: wide(kind)})
	}
	for i := range list.Items {
		v.Rows = append(v.Rows, x.row(&list.Items[i], a, w, columns))
	}
	v.Pager = x.pager(part, len(list.Items), list.Total, list.Next, list.Next && list.Total == offchain.CountLimit)
	return x.draw("contracts", v)
}

// above fills what stands above the table.
func (x *visit) above(v *page.Contracts, a *offchain.Application, w *offchain.Workflow) error {
	flows, err := x.person.Workflows(x.ctx(), a.ID, workspace.Page{Top: 100})
	if err != nil {
		return err
	}
	for _, f := range flows.Items {
		v.Workflows = append(v.Workflows, page.Tab{Text: label(f.DisplayName, f.Name), URL: workflowURL(a.ID, f.ID), Here: f.ID == w.ID})
	}
	if v.Members, v.MemberCount, err = x.facepile(a.ID); err != nil {
		return err
	}
	may, err := x.person.CanCreate(x.ctx(), w.ID)
	switch {
	case err != nil:
		return err
	case may:
		v.New = workflowURL(a.ID, w.ID) + "/new"
	case !a.Coded:
		v.ReadOnly = x.T("contracts.uncoded")
	case !a.Enabled && !a.Latest:
		v.ReadOnly = x.T("contracts.old")
		v.Newer, err = x.newer(a)
	case !a.Enabled:
		v.ReadOnly = x.T("contracts.disabled")
	case len(w.Initiators) == 0:
		v.NewHint = x.T("contracts.initiators.none")
	default:
		v.NewHint = x.T("contracts.initiators", "roles", strings.Join(w.Initiators, ", "))
	}
	return err
}

// newer is the latest version that can be used, as far as the person sees one.
func (x *visit) newer(a *offchain.Application) (*page.Link, error) {
	all, err := x.person.Versions(x.ctx(), a.ID)
	for i := range all {
		if all[i].Enabled {
			return &page.Link{Text: x.T("contracts.latest", "v", version(&all[i])), URL: applicationURL(all[i].ID)}, err
		}
	}
	return nil, err
}

const facesShown = 4

// facepile is some of an application's people, and how many there are.
func (x *visit) facepile(applicationID int) ([]page.Face, int, error) {
	list, err := x.person.Assignments(x.ctx(), applicationID, 0, workspace.Page{Top: 100})
	if err != nil {
		return nil, 0, err
	}
	var faces []page.Face
	seen := map[int]bool{}
	for _, a := range list.Items {
		if seen[a.PersonID] {
			continue
		}
		if seen[a.PersonID] = true; len(faces) < facesShown {
			faces = append(faces, x.face(a.PersonID))
		}
	}
	if list.Next {
		return faces, list.Total, nil
	}
	return faces, len(seen), nil
}

// wide is how wide a column of a kind of value is.
func wide(kind string) string {
	switch kind {
	case "int", "money":
		return "number"
	case "bool", "enum":
		return "word"
	case "time":
		return "date"
	case kindAddress:
		return "face"
	}
	return "text"
}

// filters reads the search and the filters of the query into the table's query,
// and shows them.
func (x *visit) filters(v *page.Contracts, q *workspace.ContractQuery, a *offchain.Application, w *offchain.Workflow) error {
	asked := x.r.URL.Query()
	v.Search, v.State, v.Sort = q.Search, asked.Get("state"), q.Sort
	v.States = []page.Option{{Text: x.T("contracts.state.all"), Chosen: v.State == ""}}
	for _, s := range w.States {
		v.States = append(v.States, page.Option{Value: s.Name, Text: label(s.DisplayName, s.Name), Chosen: s.Name == v.State})
	}
	if slices.ContainsFunc(w.States, func(s offchain.State) bool { return s.Name == v.State }) {
		q.State = v.State
	}
	connection := 0
	if all, err := x.person.Connections(x.ctx()); err == nil && len(all) > 0 {
		connection = all[0].ID
	}
	filtered := false
	for i := range w.Properties {
		p := &w.Properties[i]
		if p.Type.Name == "state" || p.Type.Name == "array" || p.Type.Name == "struct" {
			continue
		}
		key := "p" + strconv.Itoa(p.ID)
		given := strings.TrimSpace(asked.Get(key))
		f, err := x.control(a, connection, key, label(p.DisplayName, p.Name), "", &p.Type.Type, given)
		if err != nil {
			return err
		}
		f.Required, f.Bare = false, true
		if f.Kind == "yesno" || f.Kind == "radios" {
			f.Kind, f.Options = "select", append([]page.Option{{Text: "–", Chosen: given == ""}}, f.Options...)
		}
		if given != "" {
			if text, err := canonical(&p.Type.Type, roleNames(a), given); err != nil {
				f.Error, f.Lang = x.clause(err)
			} else {
				if q.Properties == nil {
					q.Properties = map[int]string{}
				}
				q.Properties[p.ID] = text
			}
			filtered = true
		}
		v.Filters = append(v.Filters, f)
	}
	v.FiltersOn = filtered
	if v.Filtered = filtered || q.Search != "" || q.State != ""; v.Filtered {
		v.Clear = workflowURL(a.ID, w.ID)
		if q.Sort != "" {
			v.Clear += "?sort=" + url.QueryEscape(q.Sort)
		}
	}
	return nil
}

// heads are the columns that always stand first, with links that sort.
func (x *visit) heads(sorted string) []page.Column {
	head := func(key, wide, by string, usual bool) page.Column {
		c := page.Column{Text: x.T(key), Wide: wide}
		if by == "" {
			return c
		}
		next := by
		switch {
		case sorted == by:
			c.Sorted, next = "ascending", "-"+by
		case sorted == "-"+by || sorted == "" && usual:
			c.Sorted, next = "descending", by
		}
		c.URL = x.with("sort", next, "skip", "")
		return c
	}
	return []page.Column{head("column.id", "id", "id", true), head("column.state", "state", "state", false), head("column.modifiedby", "face", "", false), head("column.modified", "when", "modified", false)}
}

func (x *visit) row(c *offchain.Contract, a *offchain.Application, w *offchain.Workflow, columns []*offchain.Property) page.Row {
	r := page.Row{ID: c.ID, URL: contractURL(c.ID), At: c.ModifiedAt, By: x.face(c.ModifiedBy)}
	if r.At.IsZero() {
		r.At = c.CreatedAt
	}
	if s := x.contractState(w, c); s != nil && c.Status == offchain.StatusCommitted {
		r.State = *s
	} else {
		tag := x.statusTag(c.Status)
		r.Status = &tag
	}
	for _, p := range columns {
		v := page.Value{Kind: "text"}
		if text, ok := c.Value(p.ID); ok {
			v = x.shown(&p.Type.Type, roleNames(a), w, c.ConnectionID, text)
		}
		r.Values = append(r.Values, page.Pair{Name: label(p.DisplayName, p.Name), Value: v})
	}
	return r
}

// chosenCookie remembers which columns of a workflow's table one wants.
func chosenCookie(workflowID int) string { return "coco-columns-" + strconv.Itoa(workflowID) }

// optional are the properties that can be columns: the state is one already.
func optional(w *offchain.Workflow) []*offchain.Property {
	var all []*offchain.Property
	for i := range w.Properties {
		if w.Properties[i].Type.Name != "state" {
			all = append(all, &w.Properties[i])
		}
	}
	return all
}

// chosen are the columns that one wants, in one's order; at first all.
func (x *visit) chosen(w *offchain.Workflow) []*offchain.Property {
	c, err := x.r.Cookie(chosenCookie(w.ID))
	if err != nil {
		return optional(w)
	}
	var out []*offchain.Property
	for _, s := range strings.Split(c.Value, ".") {
		id, _ := strconv.Atoi(s)
		if p := w.Property(id); p != nil && p.Type.Name != "state" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// columns is the form that chooses and orders the table's columns.
func columns(x *visit) error {
	a, w, err := x.workflowOf()
	if err != nil {
		return err
	}
	back := workflowURL(a.ID, w.ID)
	shown := x.chosen(w)
	order := slices.Clone(shown)
	for _, p := range optional(w) {
		if !slices.Contains(order, p) {
			order = append(order, p)
		}
	}
	if x.r.Method == http.MethodPost {
		if x.r.FormValue("reset") != "" {
			http.SetCookie(x.w, &http.Cookie{Name: chosenCookie(w.ID), Path: back, MaxAge: -1})
			return x.redirect(back)
		}
		order, shown = x.arranged(w)
		if x.r.FormValue("up") == "" && x.r.FormValue("down") == "" {
			ids := make([]string, 0, len(shown))
			for _, p := range shown {
				ids = append(ids, strconv.Itoa(p.ID))
			}
			http.SetCookie(x.w, &http.Cookie{Name: chosenCookie(w.ID), Value: strings.Join(ids, "."), Path: back, MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: x.r.TLS != nil, SameSite: http.SameSiteLaxMode})
			return x.redirect(back)
		}
	}
	v := &page.Columns{Frame: x.frame(x.T("columns.title"), "applications", append(x.crumbs(a), page.Link{Text: label(w.DisplayName, w.Name), URL: back})...), Action: x.r.URL.Path, Back: back}
	for i, p := range order {
		v.Items = append(v.Items, page.ColumnChoice{ID: strconv.Itoa(p.ID), Text: label(p.DisplayName, p.Name), Shown: slices.Contains(shown, p), First: i == 0, Last: i == len(order)-1})
	}
	return x.draw("columns", v)
}

// arranged reads the form: all columns in order, after a move, and those shown.
func (x *visit) arranged(w *offchain.Workflow) (order, shown []*offchain.Property) {
	want := map[string]bool{}
	for _, s := range x.r.Form["show"] {
		want[s] = true
	}
	for _, s := range x.r.Form["order"] {
		id, _ := strconv.Atoi(s)
		if p := w.Property(id); p != nil && p.Type.Name != "state" && !slices.Contains(order, p) {
			order = append(order, p)
		}
	}
	for _, p := range optional(w) {
		if !slices.Contains(order, p) {
			order = append(order, p)
		}
	}
	at := func(field string) int {
		return slices.IndexFunc(order, func(p *offchain.Property) bool { return strconv.Itoa(p.ID) == x.r.FormValue(field) })
	}
	if i := at("up"); i > 0 {
		order[i-1], order[i] = order[i], order[i-1]
	}
	if i := at("down"); i >= 0 && i < len(order)-1 {
		order[i+1], order[i] = order[i], order[i+1]
	}
	for _, p := range order {
		if want[strconv.Itoa(p.ID)] {
			shown = append(shown, p)
		}
	}
	return order, shown
}
