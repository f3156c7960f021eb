package builder

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// configuration is the application's JSON.
func (a *application) configuration() []byte {
	roles, flows := []any{}, []any{}
	for _, r := range a.roles {
		roles = append(roles, map[string]any{"Name": r})
	}
	for _, f := range a.workflows {
		flows = append(flows, a.workflow(f))
	}
	text, err := json.MarshalIndent(map[string]any{"ApplicationName": a.name, "DisplayName": a.name, "ApplicationRoles": roles, "Workflows": flows}, "", " ")
	if err != nil {
		panic(err)
	}
	return text
}

func (a *application) workflow(f *flow) map[string]any {
	properties, functions, states := []any{}, []any{}, []any{}
	if !f.stateless {
		properties = append(properties, map[string]any{"Name": "State", "DisplayName": "State", "Type": map[string]any{"Name": "state"}})
	}
	for _, p := range f.properties {
		properties = append(properties, identifier(p.name, p.kind))
	}
	for _, g := range f.functions {
		functions = append(functions, f.configured(g))
	}
	for _, s := range f.states {
		transitions := []any{}
		for _, t := range s.transitions {
			transitions = append(transitions, map[string]any{"AllowedRoles": t.roles, "AllowedInstanceRoles": t.instances, "DisplayName": "Do " + t.function.name,
				"Function": t.function.name, "NextStates": a.leads(f, s.name, t.function)})
		}
		states = append(states, map[string]any{"Name": s.name, "DisplayName": "In " + s.name, "PercentComplete": a.IntN(101), "Style": a.one("Success", "Failure"),
			"Value": slices.Index(f.members, s.name), "Transitions": transitions})
	}
	return map[string]any{"Name": f.name, "DisplayName": f.name + " <i>", "Initiators": f.initiators, "StartState": f.start, "Properties": properties,
		"Constructor": map[string]any{"Parameters": identifiers(f.constructor)}, "Functions": functions, "States": states}
}

func identifiers(g *function) []any {
	list := []any{}
	for _, p := range g.parameters {
		list = append(list, identifier(p.name, p.kind))
	}
	return list
}

func (f *flow) configured(g *function) map[string]any {
	c := map[string]any{"Name": g.name, "DisplayName": "Do " + g.name, "Parameters": identifiers(g)}
	if slices.ContainsFunc(f.functions, func(o *function) bool { return o != g && o.code == g.code }) {
		c["Signature"] = g.code + "(" + strings.Join(g.types(), ",") + ")"
	}
	if g.asks != nil {
		c["ReadOnly"] = true
		c["Returns"] = []any{identifier("sum", g.parameters[0].kind), identifier("value", g.asks.kind)}
	}
	return c
}

// code is the application's Solidity, for the version of its compiler.
func (a *application) code() []byte {
	var b strings.Builder
	patch := map[int]string{4: "26", 5: "17", 6: "12", 7: "6", 8: "0"}[a.version]
	fmt.Fprintf(&b, "// SPDX-License-Identifier: MIT\npragma solidity ^0.%d.%s;\n", a.version, patch)
	if a.version > 4 && a.version < 8 {
		b.WriteString("pragma experimental ABIEncoderV2;\n")
	}
	b.WriteString("contract Types {\n")
	for _, e := range a.enums {
		fmt.Fprintf(&b, "    enum %s { %s }\n", e.solidity, strings.Join(e.members, ", "))
	}
	for _, s := range a.structs {
		fmt.Fprintf(&b, "    struct %s {", s.solidity)
		for _, f := range s.fields {
			fmt.Fprintf(&b, " %s %s;", f.kind.solidity, f.name)
		}
		b.WriteString(" }\n")
	}
	b.WriteString("}\n")
	for _, f := range a.workflows {
		a.contract(&b, f)
	}
	return []byte(b.String())
}

func (a *application) contract(b *strings.Builder, f *flow) {
	fmt.Fprintf(b, "contract %s is Types {\n    enum StateType { %s }\n    StateType public State;\n", f.name, strings.Join(f.members, ", "))
	for _, p := range f.properties {
		fmt.Fprintf(b, "    %s public %s;\n", p.kind.solidity, p.name)
		if p.kind.element != nil {
			fmt.Fprintf(b, "    function Get%s() public view returns (%s) { return %[1]s; }\n", p.name, p.kind.inMemory())
		}
	}
	visible := ""
	if a.version < 7 {
		visible = " public"
	}
	fmt.Fprintf(b, "    constructor(%s)%s {\n        State = StateType.%s;\n", parameters(f.constructor), visible, f.first)
	if slices.ContainsFunc(f.properties, func(p *property) bool { return p.name == "Maker" }) {
		b.WriteString("        Maker = msg.sender;\n")
	}
	f.body(b, f.constructor)
	for _, g := range f.functions {
		if g.asks != nil {
			fmt.Fprintf(b, "    function Ask(uint256 n) public view returns (uint256 sum, %s value) { return (n + Count, %s); }\n", g.asks.kind.inMemory(), g.asks.name)
			continue
		}
		fmt.Fprintf(b, "    function %s(%s) public {\n", g.code, parameters(g))
		f.body(b, g)
	}
	b.WriteString("}\n")
}

func parameters(g *function) string {
	var list []string
	for _, p := range g.parameters {
		list = append(list, p.kind.inMemory()+" "+p.name)
	}
	return strings.Join(list, ", ")
}

// body does what apply says.
func (f *flow) body(b *strings.Builder, g *function) {
	if g.guard != nil {
		fmt.Fprintf(b, "        require(!%s, \"%s%s\");\n", g.guard.name, reason, g.name)
	}
	var names []string
	for _, p := range g.parameters {
		names = append(names, p.name)
		switch {
		case p.sets == nil:
		case p.kind.element != nil && p.kind.length < 0 && p.kind.element.fields != nil:
			fmt.Fprintf(b, "        delete %s;\n        for (uint i%s = 0; i%[2]s < %[2]s.length; i%[2]s++) { %[1]s.push(%[2]s[i%[2]s]); }\n", p.sets.name, p.name)
		default:
			fmt.Fprintf(b, "        %s = %s;\n", p.sets.name, p.name)
		}
	}
	if g.caller != nil {
		fmt.Fprintf(b, "        %s = msg.sender;\n", g.caller.name)
	}
	before := ""
	for _, s := range f.members {
		if to, ok := g.next[s]; ok {
			fmt.Fprintf(b, "        %sif (State == StateType.%s) { State = StateType.%s; }\n", before, s, to)
			before = "else "
		}
	}
	if g.makes != nil {
		fmt.Fprintf(b, "        Last%s = address(new %[1]s(%s));\n", g.makes.name, strings.Join(names, ", "))
	}
	if g != f.constructor {
		b.WriteString("        Count += 1;\n")
	}
	if g.pings {
		b.WriteString("        Flow0(Maker).Pinged();\n")
	}
	b.WriteString("    }\n")
}
