// Package solidity turns uploaded contract code into what the rest of App
// Builder needs to know of it: interfaces, bytecode, enums, state variables.
//
// It reads what people upload (.sol, .zip, or artifacts of Hardhat, Foundry and
// solc), chooses the compiler that the sources' pragmas ask for, and runs it in
// a child process of the same program with limits of memory and time. Compilers
// are the published builds of solc for JavaScript, kept as files in a directory
// and added by a person; nothing here ever downloads one, and none is linked
// into the program (solc is GPL-3.0). Output is byte for byte what the same
// build answers under Node.js.
//
// It knows neither applications nor ledgers: what of the code belongs to which
// workflow is decided in internal/builder/workflow.
package solidity

import "encoding/json"

// Output is what a compilation, or a reading of ready-made artifacts, gave. It
// is kept in the journal, so its JSON form only ever grows.
type Output struct {
	Compiler  string     `json:"compiler"` // such as "0.5.17+commit.d19bba13.Emscripten.clang"; "" where an artifact does not say
	Optimized bool       `json:"optimized,omitempty"`
	Contracts []Contract `json:"contracts"` // by file, then in the order of the file
	Messages  []Message  `json:"messages,omitempty"`
}

// Contract is one contract, interface or library. Where it comes from an
// artifact without a syntax tree, Bases, Enums and Line are empty, and Variables
// and Functions say what the ABI shows.
type Contract struct {
	Name       string              `json:"name"`
	File       string              `json:"file"`               // path within the sources; "" if an artifact does not say
	Line       int                 `json:"line,omitempty"`     // 1-based, of its definition
	Kind       string              `json:"kind,omitempty"`     // contract, interface, library
	Abstract   bool                `json:"abstract,omitempty"` // cannot be deployed: interfaces, abstract contracts and those with functions without a body
	ABI        json.RawMessage     `json:"abi"`
	Bytecode   []byte              `json:"bytecode,omitempty"` // creation code, without constructor arguments
	Runtime    []byte              `json:"runtime,omitempty"`  // code at its address after creation, immutables zero
	Bases      []string            `json:"bases,omitempty"`    // names of all contracts it inherits from, nearest first, without itself
	Enums      map[string][]string `json:"enums,omitempty"`    // members in order, by the name that an internal type has after "enum ", such as "Market.StateType"
	Variables  []Variable          `json:"variables,omitempty"`
	Functions  []Function          `json:"functions,omitempty"`   // its own and inherited ones, overridden ones once; no getters, no constructor
	Creation   *Function           `json:"constructor,omitempty"` // nil where the code writes none
	Immutables [][2]int            `json:"immutables,omitempty"`  // offset and length in Runtime
	Unlinked   []string            `json:"unlinked,omitempty"`    // libraries that must be deployed first; then Bytecode and Runtime are empty
}

// Variable is a public state variable, in the order of declaration, bases first.
type Variable struct {
	Name string `json:"name"`
	Type string `json:"type"` // the internal type: "uint256", "address", "contract Player", "enum Market.StateType", "int256[3]", "mapping(address => bool)"
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Function is a function as its definition says it.
type Function struct {
	Name       string      `json:"name"`
	Parameters []Parameter `json:"parameters,omitempty"`
	Returns    []Parameter `json:"returns,omitempty"`
	Visibility string      `json:"visibility"` // external, public, internal, private
	Mutability string      `json:"mutability"` // pure, view, nonpayable, payable
	File       string      `json:"file,omitempty"`
	Line       int         `json:"line,omitempty"`
}

// Parameter is one argument or return value. Type is the ABI's ("uint8",
// "address", "tuple[]"); it is "" in functions that are not external or public.
type Parameter struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Internal string `json:"internal"` // as Variable.Type
}

// Message is what the compiler had to say. Line and Column are 1-based, 0 where
// it names no place.
type Message struct {
	Severity string `json:"severity"`       // error, warning, info
	Code     string `json:"code,omitempty"` // the compiler's kind, such as ParserError, TypeError, Warning
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Text     string `json:"text"`
}

// Errors are the messages that kept the code from compiling.
func (o *Output) Errors() []Message {
	var list []Message
	for _, m := range o.Messages {
		if m.Severity == "error" {
			list = append(list, m)
		}
	}
	return list
}

// Named lists the contracts of a name, of which several files may have one each.
func (o *Output) Named(name string) []*Contract {
	var list []*Contract
	for i := range o.Contracts {
		if o.Contracts[i].Name == name {
			list = append(list, &o.Contracts[i])
		}
	}
	return list
}
