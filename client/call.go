package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Bounds of one HTTP request; what is more goes in several. They are below those
// of a node.
const (
	maxCalls   = 1000
	maxRequest = 4 << 20
)

// Request is one call of a batch.
type Request struct {
	Method string
	Params []any
	Result json.RawMessage // what the node answered
	Err    error           // or why it did not
}

// decode reads a result.
func (r *Request) decode(read func(*cursor)) error {
	if r.Err != nil {
		return r.Err
	}
	s := &cursor{text: r.Result}
	if read(s); s.err != nil {
		return ErrAnswer.From(fmt.Errorf("%s: %w", r.Method, s.err))
	}
	return nil
}

// Decode decodes the result as encoding/json does, or gives Err.
func (r *Request) Decode(into any) error {
	if r.Err != nil {
		return r.Err
	}
	if err := json.Unmarshal(r.Result, into); err != nil {
		return ErrAnswer.From(fmt.Errorf("%s: %w", r.Method, err))
	}
	return nil
}

// Call makes one call and decodes its result as encoding/json does, unless
// result is nil.
func (c *Client) Call(ctx context.Context, result any, method string, params ...any) error {
	r := Request{Method: method, Params: params}
	if err := c.one(ctx, &r); err != nil || result == nil {
		return err
	}
	return r.Decode(result)
}

// read makes one call and has its result read.
func (c *Client) read(ctx context.Context, read func(*cursor), method string, params ...any) error {
	r := Request{Method: method, Params: params}
	if err := c.one(ctx, &r); err != nil {
		return err
	}
	return r.decode(read)
}

func (c *Client) one(ctx context.Context, r *Request) error {
	body, err := appendCall(nil, 0, r)
	if err != nil {
		return err
	}
	answer, err := c.post(ctx, body)
	if err != nil {
		return err
	}
	s := &cursor{text: answer}
	list := []Request{*r}
	if err := s.response(list); err != nil {
		return err
	}
	r.Result = list[0].Result
	return list[0].Err
}

// Batch makes calls together. Its error is about all of them, those of single
// calls are in Err. The node answers them one after the other, and what lies
// between is not excluded: another block may be committed.
func (c *Client) Batch(ctx context.Context, calls []Request) error {
	for len(calls) > 0 {
		body := []byte{'['}
		n := 0
		for n < len(calls) && n < maxCalls {
			before := len(body)
			if n > 0 {
				body = append(body, ',')
			}
			var err error
			if body, err = appendCall(body, n, &calls[n]); err != nil {
				return err
			}
			if len(body) > maxRequest && n > 0 {
				body = body[:before]
				break
			}
			n++
		}
		answer, err := c.post(ctx, append(body, ']'))
		if err != nil {
			return err
		}
		if err := responses(answer, calls[:n]); err != nil {
			return err
		}
		calls = calls[n:]
	}
	return nil
}

func appendCall(dst []byte, id int, r *Request) ([]byte, error) {
	params := []byte("[]")
	if len(r.Params) > 0 {
		var err error
		if params, err = json.Marshal(r.Params); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Method, err)
		}
	}
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = strconv.AppendInt(dst, int64(id), 10)
	dst = append(dst, `,"method":`...)
	dst = strconv.AppendQuote(dst, r.Method)
	dst = append(dst, `,"params":`...)
	return append(append(dst, params...), '}'), nil
}

var errMissing = errors.New("it leaves out a call's answer")

// responses gives each call its answer.
func responses(text []byte, calls []Request) error {
	for i := range calls {
		calls[i].Result, calls[i].Err = nil, ErrAnswer.From(errMissing)
	}
	s := &cursor{text: text}
	if s.peek() == '{' { // of all of them, which is an error
		one := make([]Request, 1)
		if err := s.response(one); err != nil {
			return err
		}
		return errors.Join(one[0].Err, ErrAnswer.From(errMissing))
	}
	s.array(func() {
		if s.peek() == '{' {
			if err := s.response(calls); err != nil {
				s.fail(err.Error())
			}
		}
	})
	if s.err != nil {
		return ErrAnswer.From(s.err)
	}
	return nil
}

// response reads one response object into the call that its id names; a response
// to a single call needs no id.
func (s *cursor) response(calls []Request) error {
	id, result, failure := -1, []byte(nil), []byte(nil)
	s.object(func(name []byte) {
		switch string(name) {
		case "id":
			if n, err := strconv.Atoi(string(s.raw())); err == nil && n >= 0 && n < len(calls) {
				id = n
			}
		case "result":
			result = s.raw()
		case "error":
			if !s.null() {
				failure = s.raw()
			}
		}
	})
	if len(calls) == 1 {
		id = 0
	}
	switch {
	case s.err != nil:
		return ErrAnswer.From(s.err)
	case id < 0:
		return nil // nobody asked for it
	case failure != nil:
		calls[id].Result, calls[id].Err = nil, decodeError(failure)
	case result != nil:
		calls[id].Result, calls[id].Err = result, nil
	default:
		return ErrAnswer.From(errors.New("neither a result nor an error"))
	}
	return nil
}

// post sends a body and gives the answer's.
func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	within, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, ErrAddress.From(err)
	}
	for name, values := range c.options.Header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if n := response.ContentLength; n > 0 && n <= int64(c.options.MaxAnswer) {
		answer.Grow(int(n) + bytes.MinRead)
	}
	_, err = answer.ReadFrom(io.LimitReader(response.Body, int64(c.options.MaxAnswer)+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, err)
	case answer.Len() > c.options.MaxAnswer:
		return nil, ErrTooLarge.From(fmt.Errorf("it is longer than %d bytes", c.options.MaxAnswer))
	case response.StatusCode != http.StatusOK:
		return nil, refusedStatus(response, answer.Bytes())
	}
	return answer.Bytes(), nil
}

// unreachable is the error of a request that was not answered.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errRedirect):
		return ErrAnswer.From(errRedirect)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v", c.options.Timeout)
	}
	return ErrUnreachable.From(err)
}

// refusedStatus is what an HTTP status other than 200 says: a node that has too
// much to do answers 503 with an error of JSON-RPC.
func refusedStatus(response *http.Response, body []byte) error {
	one := make([]Request, 1)
	var said *Error
	if s := (&cursor{text: body}); s.response(one) == nil && errors.As(one[0].Err, &said) {
		return said
	}
	err := fmt.Errorf("%s: %s", printable(response.Status), printable(string(body[:min(len(body), 200)])))
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return ErrUnreachable.From(err)
	}
	return ErrAnswer.From(err)
}
