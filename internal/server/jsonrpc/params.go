package jsonrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// positional gives a decoder of a parameter array into the fields of P.
func positional[P any]() func(params []byte, p *P) error {
	t := reflect.TypeFor[P]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("jsonrpc: %v is not a struct of parameters", t))
	}
	required := 0
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("rpc") != "optional" {
			if required != i {
				panic(fmt.Sprintf("jsonrpc: %v requires a parameter behind an optional one", t))
			}
			required++
		}
	}
	return func(params []byte, p *P) error {
		v := reflect.ValueOf(p).Elem()
		n, err := decodeArray(params, v, required)
		if err != nil {
			return err
		}
		if n < required {
			return InvalidParams("missing value for required argument %d", n)
		}
		return nil
	}
}

// decodeArray decodes the elements of params, whose grammar is known to be
// good, into the fields of v in order and gives their number.
func decodeArray(params []byte, v reflect.Value, required int) (int, error) {
	if params == nil || string(params) == "null" {
		return 0, nil
	}
	if params[0] != '[' {
		return 0, InvalidParams("non-array args")
	}
	n := 0
	s := scanner{b: params, depth: len(params), digits: len(params)}
	err := s.array(func(value []byte) error {
		i := n
		n++
		if i >= v.NumField() {
			return InvalidParams("too many arguments, want at most %d", v.NumField())
		}
		if string(value) == "null" {
			if i < required {
				return InvalidParams("missing value for required argument %d", i)
			}
			return nil
		}
		return DecodeArgument(i, value, v.Field(i).Addr().Interface())
	})
	return n, err
}

// DecodeArgument decodes the argument at place i: for methods whose arguments
// mean one thing or another, which take a json.RawMessage.
func DecodeArgument(i int, value []byte, into any) error {
	if err := decodeOne(value, into); err != nil {
		return InvalidParams("invalid argument %d: %s", i, reason(err))
	}
	return nil
}

// decodeOne decodes one value; a type with its own decoder gets the text as it is.
func decodeOne(value []byte, into any) error {
	if u, ok := into.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(value)
	}
	return json.Unmarshal(value, into)
}

// reason is the text of a decoding error, naming what was wanted as geth does.
func reason(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := wrong.Type.String()
		if wrong.Field != "" {
			where = wrong.Field + " of type " + where
		}
		return fmt.Sprintf("json: cannot unmarshal %s into Go value of type %s", wrong.Value, where)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
