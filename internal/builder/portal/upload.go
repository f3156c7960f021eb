package portal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// once remembers what came of forms that must count once, by their request ids.
type once struct {
	mu   sync.Mutex
	done map[string]string
}

const mostRemembered = 1000

// do runs f, one at a time, unless the id was seen before: then it gives what came
// of it then. Nothing comes of an empty answer.
func (o *once) do(id string, f func() (string, error)) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to, ok := o.done[id]; ok && id != "" {
		return to, nil
	}
	to, err := f()
	if err == nil && to != "" && id != "" {
		if o.done == nil || len(o.done) >= mostRemembered {
			o.done = map[string]string{}
		}
		o.done[id] = to
	}
	return to, err
}

// file is an uploaded file.
type file struct {
	name    string
	content []byte
}

// uploads reads both files of a form.
func uploads(r *http.Request) (configuration, code *file, err error) {
	if configuration, err = uploaded(r, "configuration"); err == nil {
		code, err = uploaded(r, "code")
	}
	return configuration, code, err
}

// uploaded reads a file of a form; nil when none was chosen.
func uploaded(r *http.Request, field string) (*file, error) {
	f, h, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) || err != nil && r.MultipartForm == nil {
		return nil, nil
	}
	if err != nil {
		return nil, problem.New("UPLOAD_BROKEN", "the file did not arrive whole", "choose it again").From(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, problem.New("UPLOAD_BROKEN", "the file did not arrive whole", "choose it again").From(err)
	}
	return &file{path.Base(strings.ReplaceAll(h.Filename, `\`, "/")), content}, nil
}

// upload is the form for a new application, and for the next version of one.
func upload(x *visit) error {
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	v := &page.Upload{Frame: x.frame(x.T("upload.title"), "applications", x.crumbs(nil)...), Action: x.r.URL.Path, RequestID: rand.Text()}
	wanted := ""
	if x.r.PathValue("app") != "" {
		a, err := x.applicationOf()
		if err != nil {
			return err
		}
		wanted, v.Application = a.Name, label(a.DisplayName, a.Name)
		v.Frame = x.frame(x.T("upload.title.version", "name", v.Application), "applications", x.crumbs(a)...)
	}
	if x.r.Method != http.MethodPost {
		return x.draw("upload", v)
	}
	if id := x.r.FormValue("request"); id != "" && len(id) <= 128 {
		v.RequestID = id
	}
	configuration, code, err := uploads(x.r)
	if err != nil {
		return err
	}
	if configuration == nil || code == nil {
		if configuration == nil {
			v.Wrong = append(v.Wrong, page.Wrong{Field: "configuration", Text: x.T("upload.missing.configuration")})
		}
		if code == nil {
			v.Wrong = append(v.Wrong, page.Wrong{Field: "code", Text: x.T("upload.missing.code")})
		}
		return x.drawAs(http.StatusUnprocessableEntity, "upload", v)
	}
	if err := x.checkBoth(v, wanted, configuration, code); err != nil {
		return err
	}
	if len(v.Wrong) > 0 || x.r.FormValue("check") != "" {
		status := http.StatusOK
		if len(v.Wrong) > 0 {
			status = http.StatusUnprocessableEntity
		}
		return x.drawAs(status, "upload", v)
	}
	to, err := x.p.uploads.do(v.RequestID, func() (string, error) {
		id, report, err := x.person.Deploy(x.ctx(), configuration.name, configuration.content, code.name, code.content)
		if errors.Is(err, workspace.ErrRejected) && report != nil {
			v.Code = x.report(code.name, report)
			v.Wrong = append(v.Wrong, page.Wrong{Field: "code", Text: v.Code.Text})
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s/members?done=deployed", applicationURL(id)), nil
	})
	switch {
	case err != nil:
		return err
	case to == "":
		return x.drawAs(http.StatusUnprocessableEntity, "upload", v)
	}
	return x.redirect(to)
}

// checkBoth checks the files and puts what is wrong with them on the page.
func (x *visit) checkBoth(v *page.Upload, wanted string, configuration, code *file) error {
	app, report, err := x.person.CheckApplication(x.ctx(), configuration.name, configuration.content)
	if err != nil {
		return err
	}
	v.Configuration = x.report(configuration.name, report)
	switch {
	case !report.OK():
		v.Wrong = append(v.Wrong, page.Wrong{Field: "configuration", Text: v.Configuration.Text})
		return nil
	case wanted != "" && app.Name != wanted:
		v.Wrong = append(v.Wrong, page.Wrong{Field: "configuration", Text: x.T("upload.other", "found", app.Name, "wanted", wanted)})
		return nil
	}
	report, err = x.person.CheckCode(x.ctx(), code.name, code.content, configuration.name, configuration.content)
	if known := (*problem.Error)(nil); errors.As(err, &known) && statusOf(err) == http.StatusBadRequest {
		what, next, lang := x.Problem(string(known.Code), sentence(known.What), sentence(known.Next))
		v.Code = &page.Report{File: code.name, Tone: "bad", Text: x.T("check.bad", "file", code.name, "n", 1),
			Findings: []page.Finding{{Tone: "bad", Where: code.name, Code: string(known.Code), Message: what, Fix: next, Lang: lang}}}
	} else if err != nil {
		return err
	} else {
		v.Code = x.report(code.name, without(report, configuration.name))
		if v.Code.Tone != "bad" && v.Application == "" {
			v.Code.Text = x.T("check.good.deploy", "file", code.name)
		}
	}
	if v.Code.Tone == "bad" {
		v.Wrong = append(v.Wrong, page.Wrong{Field: "code", Text: v.Code.Text})
	}
	return nil
}

// without leaves out the warnings about a file that are shown with it already.
func without(r *workflow.Report, name string) *workflow.Report {
	out := &workflow.Report{Errors: r.Errors}
	for _, f := range r.Warnings {
		if f.File != name {
			out.Warnings = append(out.Warnings, f)
		}
	}
	return out
}

// report shows what a check found.
func (x *visit) report(name string, r *workflow.Report) *page.Report {
	v := &page.Report{File: name, Tone: "good", Text: x.T("check.good", "file", name)}
	switch {
	case len(r.Errors) > 0:
		v.Tone, v.Text = "bad", x.T("check.bad", "file", name, "n", len(r.Errors))
	case len(r.Warnings) > 0:
		v.Tone, v.Text = "wait", x.T("check.warnings", "file", name, "n", len(r.Warnings))
	}
	add := func(tone string, all []workflow.Finding) {
		for _, f := range all {
			where := f.File
			if f.Line > 0 {
				where = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
			}
			one := page.Finding{Tone: tone, Where: where, Rule: f.Rule, Code: f.Code, Path: f.Pointer}
			one.Message, one.Fix, one.Lang = x.Problem("", sentence(f.Message), sentence(f.Fix)) // they name places of the file
			v.Findings = append(v.Findings, one)
		}
	}
	add("bad", r.Errors)
	add("wait", r.Warnings)
	return v
}

// checks answers a check of one of the files while both are being chosen.
func checks(x *visit) error {
	if !x.person.Administrator {
		return workspace.ErrForbidden
	}
	configuration, code, err := uploads(x.r)
	if err != nil {
		return err
	}
	v := &page.Checks{Frame: x.frame(x.T("upload.check"), "applications")}
	both := &page.Upload{}
	switch {
	case configuration == nil:
	case code == nil:
		_, report, err := x.person.CheckApplication(x.ctx(), configuration.name, configuration.content)
		if err != nil {
			return err
		}
		v.Report = x.report(configuration.name, report)
	default:
		if err := x.checkBoth(both, "", configuration, code); err != nil {
			return err
		}
		if v.Report = both.Code; v.Report == nil {
			v.Report = &page.Report{File: code.name, Tone: "wait", Text: x.T("check.first", "file", configuration.name)}
		}
	}
	return x.draw("checks", v)
}
