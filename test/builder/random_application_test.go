package builder

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// application is a random one: what its configuration and its code say.
type application struct {
	draw
	seed      uint64
	name      string
	version   int      // of the compiler: 4 is 0.4
	addresses []string // that values may hold: people's
	roles     []string
	enums     []*kind
	structs   []*kind
	workflows []*flow
}

// flow is a workflow and its contract.
type flow struct {
	name        string
	initiators  []string
	stateless   bool // without a property of type state
	members     []string
	states      []*state
	start       string // as the configuration says
	first       string // as the constructor sets it
	properties  []*property
	constructor *function
	functions   []*function
	made        *flow // by a function of this one
}

type state struct {
	name        string
	transitions []*transition
}

type transition struct {
	roles, instances []string
	function         *function
}

type property struct {
	name string
	kind *kind
}

type parameter struct {
	name string
	kind *kind
	sets *property
}

// function is what a call does, in this order: it reverts when the parameter that
// guards it is true, sets properties, notes the caller, moves the state, makes a
// contract, calls the contract that made this one.
type function struct {
	name, code string // in the configuration, in the Solidity
	parameters []*parameter
	guard      *parameter
	caller     *property
	next       map[string]string // by state
	makes      *flow
	pings      bool
	quiet      bool // of pings: no transition names it
	asks       *property
}

const reason = "refused by "

// newApplication draws one.
func newApplication(seed uint64, version int, addresses []string) *application {
	a := &application{draw: draw{rand.New(rand.NewPCG(seed, 1))}, seed: seed, name: fmt.Sprintf("Random%d", seed), version: version, addresses: addresses}
	names := []string{"User", "Buyer", "image", "Clerk", "Ünïcode"}
	a.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	a.roles = names[:1+a.IntN(3)]
	for i := range 2 {
		e := &kind{name: "enum", solidity: fmt.Sprintf("E%d", i), canonical: "uint8"}
		for j := range 1 + a.IntN(4) {
			e.members = append(e.members, fmt.Sprintf("Member%dof%d", j, i))
		}
		a.enums = append(a.enums, e)
	}
	for i := range 2 {
		s := &kind{name: "struct", solidity: fmt.Sprintf("S%d", i)}
		var parts []string
		for j := range 1 + a.IntN(4) {
			k := a.scalar()
			s.fields = append(s.fields, field{fmt.Sprintf("Field%d", j), k})
			parts = append(parts, k.canonical)
		}
		s.canonical = "(" + strings.Join(parts, ",") + ")"
		a.structs = append(a.structs, s)
	}
	for i := range 1 + a.IntN(3) {
		a.workflows = append(a.workflows, a.flow(fmt.Sprintf("Flow%d", i)))
	}
	if len(a.workflows) > 1 {
		a.family(a.workflows[0], a.workflows[1])
	}
	for _, f := range a.workflows {
		a.transitions(f)
	}
	return a
}

// some is a part of a list, perhaps none of it.
func (r draw) some(list []string, percent int) []string {
	part := []string{}
	for _, s := range list {
		if r.chance(percent) {
			part = append(part, s)
		}
	}
	return part
}

func (a *application) flow(name string) *flow {
	f := &flow{name: name, initiators: a.some(a.roles, 60), stateless: a.chance(15)}
	if len(f.initiators) == 0 {
		f.initiators = a.roles[:1]
	}
	for i := range 2 + a.IntN(4) {
		f.members = append(f.members, fmt.Sprintf("State%d", i))
	}
	configured := slices.Clone(f.members)
	if a.chance(20) { // one is no state of the configuration
		configured = configured[:len(configured)-1]
	}
	a.Shuffle(len(configured), func(i, j int) { configured[i], configured[j] = configured[j], configured[i] })
	for _, s := range configured {
		f.states = append(f.states, &state{name: s})
	}
	f.first = a.one(configured...)
	if f.start = f.first; a.chance(20) { // the contract wins
		f.start = a.one(configured...)
	}
	if f.stateless {
		f.first = f.start
	}
	f.properties = []*property{{"Owner", &kind{name: a.one(append(a.roles, "user", "address")...), solidity: "address", canonical: "address"}}}
	for i := range 1 + a.IntN(6) {
		f.properties = append(f.properties, &property{fmt.Sprintf("Value%d", i), a.kind()})
	}
	f.properties = append(f.properties, &property{"Count", &kind{name: "int", solidity: "uint256", canonical: "uint256", bits: 256}})
	f.constructor = a.function(f, "", 3)
	f.constructor.caller, f.constructor.guard, f.constructor.next = f.properties[0], nil, nil
	for i := range 2 + a.IntN(4) {
		f.functions = append(f.functions, a.function(f, fmt.Sprintf("Act%d", i), 4))
	}
	if n := len(f.functions); a.chance(40) && !slices.Equal(f.functions[n-1].types(), f.functions[n-2].types()) {
		f.functions[n-1].code = f.functions[n-2].code // two of one name
	}
	f.functions = append(f.functions, &function{name: "Ask", code: "Ask", asks: f.properties[1+a.IntN(len(f.properties)-2)],
		parameters: []*parameter{{name: "n", kind: &kind{name: "int", solidity: "uint256", canonical: "uint256", bits: 64}}}})
	return f
}

func (f *function) types() (list []string) {
	for _, p := range f.parameters {
		list = append(list, p.kind.canonical)
	}
	return list
}

// function draws parameters, most of which set a property.
func (a *application) function(f *flow, name string, most int) *function {
	g := &function{name: name, code: name, next: map[string]string{}}
	for i := range a.IntN(most + 1) {
		p := &parameter{name: fmt.Sprintf("p%d", i), kind: a.kind()}
		if a.chance(75) {
			p.sets = f.properties[a.IntN(len(f.properties)-1)]
			if p.sets.name == "Owner" && a.chance(50) {
				p.sets = f.properties[len(f.properties)-2]
			}
			p.kind = p.sets.kind
		} else if p.kind.solidity == "bool" && g.guard == nil {
			g.guard = p
		}
		g.parameters = append(g.parameters, p)
	}
	if a.chance(20) {
		g.caller = f.properties[0]
	}
	for _, s := range f.members {
		if a.chance(60) {
			g.next[s] = a.one(f.members...)
		}
	}
	return g
}

// family lets one contract make the other, and be called by it.
func (a *application) family(parent, child *flow) {
	parent.made = child
	last := &property{"Last" + child.name, &kind{name: "contract", solidity: "address", canonical: "address"}}
	parent.properties = slices.Insert(parent.properties, len(parent.properties)-1, last)
	m := &function{name: "Make", code: "Make", makes: child, next: map[string]string{}}
	for _, p := range child.constructor.parameters {
		m.parameters = append(m.parameters, &parameter{name: p.name, kind: p.kind})
	}
	parent.functions = append(parent.functions, m, &function{name: "Pinged", code: "Pinged", next: map[string]string{}, quiet: true})
	child.properties = slices.Insert(child.properties, len(child.properties)-1, &property{"Maker", &kind{name: "address", solidity: "address", canonical: "address"}})
	child.functions = append(child.functions, &function{name: "Ping", code: "Ping", pings: true, next: map[string]string{}})
	if a.chance(50) {
		child.initiators = []string{} // only by the other
	}
}

// transitions say who may do what where.
func (a *application) transitions(f *flow) {
	var holders []string
	for _, p := range f.properties {
		if p.kind.solidity == "address" {
			holders = append(holders, p.name)
		}
	}
	for _, s := range f.states {
		for _, g := range f.functions {
			if g.asks != nil || g.quiet {
				continue
			}
			for range max(0, a.IntN(4)-1) { // none, one or two
				s.transitions = append(s.transitions, &transition{roles: a.some(a.roles, 40), instances: a.some(holders, 30), function: g})
			}
		}
	}
}

// leads are the states that the configuration says; never enforced, so some are wrong.
func (a *application) leads(f *flow, from string, g *function) []string {
	to, ok := g.next[from]
	known := slices.ContainsFunc(f.states, func(s *state) bool { return s.name == to })
	if !ok || !known || a.chance(20) {
		to = f.states[a.IntN(len(f.states))].name
	}
	list := []string{to}
	if other := f.states[a.IntN(len(f.states))].name; other != to && a.chance(30) {
		list = append(list, other)
	}
	return list
}
