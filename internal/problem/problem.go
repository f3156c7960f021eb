// Package problem is the one form of every error that a person may see: a
// stable code, what happened, and what to do next.
//
// Codes are upper case words, never reused and never renamed, because scripts
// and documents name them (docs/reference/errors.md). Rooms make problems where
// they know the cause; the edges turn them into exit codes, JSON-RPC errors and
// problem details (RFC 9457). Anything that is not a problem is a fault of coco
// itself and is shown as INTERNAL without its inner text going to strangers.
package problem

import (
	"errors"
	"fmt"
)

// Code is a stable name of a kind of problem, such as DATA_LOCKED.
type Code string

// Error is a problem with a code, a sentence of what happened, and a sentence
// of what to do next. Cause, when there is one, is the error underneath.
type Error struct {
	Code  Code
	What  string
	Next  string
	Cause error
}

// New makes a problem. what and next are whole sentences without a full stop.
func New(code Code, what, next string) *Error {
	return &Error{Code: code, What: what, Next: next}
}

// Newf is New with a formatted what.
func Newf(code Code, next, format string, args ...any) *Error {
	return &Error{Code: code, What: fmt.Sprintf(format, args...), Next: next}
}

// From is a copy of e that remembers its cause.
func (e *Error) From(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Error gives code, what happened and the cause; the next step is left to the
// edge, which prints it on a line of its own.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.What, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.What)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is a problem with the same code, so that
// errors.Is(err, ledger.ErrCorrupt) holds for every instance of a kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf is the code of the first problem in err's chain, or INTERNAL.
func CodeOf(err error) Code {
	var p *Error
	if errors.As(err, &p) {
		return p.Code
	}
	return "INTERNAL"
}
