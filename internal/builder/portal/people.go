package portal

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// applicationOf reads the application of a path.
func (x *visit) applicationOf() (*offchain.Application, error) {
	id, err := x.id("app")
	if err != nil {
		return nil, err
	}
	return x.person.Application(x.ctx(), id)
}

// members shows an application's people by role.
func members(x *visit) error {
	a, err := x.applicationOf()
	if err != nil {
		return err
	}
	name, base := label(a.DisplayName, a.Name), applicationURL(a.ID)+"/members"
	v := &page.Members{Frame: x.frame(x.T("members.title", "application", name), "applications", x.crumbs(a)...), Application: name}
	v.Frame.Events = "/events?application=" + strconv.Itoa(a.ID)
	if x.person.Administrator {
		v.Add = base + "/new"
	}
	whole, _ := strconv.Atoi(x.r.URL.Query().Get("role"))
	for _, role := range a.Roles {
		r := page.RoleMembers{ID: role.ID, Name: role.Name, Description: role.Description}
		if x.person.Administrator {
			r.Add = base + "/new?role=" + strconv.Itoa(role.ID)
		}
		part := workspace.Page{Top: 100}
		for {
			list, err := x.person.Assignments(x.ctx(), a.ID, role.ID, part)
			if err != nil {
				return err
			}
			for i := range list.Items {
				m := &list.Items[i]
				at := base + "/" + strconv.Itoa(m.ID)
				r.Rows = append(r.Rows, page.Member{Face: x.face(m.PersonID), Email: m.Person.Email, ID: m.ID, Since: m.AssignedAt, Change: at + "/change", Remove: at + "/remove"})
			}
			r.Total = max(list.Total, len(r.Rows))
			part.Skip += len(list.Items)
			if !list.Next || len(list.Items) == 0 {
				break
			}
			if whole != role.ID {
				r.More = x.with("role", strconv.Itoa(role.ID))
				break
			}
		}
		v.Total += r.Total
		v.Roles = append(v.Roles, r)
	}
	return x.draw("members", v)
}

// mostFound is how many people a search shows.
const mostFound = 50

// addMember is the form that gives somebody a role: first one finds the person, then
// chooses them and the role.
func addMember(x *visit) error {
	a, err := x.applicationOf()
	if err != nil {
		return err
	}
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	back := applicationURL(a.ID) + "/members"
	v := &page.Form{Frame: x.frame(x.T("members.add"), "applications", append(x.crumbs(a), page.Link{Text: x.T("members"), URL: back})...),
		Lead: x.T("members.add.lead"), Action: x.r.URL.Path, Submit: x.T("members.add"), Cancel: back}
	if err := x.memberFields(v, a); err != nil {
		return err
	}
	if x.r.Method != http.MethodPost {
		return x.draw("form", v)
	}
	who, role := number(x.given("person")), number(x.given("role"))
	v.Wrong = wrongChoice(x, v, who, role)
	if len(v.Wrong) > 0 {
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	if _, err := x.person.Assign(x.ctx(), a.ID, who, role); err != nil {
		return x.shownAgain(v, err)
	}
	return x.redirect(back + "?done=assigned")
}

// memberFields are the search, the people found, and the roles.
func (x *visit) memberFields(v *page.Form, a *offchain.Application) error {
	search := strings.TrimSpace(x.r.FormValue("search"))
	list, err := x.person.Users(x.ctx(), workspace.UserQuery{Page: workspace.Page{Top: mostFound}, Search: search})
	if err != nil {
		return err
	}
	v.Search = &page.Field{ID: "search", Name: "search", Label: x.T("members.find"), Hint: x.T("members.find.hint"), Value: search, Bare: true}
	v.SearchSubmit, v.SearchHidden = x.T("members.find.submit"), map[string]string{"role": x.r.FormValue("role")}
	person := page.Field{ID: "person", Name: "person", Label: x.T("members.person"), Kind: "select", Required: true, Options: []page.Option{{Text: x.T("field.choose")}}}
	switch {
	case search != "" && len(list.Items) == 0:
		person.Hint = x.T("members.person.none", "search", search)
	case search != "" || list.Next:
		person.Hint = x.T("members.person.many", "n", list.Total, "to", len(list.Items))
	}
	for i := range list.Items {
		who := &list.Items[i]
		text := workspace.DisplayName(who)
		if who.Email != "" && who.Email != text {
			text += " · " + who.Email
		}
		id := strconv.Itoa(who.ID)
		person.Options = append(person.Options, page.Option{Value: id, Text: text, Chosen: id == x.r.FormValue("person") || search != "" && len(list.Items) == 1})
	}
	v.Fields = []page.Field{person, x.roleField(a, x.r.FormValue("role"))}
	return nil
}

func (x *visit) roleField(a *offchain.Application, chosen string) page.Field {
	f := page.Field{ID: "role", Name: "role", Label: x.T("members.role"), Kind: "radios", Required: true}
	for _, r := range a.Roles {
		id := strconv.Itoa(r.ID)
		f.Options = append(f.Options, page.Option{Value: id, Text: r.Name, Hint: r.Description, Chosen: id == chosen || len(a.Roles) == 1})
	}
	return f
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// wrongChoice tells a form that a person or a role is missing in it.
func wrongChoice(x *visit, v *page.Form, who, role int) []page.Wrong {
	var wrong []page.Wrong
	for i := range v.Fields {
		f := &v.Fields[i]
		switch {
		case f.Name == "person" && who == 0:
			f.Error = x.T("members.missing.person")
		case f.Name == "role" && role == 0:
			f.Error = x.T("members.missing.role")
		default:
			continue
		}
		wrong = append(wrong, page.Wrong{Field: f.ID, Text: f.Error})
	}
	return wrong
}

// shownAgain shows a problem of what was asked for in the form; faults and missing
// rights are given back.
func (x *visit) shownAgain(v *page.Form, err error) error {
	if s := statusOf(err); s != http.StatusBadRequest && s != http.StatusConflict {
		return err
	}
	text, lang := x.clause(err)
	v.Wrong = []page.Wrong{{Text: text, Lang: lang}}
	return x.drawAs(http.StatusUnprocessableEntity, "form", v)
}

// memberOf reads the assignment of a path.
func (x *visit) memberOf() (*offchain.Application, *offchain.Assignment, error) {
	a, err := x.applicationOf()
	if err != nil {
		return nil, nil, err
	}
	if !x.person.Administrator {
		return nil, nil, workspace.ErrForbidden
	}
	id, err := x.id("member")
	if err != nil {
		return nil, nil, err
	}
	m, err := x.person.Assignment(x.ctx(), a.ID, id)
	return a, m, err
}

func changeMember(x *visit) error {
	a, m, err := x.memberOf()
	if err != nil {
		return err
	}
	back := applicationURL(a.ID) + "/members"
	v := &page.Form{Frame: x.frame(x.T("members.change.title", "name", x.face(m.PersonID).Name), "applications", append(x.crumbs(a), page.Link{Text: x.T("members"), URL: back})...),
		Lead: x.T("members.change.lead"), Action: x.r.URL.Path, Submit: x.T("members.change"), Cancel: back}
	chosen := strconv.Itoa(m.RoleID)
	if given := x.given("role"); given != "" {
		chosen = given
	}
	v.Fields = []page.Field{x.roleField(a, chosen)}
	if x.r.Method != http.MethodPost {
		return x.draw("form", v)
	}
	role := number(x.given("role"))
	if v.Wrong = wrongChoice(x, v, m.PersonID, role); len(v.Wrong) > 0 {
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	if _, err := x.person.Reassign(x.ctx(), a.ID, m.ID, m.PersonID, role); err != nil {
		return x.shownAgain(v, err)
	}
	return x.redirect(back + "?done=reassigned")
}

// removeMember asks, and then takes the role away.
func removeMember(x *visit) error {
	a, m, err := x.memberOf()
	if err != nil {
		return err
	}
	back := applicationURL(a.ID) + "/members"
	if x.r.Method == http.MethodPost {
		if err := x.person.Unassign(x.ctx(), a.ID, m.ID); err != nil {
			return err
		}
		return x.redirect(back + "?done=removed")
	}
	return x.draw("form", &page.Form{Frame: x.frame(x.T("members.remove.title", "name", x.face(m.PersonID).Name, "role", m.RoleName), "applications", append(x.crumbs(a), page.Link{Text: x.T("members"), URL: back})...),
		Lead: x.T("members.remove.lead"), Action: x.r.URL.Path, Submit: x.T("members.remove.submit"), Danger: true, Cancel: back})
}

// people shows everybody, to administrators.
func people(x *visit) error {
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	v := &page.People{Frame: x.frame(x.T("people.title"), "people"), Search: strings.TrimSpace(x.r.URL.Query().Get("search")), Add: "/people/new"}
	v.Frame.Events = "/events?people"
	part := x.part()
	list, err := x.person.Users(x.ctx(), workspace.UserQuery{Page: part, Search: v.Search})
	if err != nil {
		return err
	}
	for i := range list.Items {
		who := &list.Items[i]
		row := page.PersonRow{ID: who.ID, URL: "/people/" + strconv.Itoa(who.ID), Face: page.Face{Name: workspace.DisplayName(who), You: who.ID == x.person.ID}, Email: who.Email, Client: who.Client, State: x.personTag(who)}
		for _, k := range who.Keys {
			row.Addresses = append(row.Addresses, page.Pair{Value: page.Value{Kind: "hex", Hex: strings.ToLower(k.Address.Hex())}})
			break // the same key on every ledger
		}
		v.Rows = append(v.Rows, row)
	}
	v.Pager = x.pager(part, len(list.Items), list.Total, list.Next, list.Next && list.Total == offchain.CountLimit)
	return x.draw("people", v)
}

func (x *visit) personTag(who *offchain.Person) page.Tag {
	tones := []string{"wait", "busy", "good"}
	s := min(max(who.Status, 0), 2)
	return page.Tag{Tone: tones[s], Text: x.T("people.status." + strconv.Itoa(s))}
}

// addPerson is the form for somebody who has not come yet.
func addPerson(x *visit) error {
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	v := &page.Form{Frame: x.frame(x.T("people.add"), "people", page.Link{Text: x.T("people.title"), URL: "/people"}),
		Lead: x.T("people.add.lead"), Action: "/people/new", Submit: x.T("people.add"), Cancel: "/people"}
	for _, f := range []page.Field{
		{ID: "external", Label: x.T("people.external"), Hint: x.T("people.external.hint"), Required: true, Limit: 255},
		{ID: "first", Label: x.T("people.first"), Limit: 255},
		{ID: "last", Label: x.T("people.last"), Limit: 255},
		{ID: "email", Label: x.T("people.email"), Kind: "email", Limit: 255},
	} {
		f.Name, f.Value = f.ID, strings.TrimSpace(x.given(f.ID))
		v.Fields = append(v.Fields, f)
	}
	if x.r.Method != http.MethodPost {
		return x.draw("form", v)
	}
	if v.Fields[0].Value == "" {
		v.Fields[0].Error = x.T("people.missing")
		v.Wrong = []page.Wrong{{Field: "external", Text: v.Fields[0].Error}}
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	_, err := x.person.AddUser(x.ctx(), workspace.UserInput{ExternalID: v.Fields[0].Value, FirstName: v.Fields[1].Value, LastName: v.Fields[2].Value, Email: v.Fields[3].Value})
	if err != nil {
		if problem.CodeOf(err) == "INTERNAL" {
			return err
		}
		return x.shownAgain(v, err)
	}
	return x.redirect("/people?done=person")
}

// person shows one of them, with their accounts and roles.
func person(x *visit) error {
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	id, err := x.id("person")
	if err != nil {
		return err
	}
	who, err := x.person.User(x.ctx(), id)
	if err != nil {
		return err
	}
	tag := x.personTag(who)
	v := &page.Facts{Frame: x.frame(workspace.DisplayName(who), "people", page.Link{Text: x.T("people.title"), URL: "/people"}), Face: &page.Face{Name: workspace.DisplayName(who)}}
	v.Frame.Events = "/events?people"
	text := func(key, value string) {
		v.Pairs = append(v.Pairs, page.Pair{Name: x.T(key), Value: page.Value{Kind: "text", Text: value}})
	}
	text("people.first", who.FirstName)
	text("people.last", who.LastName)
	text("people.email", who.Email)
	text("people.external", who.ExternalID)
	v.Pairs = append(v.Pairs, page.Pair{Name: x.T("column.state"), Value: page.Value{Kind: "tag", Tag: &tag}})
	all, err := x.person.Connections(x.ctx())
	if err != nil {
		return err
	}
	for i := range all {
		if address, ok := who.Address(all[i].ID); ok {
			v.Pairs = append(v.Pairs, page.Pair{Name: x.T("people.account", "ledger", connectionName(&all[i])), Value: page.Value{Kind: "hex", Hex: strings.ToLower(address.Hex())}})
		}
	}
	held, err := x.person.Held(x.ctx(), id)
	if err != nil {
		return err
	}
	table := page.Listing{Caption: x.T("people.roles"), Empty: x.T("people.noroles"), Icon: "people", Columns: []page.Column{{Text: x.T("column.application")}, {Text: x.T("column.version")}, {Text: x.T("column.role")}, {Text: x.T("column.since")}}}
	for i := range held {
		h := &held[i]
		a, err := x.person.Application(x.ctx(), h.ApplicationID)
		if err != nil {
			return err
		}
		table.Rows = append(table.Rows, page.ListRow{Key: strconv.Itoa(h.ID), Cells: []page.Value{
			{Kind: "link", Text: label(a.DisplayName, a.Name), URL: applicationURL(a.ID) + "/members"}, {Kind: "text", Text: version(a)}, {Kind: "text", Text: h.RoleName}, {Kind: "ago", At: h.AssignedAt}}})
	}
	v.Tables = []page.Listing{table}
	return x.draw("facts", v)
}
