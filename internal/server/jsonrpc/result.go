package jsonrpc

import "encoding/json"

// Appender is a result that writes itself as JSON at the end of dst.
type Appender interface {
	AppendJSON(dst []byte) []byte
}

// Settler is a result that is told, once, whether it came into the answer: not when
// it is too large for it, or when none is due. What a call takes away for good, it
// takes then.
type Settler interface {
	Settle(answered bool)
}

// AppendResult appends a result in JSON.
func AppendResult(dst []byte, result any) ([]byte, error) {
	switch r := result.(type) {
	case nil:
		return append(dst, "null"...), nil
	case Appender:
		return r.AppendJSON(dst), nil
	case json.RawMessage:
		return append(dst, r...), nil
	case bool:
		if r {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case string:
		return AppendString(dst, r), nil
	}
	text, err := json.Marshal(result)
	return append(dst, text...), err
}

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string can always be encoded
			return append(dst, text...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendHead appends a response up to its result or error.
func appendHead(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		return append(dst, "null"...)
	}
	return append(dst, id...)
}

func appendFailure(dst, id []byte, e *Error) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `,"error":`...)
	dst = appendError(dst, e)
	return append(dst, '}')
}

func appendSuccess(dst, id []byte, result any) ([]byte, error) {
	dst = appendHead(dst, id)
	dst = append(dst, `,"result":`...)
	dst, err := AppendResult(dst, result)
	return append(dst, '}'), err
}
