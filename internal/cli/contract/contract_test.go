package contract

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

func word256(n int64) []byte { return common.BigToHash(big.NewInt(n)).Bytes() }

func token(t *testing.T) *Interface {
	t.Helper()
	data, err := os.ReadFile("../../../test/contracts/Token.json")
	if err != nil {
		t.Fatal(err)
	}
	i, err := Read("dir/Token.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestSignatures(t *testing.T) {
	for text, want := range map[string]string{
		"balanceOf(address)(uint256)": "balanceOf(address) (uint256)",
		"f()":                         "f() ()",
		" f( uint , int[] )( ) ":      "f(uint256,int256[]) ()",
		"function f(address owner) external view returns (uint8 n, bool)":   "f(address) (uint8,bool)",
		"f((uint8,(bytes32,string)[2])[] memory rules, address payable to)": "f((uint8,(bytes32,string)[2])[],address) ()",
		"f(tuple(uint8 a, bool b)[3] x, function)":                          "f((uint8,bool)[3],function) ()",
	} {
		f, err := Signature(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := f.Signature() + " (" + typesOf(f.Outputs) + ")"; got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
	for _, text := range []string{
		"", "f", "f(", "f)", "(uint256)", "f(uint7)", "f(uint264)", "f(bytes33)", "f(bytes0)", "f(uint08)", "f(foo)", "f(uint256", "f(uint256))",
		"f(uint256[)", "f(uint256[0])", "f(uint256[-1])", "f(uint256[99999999])", "f(uint256[60000][60000])", "f(,)", "f(uint256,)", "f()(uint256)x",
		"f() sneaky (uint256)", "1f()", "f()()()", "f(uint256 1)", strings.Repeat("(", 5000), "f" + strings.Repeat("(", 100) + strings.Repeat(")", 100),
		"f(uint8" + strings.Repeat("[]", 40) + ")",
	} {
		if f, err := Signature(text); err == nil {
			t.Errorf("%q is read as %s", text, f.Signature())
		}
	}
}

func TestArguments(t *testing.T) {
	const someone = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
	for _, c := range []struct{ types, text, want string }{
		{"uint256", "1.5ether", "1500000000000000000"},
		{"uint256", "2gwei", "2000000000"},
		{"uint256", "0xff", "255"},
		{"uint8", "255", "255"},
		{"int8", "-128", "-128"},
		{"int256", "-1", "-1"},
		{"bool", "true", "true"},
		{"address", strings.ToLower(someone), someone},
		{"bytes3", "0x010203", "0x010203"},
		{"bytes", "0x", "0x"},
		{"string", "a, (b) [c] \"d\"", `"a, (b) [c] \"d\""`},
		{"uint8[]", "[]", "[]"},
		{"uint8[]", "[1, 2,3]", "[1, 2, 3]"},
		{"string[2]", `["a,b", c]`, `["a,b", "c"]`},
		{"(uint8,(bool,string)[])", `(1,[(true,"x)"),(false,)])`, `(1, [(true, "x)"), (false, "")])`},
	} {
		f, err := Signature("f(" + c.types + ")")
		if err != nil {
			t.Fatal(err)
		}
		values, err := f.Arguments([]string{c.text})
		if err != nil {
			t.Errorf("%s %s: %v", c.types, c.text, err)
			continue
		}
		if got := values[0].Text(); got != c.want {
			t.Errorf("%s %s is %s, not %s", c.types, c.text, got, c.want)
		}
		again, err := decode(f.Inputs, encode(values))
		if err != nil || again[0].Text() != c.want {
			t.Errorf("%s %s comes back as %v, %v", c.types, c.text, Line(again), err)
		}
	}
	for _, c := range []struct{ types, text, says string }{
		{"uint8", "256", "does not fit uint8"},
		{"uint8", "-1", "does not fit uint8"},
		{"int8", "128", "does not fit int8"},
		{"uint256", "", "write a number"},
		{"uint256", "--1", "write a number"},
		{"uint256", "1e18", "write a number"},
		{"uint256", "1.5", "write a number"},
		{"uint256", "0x-1", "write a number"},
		{"uint256", strings.Repeat("9", 101), "write a number"},
		{"bool", "yes", "write true or false"},
		{"address", someone[:41], "0x and 40"},
		{"address", strings.Replace(someone, "7099", "7098", 1), "EIP-55"},
		{"bytes4", "0x0102", "2 bytes instead of 4"},
		{"bytes", "0x1", "hexadecimal"},
		{"bytes", "ff", "hexadecimal"},
		{"uint8[2]", "[1]", "1 values instead of 2"},
		{"uint8[]", "(1)", "write it in brackets"},
		{"(uint8,uint8)", "(1)", "1 members instead of 2"},
		{"string[]", `["a]`, "not closed"},
		{"uint8[]", "[[]", "not closed"},
	} {
		f, err := Signature("f(" + c.types + ")")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Arguments([]string{c.text}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %v, not %q", c.types, c.text, err, c.says)
		}
	}
}

// TestDecodesAsTheLibrary compares with go-ethereum what the token's functions,
// events and errors are, and how a call is encoded.
func TestDecodesAsTheLibrary(t *testing.T) {
	i := token(t)
	var artefact struct{ ABI json.RawMessage }
	data, err := os.ReadFile("../../../test/contracts/Token.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &artefact); err != nil {
		t.Fatal(err)
	}
	known, err := abi.JSON(bytes.NewReader(artefact.ABI))
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Functions) != len(known.Methods) || len(i.Events) != len(known.Events) || len(i.Errors) != len(known.Errors) {
		t.Fatalf("%d functions, %d events, %d errors", len(i.Functions), len(i.Events), len(i.Errors))
	}
	for _, f := range i.Functions {
		if m := known.Methods[f.Name]; m.Sig != f.Signature() || !bytes.Equal(m.ID, f.Selector()) {
			t.Errorf("%s: %s %x", m.Sig, f.Signature(), f.Selector())
		}
	}
	for _, e := range i.Events {
		if known.Events[e.Name].ID != e.Topic() {
			t.Errorf("the topic of %s is %s", e.Name, e.Topic())
		}
	}
	to := common.HexToAddress("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
	call, err := known.Pack("transfer", to, big.NewInt(25))
	if err != nil {
		t.Fatal(err)
	}
	f, err := i.Function("transfer", 2)
	if err != nil {
		t.Fatal(err)
	}
	values, err := f.Arguments([]string{to.Hex(), "25"})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Call(values); !bytes.Equal(got, call) {
		t.Errorf("encoded %x, not %x", got, call)
	}
	if d := (Interfaces{i}).Call(call); d == nil || d.String() != "Token.transfer(to="+to.Hex()+", value=25)" {
		t.Errorf("decoded %v", d)
	}
}

func TestDecoded(t *testing.T) {
	l := Interfaces{token(t)}
	a := common.BytesToHash(bytes.Repeat([]byte{0x11}, 20))
	transfer := l[0].Events[1]
	if transfer.Name != "Transfer" {
		transfer = l[0].Events[0]
	}
	d := l.Event([]common.Hash{transfer.Topic(), a, {}}, word256(7))
	if d == nil || d.String() != "Token.Transfer(from=0x1111111111111111111111111111111111111111, to=0x0000000000000000000000000000000000000000, value=7)" {
		t.Fatalf("decoded %v", d)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"contract":"Token","name":"Transfer","values":[{"name":"from","type":"address","value":"0x1111111111111111111111111111111111111111"},` +
		`{"name":"to","type":"address","value":"0x0000000000000000000000000000000000000000"},{"name":"value","type":"uint256","value":"7"}]}`
	if string(text) != want {
		t.Errorf("%s", text)
	}
	// As ERC-721 has it: a third topic, no data.
	if d := l.Event([]common.Hash{transfer.Topic(), a, a, a}, nil); d != nil {
		t.Errorf("decoded %v", d)
	}
	creation := append(bytes.Clone(l[0].creation), encode(must(t, l[0].constructor.Inputs, "Garden", "GDN", "1000"))...)
	if d := l.Creation(creation); d == nil || d.String() != `Token.constructor(name_="Garden", symbol_="GDN", supply=1000)` {
		t.Errorf("decoded %v", d)
	}
}

func must(t *testing.T, inputs []Field, texts ...string) []Value {
	t.Helper()
	f := Function{Name: "f", Inputs: inputs}
	values, err := f.Arguments(texts)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestReverts(t *testing.T) {
	l := Interfaces{token(t)}
	reason := append(builtin[0].Selector(), encode(must(t, builtin[0].Inputs, "no \x1b[31mway\u202e"))...)
	overflow := append(builtin[1].Selector(), word256(0x11)...)
	unknown := append(builtin[1].Selector(), bytes.Repeat([]byte{0xff}, 32)...)
	custom := l[0].Errors[0].Call(must(t, l[0].Errors[0].Inputs, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "1", "2"))
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "without a reason"},
		{reason, `"no \x1b[31mway\u202e"`},
		{reason[:50], "custom error 0x08c379a0 with 46 bytes, which no given ABI explains"},
		{overflow, "panic 0x11: an arithmetic operation overflowed"},
		{unknown, "panic 115792089237316195423570985008687907853269984665640564039457584007913129639935"},
		{custom, "Token.Allowance(spender=0x70997970C51812dc3A010C7d01b50e0d17dc79C8, allowed=1, wanted=2)"},
		{[]byte{1, 2}, "with the data 0x0102"},
	} {
		d := l.Revert(c.data)
		d = strings.TrimPrefix(d, "Token.")
		if d != strings.TrimPrefix(c.want, "Token.") {
			t.Errorf("%x: %s", c.data, d)
		}
	}
}

// TestHostileData decodes encodings that a contract could make to exhaust whoever
// decodes them, and interfaces that a compiler never writes.
func TestHostileData(t *testing.T) {
	// Each list has 500 elements, all of them one and the same list behind it.
	data := word256(0x20)
	for range 4 {
		data = append(data, word256(500)...)
		data = append(data, bytes.Repeat(word256(500*word), 500)...)
	}
	for _, c := range []struct {
		types string
		data  []byte
	}{
		{"uint256[][][][]", data},
		{"uint256[]", bytes.Repeat([]byte{0xff}, 64)},
		{"()[]", append(word256(0x20), word256(1<<30)...)},
		{"bytes", append(word256(0x20), word256(1<<20)...)},
		{"string", word256(0x40)},
		{"uint8", word256(256)},
		{"bool", word256(2)},
		{"int8", word256(200)},
		{"bytes1", word256(1)},
	} {
		f, err := Signature("f(" + c.types + ")")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := decode(f.Inputs, c.data); err == nil {
			t.Errorf("%s is decoded as %.60s", c.types, Line(v))
		}
	}
	for _, text := range []string{
		``, `[`, `{}`, `7`, `{"abi":7}`, `[{"type":"function","inputs":[{"type":"uint7"}]}]`,
		`[{"type":"function","inputs":[{"type":"uint256[99999999999]"}]}]`,
		`[{"type":"function","inputs":[` + strings.Repeat(`{"type":"tuple","components":[`, 40) + strings.Repeat(`]}`, 40) + `]}]`,
		`[{"type":"function","inputs":[{"type":"tuple[60000]","components":[{"type":"uint8[60000]"}]}]}]`,
	} {
		if _, err := Read("x.json", []byte(text)); err == nil {
			t.Errorf("%.80s is taken for an interface", text)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	list := must(t, []Field{{Type: mustType(t, "string[]")}}, "["+strings.Repeat("abcdefgh,", 10_000)+"z]")
	if text := list[0].Text(); len(text) > 8<<10 || !strings.Contains(text, " more") {
		t.Errorf("%d bytes", len(text))
	}
	long := must(t, []Field{{Type: mustType(t, "bytes")}}, "0x"+strings.Repeat("ab", 5000))
	if text := long[0].Text(); len(text) > 4<<10 || !strings.HasSuffix(text, "… (5000 bytes)") {
		t.Errorf("%d bytes", len(text))
	}
	for wei, want := range map[string]string{"0": "0", "1": "0.000000000000000001", "1500000000000000000": "1.5", "10000000000000000000000": "10000"} {
		n, _ := new(big.Int).SetString(wei, 10)
		if got := Ether(n); got != want {
			t.Errorf("%s wei are %s ether, not %s", wei, got, want)
		}
	}
}

func mustType(t *testing.T, name string) *Type {
	t.Helper()
	typed, err := newType(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return typed
}
