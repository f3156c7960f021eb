package solidity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// node is the part of solc's syntax tree (the compact form, since 0.4.12) that
// is used here. Bodies of functions are not looked at.
type node struct {
	ID                      int
	NodeType                string
	Name                    string
	CanonicalName           string
	Src                     string // offset:length:file
	ContractKind            string
	Kind                    string
	Visibility              string
	StateMutability         string
	Abstract                bool
	FullyImplemented        bool
	IsConstructor           bool // before 0.5
	StateVariable           bool
	LinearizedBaseContracts []int
	Nodes                   []node
	Members                 []node
	Parameters              parameters
	ReturnParameters        parameters
	TypeDescriptions        struct{ TypeString string }
	UnderlyingType          *struct {
		TypeDescriptions struct{ TypeString string }
	}
}

type parameters struct{ Parameters []node }

// tree knows the definitions of all sources of one compilation.
type tree struct {
	sources   Sources
	contracts map[int]*node    // by id
	files     map[int]string   // file of a contract
	byName    map[string]*node // "file:name"
	enums     []enum
	aliases   map[string]string // user-defined value types: what is under them
}

type enum struct {
	contract int // id, 0 for one outside contracts
	file     string
	name     string
	members  []string
}

func newTree(sources Sources) *tree {
	return &tree{sources: sources, contracts: map[int]*node{}, files: map[int]string{}, byName: map[string]*node{}, aliases: map[string]string{}}
}

// add takes one source unit in; a tree of another form is left out.
func (t *tree) add(file string, ast json.RawMessage) {
	var unit node
	if len(ast) == 0 || json.Unmarshal(ast, &unit) != nil || unit.NodeType != "SourceUnit" {
		return
	}
	for i := range unit.Nodes {
		n := &unit.Nodes[i]
		t.define(n, file, 0)
		if n.NodeType != "ContractDefinition" {
			continue
		}
		t.contracts[n.ID], t.files[n.ID], t.byName[file+":"+n.Name] = n, file, n
		for j := range n.Nodes {
			t.define(&n.Nodes[j], file, n.ID)
		}
	}
}

func (t *tree) define(n *node, file string, contract int) {
	name := n.CanonicalName
	if name == "" {
		name = n.Name
	}
	switch n.NodeType {
	case "EnumDefinition":
		e := enum{contract: contract, file: file, name: name}
		for _, m := range n.Members {
			e.members = append(e.members, m.Name)
		}
		t.enums = append(t.enums, e)
	case "UserDefinedValueTypeDefinition":
		if n.UnderlyingType != nil {
			t.aliases[name] = n.UnderlyingType.TypeDescriptions.TypeString
		}
	}
}

// describe fills in what the syntax tree says about a contract.
func (t *tree) describe(c *Contract) {
	n := t.byName[c.File+":"+c.Name]
	if n == nil {
		return
	}
	c.Kind = n.ContractKind
	c.Abstract = n.Abstract || !n.FullyImplemented || n.ContractKind == "interface"
	c.Line = t.line(n, c.File)
	c.Variables, c.Functions, c.Creation = nil, nil, nil
	line := []*node{n}
	for _, id := range n.LinearizedBaseContracts {
		if b := t.contracts[id]; b != nil && b != n {
			line = append(line, b)
			c.Bases = append(c.Bases, b.Name)
		}
	}
	c.Enums = t.enumsOf(c.File, line)
	for _, b := range slices.Backward(line) {
		for i := range b.Nodes {
			if v := &b.Nodes[i]; v.NodeType == "VariableDeclaration" && v.StateVariable && v.Visibility == "public" {
				c.Variables = append(c.Variables, Variable{
					Name: v.Name, Type: internalType(v.TypeDescriptions.TypeString),
					File: t.files[b.ID], Line: t.line(v, t.files[b.ID]),
				})
			}
		}
	}
	seen := map[string]bool{}
	for _, v := range c.Variables {
		seen[v.Name+"()"] = true // a getter may stand for an interface's function
	}
	for _, b := range line {
		for i := range b.Nodes {
			f := &b.Nodes[i]
			if f.NodeType != "FunctionDefinition" {
				continue
			}
			made := t.function(f, t.files[b.ID])
			switch {
			case f.IsConstructor || f.Kind == "constructor":
				if b == n {
					c.Creation = &made
				}
				continue
			case f.Name == "" || f.Kind == "fallback" || f.Kind == "receive" || f.Visibility == "private" && b != n:
				continue
			}
			if key := made.key(); !seen[key] {
				seen[key] = true
				c.Functions = append(c.Functions, made)
			}
		}
	}
}

// enumsOf are the enums by name; where files have different ones of a name,
// those that the contract sees come first.
func (t *tree) enumsOf(file string, line []*node) map[string][]string {
	rank := func(e enum) int {
		for i, b := range line {
			if e.contract == b.ID {
				return i
			}
		}
		if e.file == file {
			return len(line)
		}
		return len(line) + 1
	}
	enums, ranks := map[string][]string{}, map[string]int{}
	for _, e := range t.enums {
		if have, ok := ranks[e.name]; !ok || rank(e) < have {
			enums[e.name], ranks[e.name] = e.members, rank(e)
		}
	}
	if len(enums) == 0 {
		return nil
	}
	return enums
}

func (t *tree) function(f *node, file string) Function {
	made := Function{Name: f.Name, Visibility: f.Visibility, Mutability: f.StateMutability, File: file, Line: t.line(f, file)}
	list := func(p parameters) (made []Parameter) {
		for _, v := range p.Parameters {
			internal := internalType(v.TypeDescriptions.TypeString)
			q := Parameter{Name: v.Name, Internal: internal}
			if f.Visibility == "public" || f.Visibility == "external" {
				q.Type = t.abiType(internal)
			}
			made = append(made, q)
		}
		return made
	}
	made.Parameters, made.Returns = list(f.Parameters), list(f.ReturnParameters)
	return made
}

// key is what an overriding function has in common with the overridden one.
func (f Function) key() string {
	types := make([]string, len(f.Parameters))
	for i, p := range f.Parameters {
		types[i] = p.Internal
	}
	return fmt.Sprintf("%s(%s)", f.Name, strings.Join(types, ","))
}

func (t *tree) line(n *node, file string) int {
	start, _, _ := strings.Cut(n.Src, ":")
	at, err := strconv.Atoi(start)
	if err != nil {
		return 0
	}
	line, _ := place(t.sources[file], at)
	return line
}

var locations = strings.NewReplacer(" storage ref", "", " storage pointer", "", " memory", "", " calldata", "", " storage", "")

// internalType is a tree's type as the ABI's internalType words it.
func internalType(text string) string { return locations.Replace(text) }

// abiType is the ABI's type of an internal one.
func (t *tree) abiType(internal string) string {
	if i := strings.LastIndexByte(internal, '['); i > 0 && strings.HasSuffix(internal, "]") && !strings.HasPrefix(internal, "mapping(") {
		return t.abiType(internal[:i]) + internal[i:]
	}
	word, name, _ := strings.Cut(internal, " ")
	switch word {
	case "address", "contract":
		return "address"
	case "struct":
		return "tuple"
	case "function":
		return "function"
	case "enum":
		for _, e := range t.enums {
			if e.name == name && len(e.members) > 256 { // only before 0.8
				return "uint16"
			}
		}
		return "uint8"
	}
	if under, ok := t.aliases[internal]; ok {
		return internalType(under)
	}
	return internal
}
