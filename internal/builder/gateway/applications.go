package gateway

import (
	"mime"
	"net/http"
	"strconv"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

func applicationsGet(c *call) error {
	q := workspace.ApplicationQuery{Name: c.param("name"), Search: c.param("search"), Sort: c.param("sortBy")}
	var err error
	if q.Page, err = c.page(); err != nil {
		return err
	}
	if q.Enabled, err = c.boolean("enabled"); err != nil {
		return err
	}
	if q.Archived, err = c.flag("archived"); err != nil {
		return err
	}
	l, err := c.person.Applications(c.r.Context(), q)
	if err != nil {
		return err
	}
	return list(c, "applications", q.Page, l, func(w *writer, a *offchain.Application) { writeApplication(w, a, false) })
}

func applicationGet(c *call) error {
	a, err := c.person.Application(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeApplication(w, a, true) })
}

func versionsGet(c *call) error {
	all, err := c.person.Versions(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	return list(c, "applications", p, cut(all, p), func(w *writer, a *offchain.Application) { writeApplication(w, a, false) })
}

// cut is a page of a list that came whole.
func cut[T any](all []T, p workspace.Page) workspace.List[T] {
	from := min(p.Skip, len(all))
	to := min(from+p.Top, len(all))
	return workspace.List[T]{Items: all[from:to], Total: len(all), Next: to < len(all)}
}

// applicationsPost takes a configuration: step one of two. With the contract code
// beside it, which is an addition, both steps are done or neither.
func applicationsPost(c *call) error {
	found, err := c.files("appFile", "contractFile")
	if err != nil {
		return err
	}
	app, err := need(found, "appFile")
	if err != nil {
		return err
	}
	if _, both := found["contractFile"]; both {
		code, err := need(found, "contractFile")
		if err != nil {
			return err
		}
		id, report, err := c.person.Deploy(c.r.Context(), app.name, app.data, code.name, code.data)
		return c.uploaded(id, report, err)
	}
	id, report, err := c.person.AddApplication(c.r.Context(), app.name, app.data)
	return c.uploaded(id, report, err)
}

func applicationEnable(c *call) error {
	return c.changed(c.person.SetEnabled(c.r.Context(), c.ids[0], true))
}

func applicationDisable(c *call) error {
	return c.changed(c.person.SetEnabled(c.r.Context(), c.ids[0], false))
}

func applicationArchive(c *call) error {
	return c.changed(c.person.Archive(c.r.Context(), c.ids[0], true))
}

func applicationUnarchive(c *call) error {
	return c.changed(c.person.Archive(c.r.Context(), c.ids[0], false))
}

func (c *call) changed(err error) error {
	if err != nil {
		return err
	}
	return c.done()
}

func codesGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	ledgerID, err := c.integer("ledgerId")
	if err != nil {
		return err
	}
	l, err := c.person.Codes(c.r.Context(), c.ids[0], ledgerID, p)
	if err != nil {
		return err
	}
	return list(c, "contractCodes", p, l, writeCode)
}

func codePost(c *call) error {
	ledgerID, err := c.ledger()
	if err != nil {
		return err
	}
	found, err := c.files("contractFile")
	if err != nil {
		return err
	}
	code, err := need(found, "contractFile")
	if err != nil {
		return err
	}
	id, report, err := c.person.AddCode(c.r.Context(), c.ids[0], ledgerID, code.name, code.data)
	return c.uploaded(id, report, err)
}

// ledger is the parameter ledgerId; the only ledger there is when it is missing.
func (c *call) ledger() (int, error) {
	id, err := c.integer("ledgerId")
	if id == 0 {
		id = 1
	}
	return id, err
}

func codeGet(c *call) error {
	if err := c.enter(c.g.bodies); err != nil {
		return err
	}
	name, data, err := c.person.CodeFile(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Content-Type", "application/octet-stream")
	c.begin()
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(data)
	return nil
}
