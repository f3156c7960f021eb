package contract

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Interface is what a contract offers, as its compiler describes it.
type Interface struct {
	Name        string
	Functions   []Function
	Errors      []Function // custom errors, encoded as calls are
	Events      []Event
	constructor Function
	creation    []byte // code that creates it, nil when not known
}

// Function is something with a selector: a function or an error.
type Function struct {
	Name            string
	Inputs, Outputs []Field
}

// Event is what a log's first topic names.
type Event struct {
	Name   string
	Inputs []Field
}

// Signature is the name with the types of the parameters.
func (f *Function) Signature() string { return f.Name + "(" + typesOf(f.Inputs) + ")" }

// Selector is what call data begins with.
func (f *Function) Selector() []byte { return crypto.Keccak256([]byte(f.Signature()))[:4] }

// Call is call data.
func (f *Function) Call(arguments []Value) []byte { return append(f.Selector(), encode(arguments)...) }

// Results decodes what a call returned.
func (f *Function) Results(data []byte) ([]Value, error) { return decode(f.Outputs, data) }

// Topic is the first topic of the event's logs.
func (e *Event) Topic() common.Hash {
	return crypto.Keccak256Hash([]byte(e.Name + "(" + typesOf(e.Inputs) + ")"))
}

// parameter is a parameter as compilers write it.
type parameter struct {
	Name       string
	Type       string
	Components []parameter
	Indexed    bool
}

// Read reads an interface from a file of that name: a JSON array as solc writes
// it, or the artefact of Hardhat, Foundry or another tool that has it as "abi".
func Read(file string, data []byte) (*Interface, error) {
	i := &Interface{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))}
	list := json.RawMessage(data)
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '[' {
		var artefact struct {
			ContractName string
			ABI          json.RawMessage
			Bytecode     json.RawMessage
		}
		if err := json.Unmarshal(data, &artefact); err != nil {
			return nil, err
		}
		if artefact.ABI == nil {
			return nil, errors.New(`it is neither an ABI nor an artefact with an "abi"`)
		}
		list, i.creation = artefact.ABI, creation(artefact.Bytecode)
		if artefact.ContractName != "" {
			i.Name = artefact.ContractName
		}
	}
	var entries []struct {
		Type, Name      string
		Inputs, Outputs []parameter
		Anonymous       bool
	}
	if err := json.Unmarshal(list, &entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		in, err1 := fields(e.Inputs, 0)
		out, err2 := fields(e.Outputs, 0)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("%s %s: %w", Printable(e.Type), Printable(e.Name), err)
		}
		switch e.Type {
		case "function", "": // the default, by the specification
			i.Functions = append(i.Functions, Function{e.Name, in, out})
		case "error":
			i.Errors = append(i.Errors, Function{e.Name, in, nil})
		case "constructor":
			i.constructor.Inputs = in
		case "event":
			if !e.Anonymous {
				i.Events = append(i.Events, Event{e.Name, in})
			}
		}
	}
	return i, nil
}

// creation reads the code that creates a contract: hexadecimal (Hardhat), or an
// object that has it (Foundry). Code that is not linked yet is none.
func creation(text json.RawMessage) []byte {
	var digits string
	var object struct{ Object string }
	if json.Unmarshal(text, &digits) != nil && json.Unmarshal(text, &object) == nil {
		digits = object.Object
	}
	code, err := hex.DecodeString(strings.TrimPrefix(digits, "0x"))
	if err != nil {
		return nil
	}
	return code
}

func fields(list []parameter, depth int) ([]Field, error) {
	if depth == maxDepth {
		return nil, errors.New("types nested too deep")
	}
	out := make([]Field, len(list))
	for i, p := range list {
		members, err := fields(p.Components, depth+1)
		if err != nil {
			return nil, err
		}
		t, err := newType(p.Type, members)
		if err != nil {
			return nil, err
		}
		out[i] = Field{p.Name, t, p.Indexed}
	}
	return out, nil
}

// Function finds the function that is called by its name or its signature with
// a number of arguments.
func (i *Interface) Function(name string, arguments int) (*Function, error) {
	var known, found []string
	var f *Function
	for k := range i.Functions {
		c := &i.Functions[k]
		known = append(known, Printable(c.Signature()))
		if c.Signature() == name || c.Name == name && len(c.Inputs) == arguments {
			f, found = c, append(found, Printable(c.Signature()))
		}
	}
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("name one of %s by its signature", strings.Join(found, ", "))
	case f == nil:
		return nil, fmt.Errorf("%s has no function %s with %d arguments; it has %s", Printable(i.Name), Printable(name), arguments, strings.Join(known, ", "))
	}
	return f, nil
}
