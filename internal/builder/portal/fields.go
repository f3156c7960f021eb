package portal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

const (
	mostText   = 4000 // characters of a string
	mostPeople = 500  // in a list to choose from; others are written as addresses
)

// asked makes the form of a function's parameters, with what was given before.
func (x *visit) asked(a *offchain.Application, connection int, parameters []offchain.Parameter, given func(string) string) ([]page.Field, error) {
	var fields []page.Field
	for i := range parameters {
		p := &parameters[i]
		key := "a" + strconv.Itoa(i)
		f, err := x.control(a, connection, key, label(p.DisplayName, p.Name), p.Description, &p.Type.Type, given(key))
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// control is the control for a value of a type.
func (x *visit) control(a *offchain.Application, connection int, key, label, hint string, t *workflow.Type, given string) (page.Field, error) {
	roles := roleNames(a)
	f := page.Field{ID: key, Name: key, Label: label, Hint: hint, Value: given, Kind: "text", Required: true}
	also := func(more string) { f.Hint = joined(f.Hint, more) }
	switch kind := kindOf(t, roles); kind {
	case "int":
		if f.Kind = "number"; f.Hint == "" { // a description says more than the type does
			f.Hint = x.T("field.int")
		}
	case "money":
		f.Kind = "number"
		also(x.T("field.money"))
	case "time":
		f.Kind = "date"
		also(x.T("field.time"))
		if n, err := strconv.ParseInt(given, 10, 64); err == nil && n > 0 && n < 1<<37 {
			f.Value = time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05")
		}
	case "bool":
		f.Kind = "yesno"
		f.Options = []page.Option{{Value: "true", Text: x.T("field.yes"), Chosen: given == "true"}, {Value: "false", Text: x.T("field.no"), Chosen: given == "false"}}
	case "enum":
		f.Kind = "radios"
		if len(t.EnumValues) > 6 {
			f.Kind, f.Options = "select", []page.Option{{Text: x.T("field.choose")}}
		}
		for i, e := range t.EnumValues {
			f.Options = append(f.Options, page.Option{Value: strconv.Itoa(i), Text: e, Chosen: given == strconv.Itoa(i)})
		}
	case kindAddress:
		if t.Name == "address" || t.Name == "contract" {
			f.Kind = "hex"
			also(x.T("field.address"))
			break
		}
		if roles[t.Name] {
			also(x.T("field.role", "role", t.Name))
		}
		return f, x.picker(&f, a, connection, t, given)
	case "array":
		also(x.T("field.array"))
	case "struct":
		names := make([]string, 0, len(t.Fields))
		for _, m := range t.Fields {
			names = append(names, m.Name)
		}
		f.Kind = "long"
		also(x.T("field.struct", "fields", strings.Join(names, ", ")))
	default:
		f.Required, f.Bare, f.Limit = false, true, mostText
	}
	return f, nil
}

// joined is a text that somebody wrote, with or without its full stop, and a sentence
// after it.
func joined(text, sentence string) string {
	if text = strings.TrimSpace(text); text == "" {
		return sentence
	}
	if last, _ := utf8.DecodeLastRuneInString(text); !strings.ContainsRune(".!?:;…。！？", last) {
		text += "."
	}
	return text + " " + sentence
}

// picker makes of a field a list of people: those of the role first, since a role's
// name as a type is advice and not a rule.
func (x *visit) picker(f *page.Field, a *offchain.Application, connection int, t *workflow.Type, given string) error {
	f.Kind = "select"
	chosen := false
	option := func(who *offchain.Person) (page.Option, bool) {
		address, ok := who.Address(connection)
		if !ok {
			return page.Option{}, false
		}
		o := page.Option{Value: strings.ToLower(address.Hex()), Text: workspace.DisplayName(who)}
		if o.Chosen = !chosen && strings.EqualFold(o.Value, given); o.Chosen {
			chosen = true
		}
		return o, true
	}
	in := map[int]bool{}
	var members, others []page.Option
	if i := slices.IndexFunc(a.Roles, func(r offchain.Role) bool { return r.Name == t.Name }); i >= 0 {
		for skip := 0; skip < mostPeople; skip += 100 {
			list, err := x.person.Assignments(x.ctx(), a.ID, a.Roles[i].ID, workspace.Page{Skip: skip, Top: 100})
			if err != nil {
				return err
			}
			for _, as := range list.Items {
				if o, ok := option(as.Person); ok && !in[as.PersonID] {
					in[as.PersonID] = true
					members = append(members, o)
				}
			}
			if !list.Next {
				break
			}
		}
	}
	more := false
	for skip := 0; skip < mostPeople; skip += 100 {
		list, err := x.person.Users(x.ctx(), workspace.UserQuery{Page: workspace.Page{Skip: skip, Top: 100}})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if o, ok := option(&list.Items[i]); ok && !in[list.Items[i].ID] {
				others = append(others, o)
			}
		}
		if more = list.Next; !more {
			break
		}
	}
	f.Options = []page.Option{{Text: x.T("field.choose"), Chosen: given == ""}}
	if t.Name == "user" {
		f.Options = append(f.Options, others...)
	} else {
		f.Options = append(f.Options, members...)
		if len(others) > 0 {
			f.Groups = []page.Group{{Text: x.T("field.others"), Options: others}}
		}
	}
	if given != "" && !chosen {
		f.Options = append(f.Options, page.Option{Value: given, Text: given, Chosen: true})
	}
	if more {
		f.Kind, f.Hint = "hex", joined(f.Hint, x.T("field.address"))
	}
	return nil
}

// canonical reads what a control gave, into wire form.
func canonical(t *workflow.Type, roles map[string]bool, given string) (string, error) {
	if kindOf(t, roles) == "time" {
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
			if at, err := time.Parse(layout, given); err == nil {
				given = strconv.FormatInt(at.Unix(), 10)
				break
			}
		}
	}
	return workflow.CheckValue(t, roles, given)
}

// arguments reads the form of a function's parameters; what is wrong goes to the
// fields and into the summary.
func (x *visit) arguments(a *offchain.Application, parameters []offchain.Parameter, fields []page.Field) ([]workflow.Argument, []page.Wrong) {
	var args []workflow.Argument
	var wrong []page.Wrong
	for i := range parameters {
		p, f := &parameters[i], &fields[i]
		given := strings.ReplaceAll(x.r.PostFormValue(f.Name), "\r\n", "\n")
		if strings.TrimSpace(given) == "" && f.Required {
			f.Error = x.T("field.missing", "field", f.Label)
		} else if text, err := canonical(&p.Type.Type, roleNames(a), given); err != nil {
			what, lang := x.clause(err)
			f.Error, f.Lang = x.T("field.wrong", "field", f.Label, "what", what), lang
		} else {
			args = append(args, workflow.Argument{Name: p.Name, Value: text})
		}
		if f.Error != "" {
			wrong = append(wrong, page.Wrong{Field: f.ID, Text: f.Error, Lang: f.Lang})
		}
	}
	return args, wrong
}

// clause is what a problem says, with what to do, and its language when that is not
// the page's.
func (x *visit) clause(err error) (text, lang string) {
	var known *problem.Error
	if !errors.As(err, &known) {
		return fmt.Sprint(err), "en"
	}
	what, next, lang := x.Problem(string(known.Code), cmp.Or(sentence(known.What), string(known.Code)), sentence(known.Next))
	return strings.TrimSpace(what + " " + next), lang
}
