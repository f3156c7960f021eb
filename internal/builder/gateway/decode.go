package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

// maxBody is how many bytes a JSON body may have, smallBody up to how many it needs
// no place among the large ones, and maxParameters how many parameters an action has.
const (
	maxBody       = 1 << 20
	smallBody     = 64 << 10
	maxParameters = 256
)

var errLarge = problem.New("BODY_TOO_LARGE", "the request's body is larger than this operation takes", "Send less; the limits are in docs/reference/gateway.md")

// malformed is a body or a query that cannot be understood.
func malformed(what string) error {
	return problem.New("REQUEST_MALFORMED", what, "Compare the request with the OpenAPI document at /api/openapi.json")
}

// fields are the members of a JSON object by their names in lower case: clients
// write workflowFunctionID and workflowFunctionId.
type fields map[string]json.RawMessage

// body reads the request's JSON object.
func (c *call) body() (fields, error) {
	if c.r.ContentLength > maxBody {
		return nil, errLarge
	}
	body := http.MaxBytesReader(c.w, c.r.Body, maxBody)
	data, err := io.ReadAll(io.LimitReader(body, smallBody))
	if err == nil && len(data) == smallBody {
		if err := c.enter(c.g.bodies); err != nil {
			return nil, err
		}
		var rest []byte
		rest, err = io.ReadAll(body)
		data = append(data, rest...)
	}
	if err != nil {
		return nil, readError(err)
	}
	return takeApart(data)
}

// readError is what went wrong while a body was read.
func readError(err error) error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return errLarge
	}
	return malformed("the request's body ended early or came too slowly")
}

// takeApart takes a JSON object apart. Members whose names differ only in case are
// one member given twice, which is refused: which one counts would be a guess.
func takeApart(data []byte) (fields, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("the body is not a JSON object")
	}
	f := fields{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, malformed("the body is not well-formed JSON")
		}
		name := strings.ToLower(t.(string))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed("the body is not well-formed JSON")
		}
		if _, twice := f[name]; twice {
			return nil, malformed("the body has the member " + strconv.Quote(t.(string)) + " twice")
		}
		f[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("the body is not well-formed JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("something follows the JSON object in the body")
	}
	return f, nil
}

// has says whether the member is there and not null.
func (f fields) has(name string) bool {
	v := f[strings.ToLower(name)]
	return len(v) > 0 && string(v) != "null"
}

// integer is a member that must be there: a whole number, or a text of one.
func (f fields) integer(name string) (int, error) {
	if !f.has(name) {
		return 0, malformed("the body has no member " + name)
	}
	text, err := scalar(f[strings.ToLower(name)])
	if err != nil {
		return 0, malformed("the member " + name + " is not a whole number")
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, malformed("the member " + name + " is not a whole number")
	}
	return n, nil
}

// text is a member that may be missing.
func (f fields) text(name string) (string, error) {
	if !f.has(name) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(f[strings.ToLower(name)], &s); err != nil {
		return "", malformed("the member " + name + " is not a text")
	}
	return s, nil
}

// arguments are the values of an action: a list of {name, value}.
func (f fields) arguments(name string) ([]workflow.Argument, error) {
	if !f.has(name) {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(f[strings.ToLower(name)], &list); err != nil {
		return nil, malformed("the member " + name + " is not a list")
	}
	if len(list) > maxParameters {
		return nil, malformed("the member " + name + " has more than " + strconv.Itoa(maxParameters) + " elements")
	}
	var args []workflow.Argument
	for _, raw := range list {
		one, err := takeApart(raw)
		if err != nil {
			return nil, malformed("each element of " + name + " is an object with name and value")
		}
		a := workflow.Argument{}
		if a.Name, err = one.text("name"); err != nil {
			return nil, err
		}
		if a.Name == "" {
			return nil, malformed("an element of " + name + " has no name")
		}
		if one.has("value") {
			if a.Value, err = value(one["value"]); err != nil {
				return nil, malformed("the value of " + strconv.Quote(a.Name) + " is an object; values are texts")
			}
		}
		args = append(args, a)
	}
	return args, nil
}

// value is a parameter's value as text. Values are texts; numbers, booleans and
// lists of them, which some clients send, are taken as they are written, so that
// no digit is lost.
func value(raw json.RawMessage) (string, error) {
	if raw[0] != '[' {
		return scalar(raw)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", err
	}
	return b.String(), nil
}

// scalar is the text of a JSON string, number or boolean.
func scalar(raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case '{', '[':
		return "", errors.New("not a scalar")
	}
	return string(raw), nil
}
