package contract

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
)

// Decoded is a call, an event or an error with its values.
type Decoded struct {
	Contract string  `json:"contract,omitempty"` // whose interface knows it
	Name     string  `json:"name"`
	Values   []Value `json:"values"`
}

// String is the call on one line.
func (d *Decoded) String() string {
	name := Printable(d.Name) + "(" + Line(d.Values) + ")"
	if d.Contract != "" {
		return Printable(d.Contract) + "." + name
	}
	return name
}

// Interfaces are those that a person gave, in order; the first that knows
// something decodes it.
type Interfaces []*Interface

// Call decodes call data; nil when no interface knows it.
func (l Interfaces) Call(data []byte) *Decoded {
	for _, i := range l {
		if d := decodeAs(i.Functions, data); d != nil {
			d.Contract = i.Name
			return d
		}
	}
	return nil
}

// Creation decodes the data of a transaction that creates a contract; nil when
// no interface comes with that contract's code.
func (l Interfaces) Creation(data []byte) *Decoded {
	for _, i := range l {
		if len(i.creation) == 0 || !bytes.HasPrefix(data, i.creation) {
			continue
		}
		if values, err := decode(i.constructor.Inputs, data[len(i.creation):]); err == nil {
			return &Decoded{Contract: i.Name, Name: "constructor", Values: values}
		}
	}
	return nil
}

func decodeAs(functions []Function, data []byte) *Decoded {
	if len(data) < 4 {
		return nil
	}
	for k := range functions {
		f := &functions[k]
		if !bytes.Equal(f.Selector(), data[:4]) {
			continue
		}
		if values, err := decode(f.Inputs, data[4:]); err == nil {
			return &Decoded{Name: f.Name, Values: values}
		}
	}
	return nil
}

// Event decodes a log; nil when no interface knows it. Of an indexed parameter
// that takes more than a word a topic holds the hash only.
func (l Interfaces) Event(topics []common.Hash, data []byte) *Decoded {
	for _, i := range l {
		for k := range i.Events {
			e := &i.Events[k]
			if len(topics) == 0 || topics[0] != e.Topic() {
				continue
			}
			if values, ok := e.values(topics[1:], data); ok {
				return &Decoded{Contract: i.Name, Name: e.Name, Values: values}
			}
		}
	}
	return nil
}

func (e *Event) values(topics []common.Hash, data []byte) ([]Value, bool) {
	var open []Field
	for _, f := range e.Inputs {
		if !f.Indexed {
			open = append(open, f)
		}
	}
	// Events of one signature differ in what is indexed, as those of ERC-20 and ERC-721.
	if len(e.Inputs)-len(open) != len(topics) {
		return nil, false
	}
	rest, err := decode(open, data)
	if err != nil {
		return nil, false
	}
	values := make([]Value, 0, len(e.Inputs))
	for _, f := range e.Inputs {
		if !f.Indexed {
			values, rest = append(values, rest[0]), rest[1:]
			continue
		}
		v := Value{Name: f.Name, Type: f.Type, data: topics[0][:], hash: true}
		if f.Type.kind <= kindFixed {
			if f.Type.check(v.data) != nil {
				return nil, false
			}
			v.hash = false
		}
		values, topics = append(values, v), topics[1:]
	}
	return values, true
}

// panics are the codes of Panic(uint256) (Solidity 0.8, "Panic via assert and
// Error via require").
var panics = map[uint64]string{
	0x00: "a panic of the compiler",
	0x01: "an assertion failed",
	0x11: "an arithmetic operation overflowed",
	0x12: "a division by zero",
	0x21: "a number that is none of an enumeration",
	0x22: "a byte array in storage is encoded wrongly",
	0x31: "pop on an empty array",
	0x32: "an index outside the array",
	0x41: "too much memory, or an array too large",
	0x51: "a call of a function variable that was never set",
}

var builtin = []Function{
	{Name: "Error", Inputs: []Field{{Type: &Type{kind: kindString, words: -1, text: "string"}}}},
	{Name: "Panic", Inputs: []Field{{Type: &Type{kind: kindUint, size: 256, words: 1, text: "uint256"}}}},
}

// Revert says in words why a call failed, from the data that it reverted with.
func (l Interfaces) Revert(data []byte) string {
	if len(data) == 0 {
		return "without a reason"
	}
	if d := decodeAs(builtin, data); d != nil {
		v := &d.Values[0]
		if d.Name == "Error" {
			return v.Text()
		}
		code := new(big.Int).SetBytes(v.data)
		if meaning, ok := panics[code.Uint64()]; ok && code.IsUint64() {
			return fmt.Sprintf("panic %#x: %s", code, meaning)
		}
		return "panic " + v.Text()
	}
	for _, i := range l {
		if d := decodeAs(i.Errors, data); d != nil {
			return d.String()
		}
	}
	shown := "0x" + hex.EncodeToString(data[:min(len(data), 4)])
	if len(data) < 4 {
		return "with the data " + shown
	}
	return "custom error " + shown + " with " + strconv.Itoa(len(data)-4) + " bytes, which no given ABI explains"
}
