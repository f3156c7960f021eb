// Package sample holds the applications that a development network begins with.
// Their artifacts are compiled beforehand (go generate), so that nothing has to
// be compiled at the first start; a test compiles them again and compares.
package sample

import (
	"bytes"
	"embed"
	"encoding/json"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/solidity"
)

//go:embed purchase freight
var files embed.FS

// Application is a sample.
type Application struct {
	Name                      string // as its configuration says
	ConfigurationName         string
	CodeName                  string
	Configuration, Code, Made []byte // Made is the JSON of solidity.Output
}

// All are the samples, in the order in which they are installed.
var All = []Application{load("purchase", "Purchase"), load("freight", "Freight")}

func load(dir, name string) Application {
	read := func(suffix string) []byte {
		text, err := files.ReadFile(dir + "/" + name + suffix)
		if err != nil {
			panic(err) // embedded
		}
		return text
	}
	return Application{name, name + ".json", name + ".sol", read(".json"), read(".sol"), read(".artifacts.json")}
}

// Output is what compiling a sample's code gives, or nil for any other code.
func Output(code []byte) *solidity.Output {
	i := slices.IndexFunc(All, func(a Application) bool { return bytes.Equal(a.Code, code) })
	if i < 0 {
		return nil
	}
	var out solidity.Output
	if json.Unmarshal(All[i].Made, &out) != nil {
		return nil
	}
	return &out
}

// People are whom the development login offers, with their roles in the samples as
// APPLICATION/ROLE.
var People = []identity.Named{
	{Name: "Alice Adler", Administrator: true},
	{Name: "Bob Berger", Roles: []string{"Purchase/Seller", "Freight/Shipper"}},
	{Name: "Carol Chen", Roles: []string{"Purchase/Buyer", "Freight/Carrier"}},
	{Name: "Dave Diallo", Roles: []string{"Purchase/Inspector", "Freight/Consignee"}},
}
