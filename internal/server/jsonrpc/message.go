package jsonrpc

import "errors"

// message is one call as it lies in a request's bytes: every field is a part
// of them, still as written.
type message struct {
	id     []byte // nil when absent: a notification
	method []byte // without its quotes
	params []byte // nil when absent
	bad    *Error // why it cannot be called
}

// errTooMany stops the scan of a batch that has too many items.
var errTooMany = errors.New("batch too large")

// parse finds the calls in one request. The grammar of all of it is checked
// before anything is called. dst is room for the result.
func parse(body []byte, l *Limits, dst []message) (calls []message, batch bool, fail *Error) {
	s := scanner{b: body, depth: l.Depth, digits: l.NumberDigits}
	var err error
	switch s.next() {
	case '[':
		batch = true
		err = s.list('[', ']', func() error {
			if len(dst) == l.BatchItems {
				return errTooMany
			}
			m, err := s.message()
			dst = append(dst, m)
			return err
		})
	default:
		var m message
		m, err = s.message()
		dst = append(dst, m)
	}
	if err == nil {
		err = s.end()
	}
	switch {
	case err == errTooMany:
		return nil, batch, &Error{Code: CodeInvalidRequest, Message: err.Error()}
	case err != nil:
		return nil, batch, &Error{Code: CodeParse, Message: err.Error()}
	case len(dst) == 0:
		return nil, batch, &Error{Code: CodeInvalidRequest, Message: "empty batch"}
	}
	return dst, batch, nil
}

// maxID bounds the id of a call, which is sent back as it came.
const maxID = 256

// message passes one value and reads it as a call. An error means that the
// text is no JSON; a value that is JSON but no call is marked bad.
func (s *scanner) message() (m message, err error) {
	if s.next() != '{' {
		_, err = s.value()
		m.bad = invalid("invalid request")
		return m, err
	}
	var version, method bool
	err = s.object(func(name, value []byte) error {
		switch string(name) {
		case "jsonrpc":
			version = string(value) == `"2.0"`
		case "id":
			if m.id != nil {
				m.bad = invalid("invalid request: more than one id")
			}
			m.id = value
		case "method":
			if method {
				m.bad = invalid("invalid request: more than one method")
			}
			if method = value[0] == '"'; method {
				m.method = value[1 : len(value)-1]
			}
		case "params":
			if m.params != nil {
				m.bad = invalid("invalid request: more than one params")
			}
			m.params = value
		}
		return nil
	})
	switch {
	case err != nil:
	case !validID(m.id):
		m.id = nil
		m.bad = invalid("invalid request: id must be a string, a number or null of at most 256 characters")
	case m.bad != nil:
	case !version:
		m.bad = invalid(`invalid request: jsonrpc must be "2.0"`)
	case !method:
		m.bad = invalid("invalid request: method must be a string")
	}
	return m, err
}

func invalid(text string) *Error { return &Error{Code: CodeInvalidRequest, Message: text} }

func validID(id []byte) bool {
	if id == nil {
		return true
	}
	c := id[0]
	return len(id) <= maxID && (c == '"' || c == '-' || isDigit(c) || c == 'n')
}
