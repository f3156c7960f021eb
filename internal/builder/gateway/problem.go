package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/problem"
)

const problemKind = "application/problem+json" // RFC 9457

// errNever is the answer to operations that Workbench documented as not
// implemented in all its releases.
var errNever = problem.New("NOT_IMPLEMENTED", "nothing is ever deleted: what stands on a ledger stays",
	"Disable or archive an application; remove a person's roles")

// never answers 501 and changes nothing.
func never(*call) error { return errNever }

// statuses are the HTTP statuses of problems by code. Of the others, those of tokens
// are 401, those of what App Builder stands on 503, and all else is 400.
var statuses = map[problem.Code]int{
	"TOKEN_EARLY":          http.StatusUnauthorized,
	"FORBIDDEN":            http.StatusForbidden,
	"APPLICATION_DISABLED": http.StatusForbidden,
	"ACTION_NOT_ALLOWED":   http.StatusForbidden,
	"NOT_FOUND":            http.StatusNotFound,
	"ROW_NOT_FOUND":        http.StatusNotFound,
	"LEDGER_NO_PROOF":      http.StatusNotFound,
	"ROUTE_UNKNOWN":        http.StatusNotFound,
	"METHOD_UNKNOWN":       http.StatusMethodNotAllowed,
	"CONTRACT_BUSY":        http.StatusConflict,
	"CODE_EXISTS":          http.StatusConflict,
	"REQUEST_ID_USED":      http.StatusConflict,
	"PERSON_EXISTS":        http.StatusConflict,
	"ROLE_ASSIGNED":        http.StatusConflict,
	"BODY_TOO_LARGE":       http.StatusRequestEntityTooLarge,
	"ENTRY_TOO_LARGE":      http.StatusRequestEntityTooLarge,
	"INTERNAL":             http.StatusInternalServerError,
	"NOT_IMPLEMENTED":      http.StatusNotImplemented,
	"CALL_REVERTED":        http.StatusUnprocessableEntity,
	"LEDGER_CALL_FAILED":   http.StatusUnprocessableEntity,
	"VALUE_UNREADABLE":     http.StatusUnprocessableEntity,
	"LEDGER_UNKNOWN":       http.StatusBadRequest,
	"BINDING_MISSING":      http.StatusConflict,
	"CODE_MISSING":         http.StatusConflict,
	"ISSUER_DOWN":          http.StatusServiceUnavailable,
	"STORE_CLOSED":         http.StatusServiceUnavailable,
	"REQUEST_SLOW":         http.StatusServiceUnavailable,
	"UPLOADS_BUSY":         http.StatusServiceUnavailable,
	"STREAMS_BUSY":         http.StatusServiceUnavailable,
}

// statusOf is the HTTP status of a problem.
func statusOf(code problem.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	switch kind, _, _ := strings.Cut(string(code), "_"); kind {
	case "TOKEN":
		return http.StatusUnauthorized
	case "DATABASE", "JOURNAL", "LEDGER", "VAULT":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// titles are the texts of the member error, as Workbench worded them, where they
// are known.
var titles = map[int]string{http.StatusNotFound: "Resource Not Found"}

// errInternal stands for every fault whose text is not for strangers.
var errInternal = problem.New("INTERNAL", "the request failed inside App Builder", "Try again; if it lasts, the operator finds the cause in the log")

var errSlow = problem.New("REQUEST_SLOW", "something that App Builder stands on did not answer in time", "Try again in a moment")

// refuse answers with problem details (RFC 9457). Errors that are no problem are
// faults: they are logged and not told.
func (c *call) refuse(err error) {
	if c.started {
		return
	}
	p := new(problem.Error)
	if !errors.As(err, &p) {
		switch p = errInternal; {
		case errors.Is(err, context.Canceled):
			return // the client has left
		case errors.Is(err, context.DeadlineExceeded):
			p = errSlow
		}
	}
	status := statusOf(p.Code)
	h := c.w.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", identity.Challenge(err))
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
		c.g.Logger.Warn("gateway: a request could not be answered now", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
	case http.StatusInternalServerError:
		c.g.Logger.Error("gateway: a request failed", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
	}
	var w writer
	w.open()
	c.details(&w, status, p)
	if reverted := new(ledger.Reverted); errors.As(err, &reverted) {
		w.text("revertReason", reverted.Reason)
	}
	w.close()
	c.send(status, problemKind, w.b)
}

// details writes the members of problem details.
func (c *call) details(w *writer, status int, p *problem.Error) {
	title := http.StatusText(status)
	w.text("type", "about:blank")
	w.text("title", title)
	w.integer("status", status)
	w.text("detail", p.What)
	w.text("instance", c.r.URL.EscapedPath())
	w.text("code", string(p.Code))
	w.text("next", p.Next)
	if old, ok := titles[status]; ok {
		title = old
	}
	w.text("error", title)
	if status == http.StatusUnauthorized {
		w.text("issuer", c.g.Issuer)
		w.text("audience", c.g.Audience)
	}
}
