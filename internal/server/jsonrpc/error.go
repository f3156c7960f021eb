package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/coco-consortium/coco/internal/problem"
)

// Error is an error as JSON-RPC 2.0 section 5.1 shows it to the client. A
// handler returns one when the code matters to clients.
type Error struct {
	Code    int
	Message string
	Data    any // left out when nil
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Codes of JSON-RPC 2.0 section 5.1, and those that geth and EIP-1474 add.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeServer         = -32000 // geth's code for whatever has no other
	CodeTimeout        = -32002
	CodeTooLarge       = -32003
	CodeLimit          = -32005 // EIP-1474 "limit exceeded"
)

// Errorf makes an error of geth's common code -32000.
func Errorf(format string, args ...any) *Error {
	return &Error{Code: CodeServer, Message: fmt.Sprintf(format, args...)}
}

// InvalidParams makes an error for parameters that cannot be used.
func InvalidParams(format string, args ...any) *Error {
	return &Error{Code: CodeInvalidParams, Message: fmt.Sprintf(format, args...)}
}

// problemCodes gives JSON-RPC codes to problems for which clients know one.
var problemCodes = map[problem.Code]int{
	"BUSY":               CodeLimit, // clients try again, as after the next two
	"NO_PRIMARY":         CodeLimit,
	"READ_NOT_CONFIRMED": CodeLimit,
	"INTERNAL":           CodeInternal,
	"TRACE_TOO_LARGE":    CodeTooLarge,
}

// problemData is the data member of an error made from a problem.
type problemData struct {
	Code problem.Code `json:"code"`
	Next string       `json:"next,omitempty"`
}

// toError is what a client sees of err. A problem keeps its code and next step
// in data. The inner text of anything else stays inside: it may quote state
// that the caller must not see.
func toError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var p *problem.Error
	if errors.As(err, &p) {
		code, ok := problemCodes[p.Code]
		if !ok {
			code = CodeServer
		}
		return &Error{Code: code, Message: p.What, Data: problemData{p.Code, p.Next}}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: CodeTimeout, Message: "request timed out"}
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Code: CodeServer, Message: "the call was cancelled because the client left or the node is stopping"}
	}
	return &Error{Code: CodeInternal, Message: "internal error"}
}

// appendError appends the error object.
func appendError(dst []byte, e *Error) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, e.Message)
	if e.Data != nil {
		if data, err := json.Marshal(e.Data); err == nil {
			dst = append(dst, `,"data":`...)
			dst = append(dst, data...)
		}
	}
	return append(dst, '}')
}
