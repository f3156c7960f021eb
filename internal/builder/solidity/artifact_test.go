package solidity

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

const (
	abiOfC = `[{"type":"constructor","inputs":[{"name":"price","type":"int256","internalType":"int256"}],"stateMutability":"nonpayable"},
		{"type":"function","name":"State","inputs":[],"outputs":[{"name":"","type":"uint8","internalType":"enum C.StateType"}],"stateMutability":"view"},
		{"type":"function","name":"pay","inputs":[{"name":"who","type":"address","internalType":"address"}],"outputs":[],"stateMutability":"nonpayable"}]`
	oldABI = `[{"type":"function","name":"get","constant":true,"payable":false,"inputs":[],"outputs":[{"name":"","type":"uint256"}]},
		{"type":"function","name":"put","constant":false,"payable":true,"inputs":[],"outputs":[]}]`
	meta  = `{"compiler":{"version":"0.8.37+commit.x"},"settings":{"optimizer":{"enabled":true},"compilationTarget":{"src/C.sol":"C"}}}`
	treeC = `{"nodeType":"SourceUnit","id":9,"src":"0:90:0","nodes":[{"nodeType":"ContractDefinition","id":8,"name":"C","contractKind":"contract","fullyImplemented":true,
		"linearizedBaseContracts":[8,77],"src":"0:80:0","nodes":[{"nodeType":"EnumDefinition","id":3,"name":"StateType","canonicalName":"C.StateType","members":[{"name":"A"},{"name":"B"}],"src":"1:2:0"},
		{"nodeType":"VariableDeclaration","id":4,"name":"State","stateVariable":true,"visibility":"public","typeDescriptions":{"typeString":"enum C.StateType"},"src":"3:4:0"}]}]}`
)

func quote(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

func TestArtifacts(t *testing.T) {
	code := `"0x6001"`
	for name, x := range map[string]struct {
		json     string
		contract string
		compiler string
	}{
		"hardhat":  {`{"_format":"hh-sol-artifact-1","contractName":"C","sourceName":"contracts/C.sol","abi":` + abiOfC + `,"bytecode":` + code + `,"deployedBytecode":"0x02","linkReferences":{},"deployedLinkReferences":{}}`, "C", ""},
		"hardhat3": {`{"_format":"hh3-artifact-1","contractName":"C","sourceName":"contracts/C.sol","abi":` + abiOfC + `,"bytecode":` + code + `,"deployedBytecode":"0x02","linkReferences":{},"immutableReferences":{"7":[{"start":0,"length":1}]}}`, "C", ""},
		"foundry":  {`{"abi":` + abiOfC + `,"bytecode":{"object":` + code + `,"linkReferences":{}},"deployedBytecode":{"object":"0x02","immutableReferences":{"7":[{"start":0,"length":1}]}},"metadata":` + meta + `,"ast":` + treeC + `,"id":3}`, "C", "0.8.37+commit.x"},
		"truffle":  {`{"contractName":"C","abi":` + abiOfC + `,"bytecode":` + code + `,"deployedBytecode":"0x02","ast":` + treeC + `,"compiler":{"name":"solc","version":"0.5.16"},"sourcePath":"/home/someone/C.sol"}`, "C", "0.5.16"},
		"standard": {`{"contracts":{"C.sol":{"C":{"abi":` + abiOfC + `,"metadata":` + quote(meta) + `,"evm":{"bytecode":{"object":"6001"},"deployedBytecode":{"object":"02"}}}}},"sources":{"C.sol":{"id":0,"ast":` + treeC + `}}}`, "C", "0.8.37+commit.x"},
		"build":    {`{"_format":"hh-sol-build-info-1","solcLongVersion":"0.8.37+commit.x","input":{"sources":{"C.sol":{"content":"\n\ncontract C {}"}}},"output":{"contracts":{"C.sol":{"C":{"abi":` + abiOfC + `,"evm":{"bytecode":{"object":"6001"},"deployedBytecode":{"object":"02"}}}}},"sources":{"C.sol":{"id":0,"ast":` + treeC + `}}}}`, "C", "0.8.37+commit.x"},
		"combined": {`{"contracts":{"a/C.sol:C":{"abi":` + abiOfC + `,"bin":"6001","bin-runtime":"02"}},"version":"0.8.37+commit.x"}`, "C", "0.8.37+commit.x"},
		"older":    {`{"contracts":{"C.sol:C":{"abi":` + quote(abiOfC) + `,"bin":"6001","bin-runtime":"02"}},"version":"0.5.1"}`, "C", "0.5.1"},
		"own":      {`{"compiler":"0.8.37+commit.x","contracts":[{"name":"C","file":"C.sol","abi":` + abiOfC + `,"bytecode":"YAE=","runtime":"Ag=="}]}`, "C", "0.8.37+commit.x"},
		"bare":     {`{"abi":` + abiOfC + `,"bytecode":` + code + `}`, "bare", ""},
	} {
		s, err := ReadSources(name+".json", []byte(x.json))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := (&Compilers{}).Compile(t.Context(), s, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(out.Contracts) != 1 || out.Compiler != x.compiler {
			t.Errorf("%s: %+v", name, out)
			continue
		}
		c := out.Contracts[0]
		if c.Name != x.contract || !bytes.Equal(c.Bytecode, []byte{0x60, 1}) || c.Abstract {
			t.Errorf("%s: %+v", name, c)
		}
		if name != "own" && (!slices.ContainsFunc(c.Variables, func(v Variable) bool { return v.Name == "State" && v.Type == "enum C.StateType" })) {
			t.Errorf("%s: variables %+v", name, c.Variables)
		}
		if bytes.Contains([]byte(x.json), []byte("EnumDefinition")) && !reflect.DeepEqual(c.Enums, map[string][]string{"C.StateType": {"A", "B"}}) {
			t.Errorf("%s: enums %v", name, c.Enums)
		}
		if name == "foundry" && (!out.Optimized || len(c.Immutables) != 1 || c.File != "src/C.sol") {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestArtifactsThatAreNone(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `null`, `"x"`, `{"abi":{}}`, `{"abi":"x"}`, `{"abi":[1]}`, `{"abi":[],"bytecode":"0xzz"}`, `{"abi":[],"bytecode":7}`, `{"contracts":7}`,
		`{"contracts":{"a":{"b":{}}}}`, `{"contracts":[{"name":"","abi":[]}]}`, `{"contracts":[{"name":"C","abi":[],"immutables":[[5,1]]}]}`, `{`,
		`{"abi":[],"deployedBytecode":{"object":"02","immutableReferences":{"7":[{"start":0,"length":2}]}}}`,
		`{"output":{"contracts":{"a":{"b":{"abi":3}}}}}`,
	} {
		out, err := readArtifacts(Sources{"x.json": []byte(text)})
		if !errors.Is(err, ErrArtifact) && !errors.Is(err, ErrFileEmpty) {
			t.Errorf("%s: %+v %v", text, out, err)
		}
	}
	// A contract whose libraries are not there has no code, and an interface none either.
	out, err := readArtifacts(Sources{"x.json": []byte(`{"contractName":"C","abi":[],"bytecode":"0x60__$aabb$__60","linkReferences":{"l.sol":{"Lib":[]}}}`)})
	if err != nil || len(out.Contracts[0].Bytecode) != 0 || !slices.Equal(out.Contracts[0].Unlinked, []string{"Lib"}) || out.Contracts[0].Abstract {
		t.Errorf("%+v %v", out, err)
	}
	out, err = readArtifacts(Sources{"x.json": []byte(`{"contractName":"I","abi":` + oldABI + `,"bytecode":"0x"}`)})
	if err != nil || !out.Contracts[0].Abstract || out.Contracts[0].Functions[0].Mutability != "view" || out.Contracts[0].Functions[1].Mutability != "payable" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestOutputSurvivesItsJSON(t *testing.T) {
	out, err := readArtifacts(Sources{"x.json": []byte(`{"contractName":"C","abi":` + abiOfC + `,"bytecode":"0x6001","deployedBytecode":"0x02","ast":` + treeC + `}`)})
	if err != nil {
		t.Fatal(err)
	}
	out.Compiler = "0.8.37"
	out.Messages = []Message{{Severity: "warning", Text: "x", Line: 1, Column: 2, File: "C.sol"}}
	data, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	again, err := readArtifacts(Sources{"own.json": data})
	if err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(again)
	if err != nil || !bytes.Equal(data, second) {
		t.Errorf("%s\n%s %v", data, second, err)
	}
}

func TestMessagesNameTheirPlace(t *testing.T) {
	out, err := readStandard([]byte(`{"errors":[
		{"component":"general","severity":"error","type":"TypeError","message":"wrong","formattedMessage":"...","sourceLocation":{"file":"C.sol","start":14,"end":15}},
		{"severity":"warning","type":"Warning","message":"","formattedMessage":"  odd \n"},
		{"severity":"error","type":"ParserError","message":"Source \"x.sol\" not found: File not supplied initially.","sourceLocation":{"file":"C.sol","start":-1,"end":-1}},
		{"severity":"error","type":"X","message":"far","sourceLocation":{"file":"C.sol","start":4000,"end":-1}}]}`),
		Sources{"C.sol": []byte("// é\ncontr ü x {}")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Message{
		{Severity: "error", Code: "TypeError", File: "C.sol", Line: 2, Column: 8, Text: "wrong"},
		{Severity: "warning", Code: "Warning", Text: "odd"},
		{Severity: "error", Code: "ParserError", File: "C.sol", Text: `Source "x.sol" not found: it is not in the upload`},
		{Severity: "error", Code: "X", File: "C.sol", Text: "far"},
	}
	if !reflect.DeepEqual(out.Messages, want) {
		t.Errorf("%+v", out.Messages)
	}
	if len(out.Errors()) != 3 {
		t.Error(len(out.Errors()))
	}
}

func FuzzArtifacts(f *testing.F) {
	f.Add([]byte(`{"contractName":"C","abi":` + abiOfC + `,"bytecode":"0x6001","ast":` + treeC + `}`))
	f.Add([]byte(`{"contracts":{"C.sol":{"C":{"abi":` + oldABI + `,"evm":{"bytecode":{"object":"6001"}}}}},"sources":{"C.sol":{"ast":` + treeC + `}}}`))
	f.Add([]byte(`{"contracts":{"C.sol:C":{"abi":"[]","bin":"60"}},"version":"1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := readArtifacts(Sources{"x.json": data})
		if err != nil {
			if problem.CodeOf(err) == "INTERNAL" {
				t.Fatal(err)
			}
			return
		}
		if _, err := json.Marshal(out); err != nil {
			t.Fatal(err)
		}
	})
}
