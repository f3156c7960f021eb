package solidity

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Options are how code is compiled. The zero value is right for uploads that
// are checked strictly.
type Options struct {
	Version      string        // an installed version to use whatever the pragmas say; "" chooses by them
	TolerateBase bool          // supply Workbench's former base contract where the code imports it without bringing it
	Optimize     bool          // else only where a contract would be too large to be deployed
	EVMVersion   string        // "" for the compiler's own, at most cancun
	Time         time.Duration // 0: DefaultTime or DefaultSlowTime
	Memory       int64         // bytes; 0: DefaultMemory
}

// maxRuntime is the largest contract that may be deployed (EIP-170), bytes.
const maxRuntime = 24576

// BaseContract is the name of the contract that code for Workbench had to
// inherit from before release 1.6, and must not since.
const BaseContract = "WorkbenchBase"

// base is what stands in for it: the same events and functions, which say
// nothing that the ledger does not say better.
const base = `pragma solidity >=0.4.22 <0.9.0;
contract WorkbenchBase {
    event WorkbenchContractCreated(string applicationName, string workflowName, address originatingAddress);
    event WorkbenchContractUpdated(string applicationName, string workflowName, string action, address originatingAddress);
    string internal ApplicationName;
    string internal WorkflowName;
    constructor(string %[1]s applicationName, string %[1]s workflowName) internal {
        ApplicationName = applicationName;
        WorkflowName = workflowName;
    }
    function ContractCreated() internal {
        emit WorkbenchContractCreated(ApplicationName, WorkflowName, msg.sender);
    }
    function ContractUpdated(string %[1]s action) internal {
        emit WorkbenchContractUpdated(ApplicationName, WorkflowName, action, msg.sender);
    }
}
`

// Compile gives what the sources compile to, or what ready-made artifacts hold.
// The same code compiled again, as when it is checked and then deployed, gives the
// same Output without a second run: nobody changes one.
// Code with errors gives both: an Output with all messages and no contracts, and
// the problem CODE_DOES_NOT_COMPILE that names the first.
func (c *Compilers) Compile(ctx context.Context, s Sources, o Options) (*Output, error) {
	if s.Artifacts() {
		return readArtifacts(s)
	}
	i, err := c.pick(s, o.Version)
	if err != nil {
		return nil, err
	}
	out, err := c.compile(ctx, i, s, o)
	if err != nil || o.Optimize || !tooLarge(out) {
		return out, err
	}
	o.Optimize = true
	smaller, err := c.compile(ctx, i, s, o)
	if err != nil {
		return out, nil // what there was is right, if large; deploying will say so
	}
	return smaller, nil
}

func tooLarge(out *Output) bool {
	return slices.ContainsFunc(out.Contracts, func(c Contract) bool { return len(c.Runtime) > maxRuntime })
}

func (c *Compilers) pick(s Sources, version string) (Installed, error) {
	if version == "" {
		return c.Choose(s)
	}
	for _, i := range c.List() {
		if i.Version == version {
			return i, nil
		}
	}
	return Installed{}, problem.Newf(ErrCompilerMissing.Code, ErrCompilerMissing.Next, "compiler %s is not installed", show(version))
}

func (c *Compilers) compile(ctx context.Context, i Installed, s Sources, o Options) (*Output, error) {
	s, remappings := complete(s, i, o)
	input, err := Input(i, s, remappings, o)
	if err != nil {
		return nil, err
	}
	out, known := c.recent.get(i, input)
	if !known {
		answer, err := c.Run(ctx, i, input, o)
		if err != nil {
			return nil, err
		}
		if out, err = readStandard(answer, s); err != nil {
			return nil, ErrCompilerFailed.From(err)
		}
		out.Compiler, out.Optimized = i.Long, o.Optimize
		c.recent.put(i, input, out)
	}
	if list := out.Errors(); len(list) > 0 {
		return &Output{Compiler: out.Compiler, Optimized: out.Optimized, Contracts: []Contract{}, Messages: out.Messages}, doesNotCompile(list)
	}
	return out, nil
}

func doesNotCompile(list []Message) error {
	first := list[0]
	text := first.Text
	if first.File != "" {
		text = fmt.Sprintf("%s:%d:%d: %s", show(first.File), first.Line, first.Column, text)
	}
	if n := len(list) - 1; n > 0 {
		text = fmt.Sprintf("%s (and %d more)", text, n)
	}
	return problem.New(ErrDoesNotCompile.Code, text, ErrDoesNotCompile.Next)
}

// Input is the standard JSON that a compiler is given for these sources.
func Input(i Installed, s Sources, remappings []string, o Options) ([]byte, error) {
	type file struct {
		Content string `json:"content"`
	}
	files := map[string]file{}
	for name, content := range s {
		files[name] = file{string(content)}
	}
	settings := map[string]any{
		"optimizer": map[string]any{"enabled": o.Optimize, "runs": 200},
		"outputSelection": map[string]any{"*": map[string]any{
			"": []string{"ast"},
			"*": []string{"abi", "evm.bytecode.object", "evm.bytecode.linkReferences",
				"evm.deployedBytecode.object", "evm.deployedBytecode.linkReferences", "evm.deployedBytecode.immutableReferences"},
		}},
	}
	if len(remappings) > 0 {
		settings["remappings"] = remappings
	}
	evm := o.EVMVersion
	if v, _ := ParseVersion(i.Version); evm == "" && v.Compare(Version{0, 8, 25}) > 0 {
		evm = "cancun" // newer ones need ledgers with newer rules
	}
	if evm != "" {
		settings["evmVersion"] = evm
	}
	return json.Marshal(map[string]any{"language": "Solidity", "sources": files, "settings": settings})
}

var quoted = regexp.MustCompile(`"([^"\n]*)"|'([^'\n]*)'`)

// imports lists the paths that a source imports, as written.
func imports(text string) []string {
	const word = "import"
	var list []string
	code := blank(text)
	for at := 0; len(list) < MaxFiles; {
		i := strings.Index(code[at:], word)
		if i < 0 {
			break
		}
		at += i
		start := at
		at += len(word)
		if start > 0 && isWord(code[start-1]) || at < len(code) && isWord(code[at]) {
			continue
		}
		end := strings.IndexByte(code[at:], ';')
		if end < 0 {
			break
		}
		if m := quoted.FindStringSubmatch(text[at : at+end]); m != nil {
			list = append(list, m[1]+m[2])
		}
		at += end
	}
	return list
}

// complete adds what imports need beyond their own resolution, which is the
// compiler's and stays within the upload: a remapping where an import without ./
// names exactly one uploaded file by the end of its path (as in
// node_modules/@openzeppelin), and the former base contract where it is
// tolerated.
func complete(s Sources, i Installed, o Options) (Sources, []string) {
	var remappings []string
	s = maps.Clone(s)
	for _, name := range s.Names() {
		for _, wanted := range imports(string(s[name])) {
			target := wanted
			relative := strings.HasPrefix(wanted, "./") || strings.HasPrefix(wanted, "../")
			if relative {
				target = path.Join(path.Dir(name), wanted)
			}
			if s[target] != nil || badPath(target) != "" {
				continue
			}
			if path.Base(target) == BaseContract+".sol" && o.TolerateBase {
				s[target] = baseFor(i)
				continue
			}
			if relative || strings.ContainsAny(target, "=:") {
				continue
			}
			var found []string
			for _, have := range s.Names() {
				if strings.HasSuffix(have, "/"+target) && !strings.ContainsAny(have, "=:") {
					found = append(found, have)
				}
			}
			if r := target + "=" + strings.Join(found, ""); len(found) == 1 && !slices.Contains(remappings, r) {
				remappings = append(remappings, r)
			}
		}
	}
	return s, remappings
}

// baseFor words the base contract for a compiler: "memory" must be written since
// 0.5, "internal" of constructors may not since 0.7.
func baseFor(i Installed) []byte {
	v, _ := ParseVersion(i.Version)
	location, text := "memory", base
	if v.Compare(Version{0, 5, 0}) < 0 {
		location = ""
	}
	if v.Compare(Version{0, 7, 0}) >= 0 {
		text = strings.Replace(text, ") internal {\n        ApplicationName", ") {\n        ApplicationName", 1)
	}
	return fmt.Appendf(nil, text, location)
}
