package solidity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// standard is what solc answers to standard JSON, and what build information of
// Hardhat and Foundry holds as "output".
type standard struct {
	Errors []struct {
		Severity, Type, Message string
		FormattedMessage        string
		SourceLocation          *struct {
			File       string
			Start, End int
		}
	}
	Sources   map[string]struct{ AST json.RawMessage }
	Contracts map[string]map[string]compiled
}

// compiled is one contract of it; Foundry's artifacts have the same parts.
type compiled struct {
	ABI      json.RawMessage
	Metadata json.RawMessage
	EVM      struct{ Bytecode, DeployedBytecode code }
}

type code struct {
	Object              string
	LinkReferences      map[string]map[string]json.RawMessage
	ImmutableReferences map[string][]struct{ Start, Length int }
}

// readStandard makes an Output. sources are for lines, where they are known.
func readStandard(data []byte, sources Sources) (*Output, error) {
	var s standard
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("the compiler's answer: %w", err)
	}
	out := &Output{Contracts: []Contract{}}
	for _, e := range s.Errors {
		m := Message{Severity: e.Severity, Code: e.Type, Text: plainer(e.Message)}
		if m.Text == "" {
			m.Text = strings.TrimSpace(e.FormattedMessage)
		}
		if at := e.SourceLocation; at != nil {
			m.File = at.File
			m.Line, m.Column = place(sources[at.File], at.Start)
		}
		out.Messages = append(out.Messages, m)
	}
	tree := newTree(sources)
	for file, source := range s.Sources {
		tree.add(file, source.AST)
	}
	for file, contracts := range s.Contracts {
		for name, c := range contracts {
			made, err := c.contract(file, name)
			if err != nil {
				return nil, err
			}
			tree.describe(&made)
			out.Contracts = append(out.Contracts, made)
		}
	}
	sortContracts(out.Contracts)
	return out, nil
}

func sortContracts(list []Contract) {
	slices.SortFunc(list, func(a, b Contract) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// plainer puts the compiler's words for a missing file into ours.
func plainer(text string) string {
	for _, tail := range []string{"File not supplied initially.", "File import callback not supported", "File not found."} {
		if before, ok := strings.CutSuffix(text, tail); ok {
			return before + "it is not in the upload"
		}
	}
	return text
}

// contract decodes one contract without its syntax tree.
func (c compiled) contract(file, name string) (Contract, error) {
	made := Contract{Name: name, File: file, ABI: c.ABI}
	if !json.Valid(made.ABI) || !bytes.HasPrefix(bytes.TrimSpace(made.ABI), []byte("[")) {
		return made, fmt.Errorf("contract %s has no ABI", show(name))
	}
	for _, part := range []struct {
		code code
		to   *[]byte
	}{{c.EVM.Bytecode, &made.Bytecode}, {c.EVM.DeployedBytecode, &made.Runtime}} {
		for _, libraries := range part.code.LinkReferences {
			for library := range libraries {
				if !slices.Contains(made.Unlinked, library) {
					made.Unlinked = append(made.Unlinked, library)
				}
			}
		}
		text := strings.TrimPrefix(part.code.Object, "0x")
		if strings.Contains(text, "_") { // the place of a library's address
			if len(made.Unlinked) == 0 {
				made.Unlinked = []string{strings.Trim(text[strings.Index(text, "_"):][:min(40, len(text)-strings.Index(text, "_"))], "_$")}
			}
			continue
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			return made, fmt.Errorf("the bytecode of %s: %w", show(name), err)
		}
		if len(raw) > 0 {
			*part.to = raw
		}
	}
	slices.Sort(made.Unlinked)
	if len(made.Unlinked) > 0 {
		made.Bytecode, made.Runtime = nil, nil
	}
	for _, places := range c.EVM.DeployedBytecode.ImmutableReferences {
		for _, p := range places {
			if p.Start < 0 || p.Length < 0 || p.Start > len(made.Runtime) || p.Length > len(made.Runtime)-p.Start {
				if len(made.Unlinked) > 0 {
					continue
				}
				return made, fmt.Errorf("an immutable of %s lies outside its code", show(name))
			}
			made.Immutables = append(made.Immutables, [2]int{p.Start, p.Length})
		}
	}
	slices.SortFunc(made.Immutables, func(a, b [2]int) int { return a[0] - b[0] })
	made.Abstract = len(made.Bytecode) == 0 && len(made.Unlinked) == 0
	return made, made.fromABI()
}

// place is the line and column of a byte, both 0 where it is not in the text.
func place(text []byte, at int) (line, column int) {
	if at < 0 || at > len(text) || text == nil {
		return 0, 0
	}
	before := text[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}

// fromABI fills variables and functions with what the ABI shows; a syntax tree
// says it better.
func (c *Contract) fromABI() error {
	type value struct{ Name, Type, InternalType string }
	var entries []struct {
		Type, Name, StateMutability string
		Constant, Payable           bool
		Inputs, Outputs             []value
	}
	if err := json.Unmarshal(c.ABI, &entries); err != nil {
		return fmt.Errorf("the ABI of %s: %w", show(c.Name), err)
	}
	list := func(values []value) (made []Parameter) {
		for _, v := range values {
			internal := v.InternalType
			if internal == "" {
				internal = v.Type
			}
			made = append(made, Parameter{Name: v.Name, Type: v.Type, Internal: internal})
		}
		return made
	}
	for _, e := range entries {
		f := Function{Name: e.Name, Parameters: list(e.Inputs), Returns: list(e.Outputs), Visibility: "public", Mutability: e.StateMutability}
		switch {
		case f.Mutability != "":
		case e.Constant:
			f.Mutability = "view"
		case e.Payable:
			f.Mutability = "payable"
		default:
			f.Mutability = "nonpayable"
		}
		switch {
		case e.Type == "constructor":
			c.Creation = &f
		case e.Type != "function" && e.Type != "":
		default:
			c.Functions = append(c.Functions, f)
			// A getter looks like any function that reads and takes nothing.
			if f.Mutability == "view" && len(f.Parameters) == 0 && len(f.Returns) == 1 && f.Returns[0].Name == "" {
				c.Variables = append(c.Variables, Variable{Name: f.Name, Type: f.Returns[0].Internal})
			}
		}
	}
	return nil
}
