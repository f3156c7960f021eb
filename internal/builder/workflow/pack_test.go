package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"
)

// kinds draws an ABI type and the configured one that fits it.
func kinds(t *rapid.T, depth int) (argument, Type) {
	most := 7
	if depth > 2 {
		most = 4
	}
	bits := 8 * rapid.IntRange(1, 32).Draw(t, "bits")
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return argument{Type: fmt.Sprintf("uint%d", bits)}, Type{Name: "int"}
	case 1:
		return argument{Type: fmt.Sprintf("int%d", bits)}, Type{Name: "money"}
	case 2:
		return argument{Type: "bool"}, Type{Name: "bool"}
	case 3:
		return argument{Type: "address"}, Type{Name: "address"}
	case 4:
		return argument{Type: "string"}, Type{Name: "string"}
	case 5, 6:
		e, c := kinds(t, depth+1)
		size := rapid.SampledFrom([]string{"[]", "[1]", "[3]"}).Draw(t, "size")
		return argument{Type: e.Type + size, Components: e.Components}, Type{Name: "array", ElementType: &c}
	}
	a, c := argument{Type: "tuple", InternalType: "struct T"}, Type{Name: "struct"}
	for i := range rapid.IntRange(1, 3).Draw(t, "fields") {
		e, f := kinds(t, depth+1)
		e.Name = fmt.Sprintf("F%d", i)
		a.Components = append(a.Components, e)
		c.Fields = append(c.Fields, Identifier{Name: e.Name, Type: f})
	}
	return a, c
}

// some draws a value of a shape.
func some(t *rapid.T, s *shape) value {
	switch s.kind {
	case 's':
		return value{s: rapid.StringN(0, 70, -1).Filter(func(s string) bool { return presentable([]byte(s)) == s }).Draw(t, "text")}
	case 'b':
		return value{n: big.NewInt(int64(rapid.IntRange(0, 1).Draw(t, "bool")))}
	case '(':
		v := value{}
		for i := range s.parts {
			v.list = append(v.list, some(t, &s.parts[i]))
		}
		return v
	case '[':
		v, n := value{list: []value{}}, s.length
		if n < 0 {
			n = rapid.IntRange(0, 3).Draw(t, "length")
		}
		for range n {
			v.list = append(v.list, some(t, s.element))
		}
		return v
	}
	n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "number"))
	return value{n: integer(s, common.BigToHash(n).Bytes())}
}

// theirs is a value as go-ethereum wants it.
func theirs(kind abi.Type, v value) reflect.Value {
	r := reflect.New(kind.GetType()).Elem()
	switch kind.T {
	case abi.StringTy:
		r.SetString(v.s)
	case abi.BoolTy:
		r.SetBool(v.n.Sign() != 0)
	case abi.AddressTy:
		r.Set(reflect.ValueOf(common.BigToAddress(v.n)))
	case abi.UintTy, abi.IntTy:
		switch r.Kind() {
		case reflect.Pointer:
			r.Set(reflect.ValueOf(v.n))
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			r.SetUint(v.n.Uint64())
		default:
			r.SetInt(v.n.Int64())
		}
	case abi.SliceTy, abi.ArrayTy:
		if kind.T == abi.SliceTy {
			r.Set(reflect.MakeSlice(r.Type(), len(v.list), len(v.list)))
		}
		for i := range v.list {
			r.Index(i).Set(theirs(*kind.Elem, v.list[i]))
		}
	case abi.TupleTy:
		for i := range v.list {
			r.Field(i).Set(theirs(*kind.TupleElems[i], v.list[i]))
		}
	}
	return r
}

// TestPacking packs as go-ethereum does, unpacks what it packed, and writes text that is read as the same value.
func TestPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var arguments []argument
		var list []Identifier
		for i := range rapid.IntRange(0, 3).Draw(t, "arguments") {
			a, c := kinds(t, 0)
			a.Name = fmt.Sprintf("a%d", i)
			arguments, list = append(arguments, a), append(list, Identifier{Name: a.Name, Type: c})
		}
		parts, err := shapes(arguments, 0)
		if err != nil {
			t.Fatal(err)
		}
		if why := fitList(list, nil, parts, true); why != "" {
			t.Fatal(why)
		}
		text, err := json.Marshal([]entry{{Type: "function", Name: "f", Inputs: arguments}})
		if err != nil {
			t.Fatal(err)
		}
		oracle, err := abi.JSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var values []value
		var want []any
		for i := range parts {
			values = append(values, some(t, &parts[i]))
			want = append(want, theirs(oracle.Methods["f"].Inputs[i].Type, values[i]).Interface())
		}
		packed, err := pack(parts, values)
		if err != nil {
			t.Fatal(err)
		}
		theirPacked, err := oracle.Methods["f"].Inputs.Pack(want...)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(packed, theirPacked) {
			t.Fatalf("%x\n%x", packed, theirPacked)
		}
		if sig := (&entry{Name: "f", in: parts}).signature(); sig != oracle.Methods["f"].Sig {
			t.Fatalf("%s, not %s", sig, oracle.Methods["f"].Sig)
		}
		back, err := unpack(parts, packed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			text := writeValue(&list[i].Type, nil, back[i])
			if text != writeValue(&list[i].Type, nil, values[i]) {
				t.Fatalf("%s is not what was packed", text)
			}
			v, err := readValue(&list[i].Type, nil, text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if again := writeValue(&list[i].Type, nil, v); again != text {
				t.Fatalf("%s is read as %s", text, again)
			}
		}
	})
}

// TestUnpackingIsBounded gives offsets that all lead to one place: the work stays small.
func TestUnpackingIsBounded(t *testing.T) {
	parts, err := shapes([]argument{{Type: "uint256[][][][]"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	data := append(word(32), word(1000)...) // a list of 1000 lists, each of which is the same one of 1000 lists
	for range 1000 {
		data = append(data, word(32*1000)...)
	}
	for range 3 {
		data = append(data, word(1000)...)
		for range 1000 {
			data = append(data, word(32*1000)...)
		}
	}
	if _, err := unpack(parts, data); err == nil {
		t.Error("that is more than there is")
	}
	for _, odd := range [][]byte{nil, word(32), append(word(32), word(1)...), word(-1), append(word(32), bytes.Repeat([]byte{0xff}, 32)...)} {
		if _, err := unpack(parts, odd); err == nil {
			t.Errorf("%x is no list", odd)
		}
	}
}

// TestHostileABIs are refused or harmless: they come from uploads.
func TestHostileABIs(t *testing.T) {
	deep := "uint256"
	for range 100 {
		deep += "[]"
	}
	nested := `{"type":"uint8","name":"x"}`
	for range 50 {
		nested = `{"type":"tuple","name":"x","components":[` + nested + `]}`
	}
	for _, text := range []string{`{`, `[1]`, `[{"type":"function","name":"f","inputs":[{"type":"` + deep + `"}]}]`, `[{"type":"function","inputs":[` + nested + `]}]`, `[{"type":"function","inputs":[{"type":"]"}]}]`} {
		if _, err := readABI([]byte(text)); err == nil {
			t.Errorf("%.60s is read", text)
		}
	}
	for _, kind := range []string{"uint256[4294967296]", "uint256[0]", "uint256[-1]", "uint7", "uint", "uint264", "fixed128x18", "function", "bytes", "bytes32", "tuple", "string[65536][65536][65536]", "bytes32[]", "", "uint008"} {
		entries, err := readABI([]byte(`[{"type":"function","name":"f","inputs":[{"name":"a","type":"` + kind + `"}]},{"type":"function","name":"g","stateMutability":"view"}]`))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if s := &entries[0].in[0]; s.kind != 0 && kind != "string[65536][65536][65536]" {
			t.Errorf("%s is of kind %c", kind, s.kind)
		}
		if _, ok := tolerantABI(entries).Methods["g"]; !ok {
			t.Errorf("%s: the rest of the ABI is lost", kind)
		}
	}
}
