package workflow

import (
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

const (
	mostRuntime = 24576 // bytes of a contract's code, EIP-170
	mostInit    = 49152 // bytes of creation code, EIP-3860
)

// Check holds code against a configuration (rules a.7.6 and a.7.7). strict
// refuses the obsolete base contract, as Workbench does since 1.6.
func Check(app *Application, out *solidity.Output, strict bool) *Report {
	report := newReport()
	for _, m := range out.Messages {
		f := Finding{Code: "CODE_WARNING", Rule: ruleCode, File: m.File, Line: m.Line, Column: m.Column, Message: m.Text, Fix: "read what the compiler says"}
		switch m.Severity {
		case "error":
			f.Code, f.Fix = "CODE_ERROR", "correct the code at this place"
			report.fail(f)
		case "warning":
			report.warn(f)
		}
	}
	if !report.OK() {
		return report
	}
	for i := range app.Workflows {
		c := contractOf(app, i, out, report)
		if c == nil {
			continue
		}
		checkBase(app, i, c, strict, report)
		checkSize(app, i, c, report)
		newMatcher(app, i, c, report).bind()
	}
	return report
}

// contractOf finds the one contract that a workflow names, ready to be deployed (a.3.1).
func contractOf(app *Application, i int, out *solidity.Output, report *Report) *solidity.Contract {
	w, at := &app.Workflows[i], pointer("/Workflows", i, "Name")
	fail := func(code, fix, format string, args ...any) *solidity.Contract {
		report.fail(app.finding(code, ruleCode, at, fmt.Sprintf(format, args...), fix))
		return nil
	}
	all := out.Named(w.Name)
	ready := slices.DeleteFunc(slices.Clone(all), func(c *solidity.Contract) bool {
		return c.Abstract || c.Kind == "interface" || c.Kind == "library" || len(c.Bytecode) == 0
	})
	switch {
	case len(ready) == 1:
		return ready[0]
	case len(ready) > 1:
		return fail("CONTRACT_TWICE", "leave one of them out, or rename it", "There are two contracts %s, in %s and in %s", w.Name, ready[0].File, ready[1].File)
	case len(all) > 0 && len(all[0].Unlinked) > 0:
		return fail("CONTRACT_LIBRARY", "make the library's functions internal, so that they become part of the contract", "The %s contract needs the library %s at an address of its own", w.Name, all[0].Unlinked[0])
	case len(all) > 0:
		return fail("CONTRACT_ABSTRACT", "write all functions of the contract", "The %s contract for the %s workflow is abstract: it cannot be deployed", w.Name, w.Name)
	}
	var names []string
	for _, c := range out.Contracts {
		if !c.Abstract {
			names = append(names, c.Name)
		}
	}
	return fail("CONTRACT_MISSING", suggest(w.Name, names, "add the contract, or give the workflow the name of one: "+quotedList(names)),
		"Add the %s contract for the %s workflow. There is no contract of that name in the code", w.Name, w.Name)
}

// checkBase looks for the base contract that Workbench wanted before 1.6 (a.7.7).
func checkBase(app *Application, i int, c *solidity.Contract, strict bool, report *Report) {
	if !slices.Contains(c.Bases, solidity.BaseContract) {
		return
	}
	f := app.finding("BASE_OBSOLETE", ruleBase, pointer("/Workflows", i, "Name"),
		fmt.Sprintf("Workflow contract %s should not derive from WorkbenchBase base contract. Update the %s contract to remove WorkbenchBase and calls to \"ContractCreated\" and \"ContractUpdated\" functions.", c.Name, c.Name),
		"remove the base contract and the calls of its functions")
	if c.Line > 0 {
		f.File, f.Line, f.Column = c.File, c.Line, 1
	}
	if strict {
		report.fail(f)
	} else {
		report.warn(f)
	}
}

// checkSize warns of code that most ledgers refuse.
func checkSize(app *Application, i int, c *solidity.Contract, report *Report) {
	if len(c.Runtime) > mostRuntime || len(c.Bytecode) > mostInit {
		report.warn(app.finding("CODE_LARGE", ruleCode, pointer("/Workflows", i, "Name"),
			fmt.Sprintf("The code of the %s contract has %d bytes; Ethereum takes at most %d (EIP-170)", c.Name, len(c.Runtime), mostRuntime), "make it shorter, or divide it"))
	}
}
