package contract

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

// FuzzCall reads a signature and an argument as a person would give them. What
// is read must survive its encoding.
func FuzzCall(f *testing.F) {
	f.Add("f(uint256)", "1.5ether")
	f.Add("f((uint8,(bool,string)[])[2])", `[(1,[(true,"x)")]),(2,[])]`)
	f.Add("function f(address[] calldata a) external returns (bytes32)", "[0x70997970C51812dc3A010C7d01b50e0d17dc79C8]")
	f.Add("f((uint8,(bool,string)[]0", "")
	f.Fuzz(func(t *testing.T, signature, argument string) {
		function, err := Signature(signature)
		if err != nil || len(function.Inputs) != 1 {
			return
		}
		values, err := function.Arguments([]string{argument})
		if err != nil {
			return
		}
		again, err := decode(function.Inputs, encode(values))
		if err != nil {
			t.Fatalf("%s does not decode: %v", function.Signature(), err)
		}
		if !bytes.Equal(encode(again), encode(values)) {
			t.Fatalf("%s: %s is not %s", function.Signature(), Line(again), Line(values))
		}
	})
}

// FuzzDecode decodes arbitrary data. What go-ethereum's decoder makes of it when
// it is well-formed is what ours makes of it.
func FuzzDecode(f *testing.F) {
	types := []string{"uint256[]", "string,bytes", "(uint8,(bool,string)[])[2]", "int24,bytes5,address", "uint16[2][],(string,int8)"}
	for i := range types {
		f.Add(uint8(i), bytes.Repeat(append(make([]byte, 31), 0x20), 8))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		function, err := Signature("f(" + types[int(which)%len(types)] + ")")
		if err != nil {
			t.Fatal(err)
		}
		values, err := decode(function.Inputs, data)
		if err != nil || len(data) > 1<<10 {
			return
		}
		text := Line(values)
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("not printable: %q", text)
		}
		if _, err := json.Marshal(values); err != nil {
			t.Fatal(err)
		}
		arguments := library(t, function.Inputs)
		unpacked, err := arguments.Unpack(data)
		if err != nil {
			return
		}
		packed, err := arguments.Pack(unpacked...)
		if err != nil {
			t.Fatal(err)
		}
		if ours := encode(values); !bytes.Equal(ours, packed) {
			t.Fatalf("%s\nours    %x\nlibrary %x", function.Signature(), ours, packed)
		}
	})
}

// FuzzInterface reads a file that should be an ABI or an artefact, and decodes
// data with it.
func FuzzInterface(f *testing.F) {
	f.Add([]byte(`[{"type":"event","name":"E","inputs":[{"type":"tuple[2]","components":[{"name":"a","type":"uint8"}]}]}]`), []byte{1, 2, 3, 4})
	f.Add([]byte(`{"contractName":"C","abi":[{"type":"error","name":"E","inputs":[{"type":"string"}]}],"bytecode":{"object":"0x00"}}`), []byte{0})
	f.Fuzz(func(t *testing.T, file, data []byte) {
		i, err := Read("x.json", file)
		if err != nil {
			return
		}
		l := Interfaces{i}
		for _, d := range []*Decoded{l.Call(data), l.Creation(data)} {
			if d != nil {
				_ = d.String()
			}
		}
		_ = l.Revert(data)
		for k := range i.Functions {
			if values, err := i.Functions[k].Results(data); err == nil {
				_ = Line(values)
			}
		}
	})
}

// library is the same list of types for go-ethereum.
func library(t *testing.T, fields []Field) abi.Arguments {
	t.Helper()
	var describe func(f Field) abi.ArgumentMarshaling
	describe = func(f Field) abi.ArgumentMarshaling {
		base, dimensions := f.Type, ""
		for base.kind == kindSlice || base.kind == kindArray {
			dimensions = base.text[strings.LastIndex(base.text, "["):] + dimensions
			base = base.elem
		}
		a := abi.ArgumentMarshaling{Name: f.Name, Type: base.text + dimensions}
		if base.kind == kindTuple {
			a.Type = "tuple" + dimensions
			for i, m := range base.fields {
				m.Name = string(rune('a' + i))
				a.Components = append(a.Components, describe(m))
			}
		}
		return a
	}
	var out abi.Arguments
	for _, f := range fields {
		a := describe(f)
		typed, err := abi.NewType(a.Type, "", a.Components)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, abi.Argument{Name: f.Name, Type: typed})
	}
	return out
}
