package solidity

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// artifact has the fields of all kinds of artifacts that are accepted: one
// contract (Hardhat, Foundry, Truffle), build information (Hardhat, Foundry),
// solc's standard JSON output or combined JSON, and our own Output.
type artifact struct {
	// one contract
	ContractName     string
	SourceName       string // Hardhat
	SourcePath       string // Truffle
	ABI              json.RawMessage
	Bytecode         json.RawMessage // a string, or Foundry's object
	DeployedBytecode json.RawMessage
	LinkReferences   map[string]map[string]json.RawMessage
	Metadata         json.RawMessage // an object, or text
	AST              json.RawMessage
	// Hardhat 3
	ImmutableReferences map[string][]struct{ Start, Length int }
	// build information
	Output          json.RawMessage
	SolcLongVersion string
	Input           struct {
		Sources map[string]struct{ Content string }
	}
	// solc, and our own
	Contracts json.RawMessage
	Version   string
	Compiler  json.RawMessage
}

// metadata is the part of solc's contract metadata that tells what made it.
type metadata struct {
	Compiler struct{ Version string }
	Settings struct {
		CompilationTarget map[string]string
		Optimizer         struct{ Enabled bool }
	}
}

// readArtifacts makes one Output of all artifacts of an upload.
func readArtifacts(s Sources) (*Output, error) {
	all := &Output{Contracts: []Contract{}}
	for _, name := range s.Names() {
		out, err := readArtifact(name, s[name])
		if err != nil {
			return nil, problem.Newf(ErrArtifact.Code, ErrArtifact.Next, "%s is no artifact that is known here", show(name)).From(err)
		}
		all.Contracts = append(all.Contracts, out.Contracts...)
		all.Messages = append(all.Messages, out.Messages...)
		all.Optimized = all.Optimized || out.Optimized
		if all.Compiler == "" {
			all.Compiler = out.Compiler
		}
	}
	if len(all.Contracts) == 0 {
		return nil, problem.New(ErrFileEmpty.Code, "the artifacts hold no contract", ErrFileEmpty.Next)
	}
	sortContracts(all.Contracts)
	return all, nil
}

func readArtifact(name string, data []byte) (*Output, error) {
	var a artifact
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, err
	}
	switch {
	case len(a.Output) > 0:
		sources := Sources{}
		for name, source := range a.Input.Sources {
			sources[name] = []byte(source.Content)
		}
		out, err := readStandard(a.Output, sources)
		if err == nil && out.Compiler == "" {
			out.Compiler = a.SolcLongVersion
		}
		return out, err
	case bytes.HasPrefix(bytes.TrimSpace(a.Contracts), []byte("[")):
		return ownOutput(data)
	case len(a.Contracts) > 0:
		return solcOutput(data, a)
	case len(a.ABI) > 0:
		return oneContract(name, a)
	}
	return nil, errors.New("it has neither abi nor contracts")
}

// ownOutput is an Output as this room writes it.
func ownOutput(data []byte) (*Output, error) {
	out := &Output{}
	if err := json.Unmarshal(data, out); err != nil {
		return nil, err
	}
	for i := range out.Contracts {
		c := &out.Contracts[i]
		made := Contract{Name: c.Name, ABI: c.ABI}
		if c.Name == "" || made.fromABI() != nil {
			return nil, errors.New("a contract in it has no name or no ABI")
		}
		for _, p := range c.Immutables {
			if p[0] < 0 || p[1] < 0 || p[0] > len(c.Runtime) || p[1] > len(c.Runtime)-p[0] {
				return nil, errors.New("an immutable lies outside its code")
			}
		}
	}
	return out, nil
}

// solcOutput is standard JSON output, or the combined JSON of solc --combined-json.
func solcOutput(data []byte, a artifact) (*Output, error) {
	var combined struct {
		Contracts map[string]struct {
			ABI        json.RawMessage
			Bin        *string
			BinRuntime string `json:"bin-runtime"`
			Metadata   json.RawMessage
		}
	}
	if json.Unmarshal(data, &combined) == nil {
		out := &Output{Compiler: a.Version}
		for key, c := range combined.Contracts {
			if c.Bin == nil {
				break // standard JSON has another level here
			}
			file, name := key[:max(strings.LastIndexByte(key, ':'), 0)], key[strings.LastIndexByte(key, ':')+1:]
			abi := c.ABI
			var text string
			if json.Unmarshal(abi, &text) == nil {
				abi = json.RawMessage(text) // older compilers write it as text
			}
			one := compiled{ABI: abi}
			one.EVM.Bytecode.Object, one.EVM.DeployedBytecode.Object = *c.Bin, c.BinRuntime
			made, err := one.contract(file, name)
			if err != nil {
				return nil, err
			}
			out.Contracts = append(out.Contracts, made)
		}
		if len(out.Contracts) > 0 {
			return out, nil
		}
	}
	out, err := readStandard(data, nil)
	if err != nil {
		return nil, err
	}
	var s standard
	_ = json.Unmarshal(data, &s) // it was read a moment ago
	for _, file := range s.Contracts {
		for _, c := range file {
			if m := readMetadata(c.Metadata); m.Compiler.Version != "" {
				out.Compiler, out.Optimized = m.Compiler.Version, m.Settings.Optimizer.Enabled
			}
		}
	}
	return out, nil
}

// oneContract is an artifact of Hardhat, Foundry or Truffle.
func oneContract(name string, a artifact) (*Output, error) {
	m := readMetadata(a.Metadata)
	contract, file := a.ContractName, a.SourceName
	for target, of := range m.Settings.CompilationTarget {
		if contract == "" {
			contract, file = of, target
		}
	}
	if contract == "" {
		contract = strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	if file == "" {
		file = path.Base(a.SourcePath)
		if a.SourcePath == "" {
			file = ""
		}
	}
	one := compiled{ABI: a.ABI}
	for _, part := range []struct {
		raw json.RawMessage
		to  *code
	}{{a.Bytecode, &one.EVM.Bytecode}, {a.DeployedBytecode, &one.EVM.DeployedBytecode}} {
		if len(part.raw) > 0 && json.Unmarshal(part.raw, &part.to.Object) != nil {
			if err := json.Unmarshal(part.raw, part.to); err != nil {
				return nil, err
			}
		}
	}
	if len(one.EVM.Bytecode.LinkReferences) == 0 {
		one.EVM.Bytecode.LinkReferences = a.LinkReferences
	}
	if len(one.EVM.DeployedBytecode.ImmutableReferences) == 0 {
		one.EVM.DeployedBytecode.ImmutableReferences = a.ImmutableReferences
	}
	made, err := one.contract(file, contract)
	if err != nil {
		return nil, err
	}
	t := newTree(nil)
	t.add(file, a.AST)
	t.describe(&made)
	out := &Output{Compiler: m.Compiler.Version, Optimized: m.Settings.Optimizer.Enabled, Contracts: []Contract{made}}
	if out.Compiler == "" {
		var truffle struct{ Version string }
		if json.Unmarshal(a.Compiler, &truffle) == nil {
			out.Compiler = truffle.Version
		}
	}
	return out, nil
}

// readMetadata reads metadata, which some tools write as text within JSON.
func readMetadata(raw json.RawMessage) (m metadata) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	_ = json.Unmarshal(raw, &m) // metadata of another form tells nothing
	return m
}
