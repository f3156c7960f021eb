package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

func checkApplicationPost(c *call) error {
	found, err := c.files("appFile")
	if err != nil {
		return err
	}
	app, err := need(found, "appFile")
	if err != nil {
		return err
	}
	parsed, report, err := c.person.CheckApplication(c.r.Context(), app.name, app.data)
	if err != nil {
		return err
	}
	return c.checked(parsed, report)
}

func checkCodePost(c *call) error {
	if _, err := c.ledger(); err != nil {
		return err
	}
	found, err := c.files("appFile", "contractFile")
	if err != nil {
		return err
	}
	app, err := need(found, "appFile")
	if err != nil {
		return err
	}
	code, err := need(found, "contractFile")
	if err != nil {
		return err
	}
	report, err := c.person.CheckCode(c.r.Context(), code.name, code.data, app.name, app.data)
	if err != nil {
		return err
	}
	return c.checked(nil, report)
}

// checked answers with what a check found.
func (c *call) checked(app *workflow.Application, report *workflow.Report) error {
	var whole []byte
	if app != nil && report.OK() {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(app); err != nil {
			return err
		}
		whole = bytes.TrimSpace(b.Bytes())
	}
	return c.json(func(w *writer) {
		w.open()
		w.boolean("Result", report.OK())
		writeReport(w, report)
		w.raw("Application", whole)
		w.close()
	})
}

// uploaded answers an upload: with the id that was made, or with what forbids it.
func (c *call) uploaded(id int, report *workflow.Report, err error) error {
	if err == nil {
		return c.number(id)
	}
	if report == nil || !errors.Is(err, workspace.ErrRejected) {
		return err
	}
	var w writer
	w.open()
	c.details(&w, http.StatusBadRequest, workspace.ErrRejected)
	writeReport(&w, report)
	w.close()
	c.send(http.StatusBadRequest, problemKind, w.b)
	return nil
}

// writeReport writes what a check found twice: as the lines of text that
// Workbench's clients show, and taken apart.
func writeReport(w *writer, r *workflow.Report) {
	parts := [...]struct {
		name, severity string
		list           []workflow.Finding
	}{{"Errors", "error", r.Errors}, {"Warnings", "warning", r.Warnings}}
	for _, part := range parts {
		w.key(part.name).array()
		for _, f := range part.list {
			text := f.String()
			if f.Fix != "" {
				text += ": " + f.Fix
			}
			w.string(text)
		}
		w.end()
	}
	w.key("findings").array()
	for _, part := range parts {
		for _, f := range part.list {
			w.open()
			w.text("severity", part.severity)
			w.text("code", f.Code)
			w.text("rule", f.Rule)
			w.text("file", f.File)
			w.integer("line", f.Line)
			w.integer("column", f.Column)
			w.text("pointer", f.Pointer)
			w.text("message", f.Message)
			w.text("fix", f.Fix)
			w.close()
		}
	}
	w.end()
}
