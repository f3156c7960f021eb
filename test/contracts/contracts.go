// Package contracts holds the Solidity contracts that tests deploy, with their
// compiled form beside the source. `make contracts` compiles them again, and a
// test of test/clients compares. Nothing of the product imports it.
package contracts

import (
	"embed"
	"encoding/json"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

//go:embed Token.json Diary.json
var files embed.FS

// Contract is a compiled contract.
type Contract struct {
	ABI      abi.ABI
	Bytecode []byte
}

// Token is an ERC-20.
var Token = load("Token")

// Diary writes what it is given to storage, a mapping, a topic and log data.
var Diary = load("Diary")

func load(name string) Contract {
	text, err := files.ReadFile(name + ".json")
	if err != nil {
		panic(err) // embedded
	}
	var artefact struct {
		ABI      json.RawMessage
		Bytecode string
	}
	if err := json.Unmarshal(text, &artefact); err != nil {
		panic(err)
	}
	parsed, err := abi.JSON(strings.NewReader(string(artefact.ABI)))
	if err != nil {
		panic(err)
	}
	return Contract{ABI: parsed, Bytecode: common.FromHex(artefact.Bytecode)}
}

// Deploy is the call data that creates the contract with the given constructor
// arguments.
func (c Contract) Deploy(args ...any) []byte {
	return append(append([]byte{}, c.Bytecode...), c.Call("", args...)...)
}

// Call is the call data of a method. It panics when the arguments do not fit:
// they are written in the tests.
func (c Contract) Call(method string, args ...any) []byte {
	data, err := c.ABI.Pack(method, args...)
	if err != nil {
		panic(err)
	}
	return data
}
