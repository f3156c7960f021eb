package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/crypto"
)

// Binding is one workflow and the contract that its configuration fits. It does
// not change, so many may use it at once.
type Binding struct {
	Workflow *Workflow
	ABI      abi.ABI // for events and custom errors; functions are packed without it
	Bytecode []byte

	roles   map[string]bool
	create  []shape
	methods map[string]*method // by the function's name in the configuration
	reads   []*method          // by property
	code    fingerprint        // of the creation code
	runtime fingerprint
}

// method is a function of the contract.
type method struct {
	name     string // in the configuration
	selector []byte
	in, out  []shape
}

func newMethod(e *entry, name string) *method {
	return &method{name: name, selector: crypto.Keccak256([]byte(e.signature()))[:4], in: e.in, out: e.out}
}

// Bind joins a workflow of an application and its contract. It is a problem if
// they do not fit; Check says all that does not.
func Bind(app *Application, workflow string, c *solidity.Contract) (*Binding, error) {
	w := app.Workflow(workflow)
	if w == nil {
		return nil, problem.Newf("WORKFLOW_UNKNOWN", "name a workflow of its configuration", "the application %s has no workflow %s", short(app.Name), short(workflow))
	}
	m := newMatcher(app, slices.IndexFunc(app.Workflows, func(x Workflow) bool { return x.Name == workflow }), c, newReport())
	b := m.bind()
	if !m.report.OK() {
		return nil, problem.Newf("CODE_MISMATCH", "check configuration and code together", "%s", m.report.Errors[0].Message)
	}
	return b, nil
}

// bind makes the binding and reports what does not fit.
func (m *matcher) bind() *Binding {
	entries, err := readABI(m.contract.ABI)
	if err != nil {
		m.fail("ABI_UNREADABLE", ruleCode, m.at, "give the artifact as the compiler wrote it", "the ABI of the contract %s cannot be used: %v", m.contract.Name, err)
		return nil
	}
	m.take(entries)
	b := &Binding{Workflow: m.workflow, ABI: tolerantABI(entries), Bytecode: m.contract.Bytecode, roles: m.roles, methods: map[string]*method{}}
	b.create = m.constructor()
	for i := range m.workflow.Functions {
		if e := m.function(i); e != nil {
			name := m.workflow.Functions[i].Name
			b.methods[name] = newMethod(e, name)
		}
	}
	for i := range m.workflow.Properties {
		if e := m.property(i); e != nil {
			b.reads = append(b.reads, newMethod(e, m.workflow.Properties[i].Name))
		}
	}
	b.code = newFingerprint(m.contract.Bytecode, nil)
	b.runtime = newFingerprint(m.contract.Runtime, m.contract.Immutables)
	return b
}

// tolerantABI is go-ethereum's reading of the entries that it can read: it fails
// on types that it does not know, and panics on some.
func tolerantABI(entries []entry) abi.ABI {
	if a, err := readEntries(entries); err == nil {
		return a
	}
	known := []entry{}
	for i := range entries {
		if _, err := readEntries(entries[i : i+1]); err == nil {
			known = append(known, entries[i])
		}
	}
	a, _ := readEntries(known)
	return a
}

func readEntries(entries []entry) (a abi.ABI, err error) {
	defer func() {
		if e := recover(); e != nil {
			a, err = abi.ABI{}, fmt.Errorf("%v", e)
		}
	}()
	text, err := json.Marshal(entries)
	if err != nil {
		return abi.ABI{}, err
	}
	return abi.JSON(strings.NewReader(string(text)))
}

// Create is the data of the transaction that makes a contract: its code and
// what its constructor is given.
func (b *Binding) Create(args []Argument) ([]byte, error) {
	data, err := b.pack(b.Workflow.Constructor.Parameters, b.create, args)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(b.Bytecode), data...), nil
}

// Call is the data of a call of a function, which Function finds by its name.
func (b *Binding) Call(function string, args []Argument) ([]byte, error) {
	f := b.Workflow.Function(function)
	if f == nil {
		return nil, problem.Newf("FUNCTION_UNKNOWN", "name a function of the workflow", "the workflow %s has no function %s", short(b.Workflow.Name), short(function))
	}
	m := b.methods[f.Name]
	data, err := b.pack(f.Parameters, m.in, args)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(m.selector), data...), nil
}

// pack puts the arguments in the parameters' order.
func (b *Binding) pack(parameters []Identifier, in []shape, args []Argument) ([]byte, error) {
	values := make([]value, len(parameters))
	given := make([]bool, len(parameters))
	for _, a := range args {
		i := named(len(parameters), func(i int) string { return parameters[i].Name }, a.Name)
		switch {
		case i < 0:
			return nil, problem.Newf("VALUE_UNKNOWN", "give the parameters by their names in the configuration", "there is no parameter %s", short(a.Name))
		case given[i]:
			return nil, problem.Newf("VALUE_TWICE", "give each parameter once", "the parameter %s is given twice", short(parameters[i].Name))
		}
		var err error
		if values[i], err = readValue(&parameters[i].Type, b.roles, a.Value); err == nil {
			_, err = packOne(&in[i], values[i])
		}
		if err != nil {
			return nil, within(err, "%s", short(parameters[i].Name))
		}
		given[i] = true
	}
	if i := slices.Index(given, false); i >= 0 {
		return nil, problem.Newf("VALUE_MISSING", "give a value for every parameter", "the parameter %s is missing", short(parameters[i].Name))
	}
	return pack(in, values)
}

// Reads is the data of the calls that read the properties, one for each, in order.
func (b *Binding) Reads() [][]byte {
	list := make([][]byte, len(b.reads))
	for i, m := range b.reads {
		list[i] = slices.Clone(m.selector)
	}
	return list
}

// DecodeRead is the value of the i-th property from what its call returned.
func (b *Binding) DecodeRead(i int, ret []byte) (string, error) {
	if i < 0 || i >= len(b.reads) {
		return "", problem.New("VALUE_UNREADABLE", "there is no such property", "read the workflow again")
	}
	p, parts := &b.Workflow.Properties[i], b.reads[i].out
	values, err := unpack(parts, ret)
	if err != nil {
		return "", unreadable(p.Name)
	}
	v := value{list: values} // a generated getter returns the fields of a struct one by one
	if !flat(&p.Type, b.roles, parts) {
		v = values[0]
	}
	text := writeValue(&p.Type, b.roles, v)
	if len(text) > mostWhole {
		return "", unreadable(p.Name)
	}
	return text, nil
}

// flat is that a struct's fields are returned one by one and not as a tuple.
func flat(t *Type, roles map[string]bool, parts []shape) bool {
	return formOf(t, roles) == formStruct && (len(parts) != 1 || parts[0].kind != '(')
}

func unreadable(name string) error {
	return problem.Newf("VALUE_UNREADABLE", "look whether the contract at that address is of this workflow", "what the contract returned for %s is not a value of its type", short(name))
}

// DecodeReturn is what a function returned, by the names of Returns.
func (b *Binding) DecodeReturn(function string, ret []byte) ([]Argument, error) {
	f := b.Workflow.Function(function)
	if f == nil {
		return nil, problem.Newf("FUNCTION_UNKNOWN", "name a function of the workflow", "the workflow %s has no function %s", short(b.Workflow.Name), short(function))
	}
	list, ok := b.arguments(f.Returns, b.methods[f.Name].out, ret)
	if !ok {
		return nil, unreadable(f.Name)
	}
	return list, nil
}

// DecodeCall says which function of the configuration a call's data names, and
// with which arguments. Where only the arguments cannot be read, the function is
// named and ok is false.
func (b *Binding) DecodeCall(input []byte) (function string, args []Argument, ok bool) {
	if len(input) < 4 {
		return "", nil, false
	}
	for i := range b.Workflow.Functions {
		f := &b.Workflow.Functions[i]
		if m := b.methods[f.Name]; string(m.selector) == string(input[:4]) {
			args, ok = b.arguments(f.Parameters, m.in, input[4:])
			return f.Name, args, ok
		}
	}
	return "", nil, false
}

// DecodeCreate is what a constructor was given, from the data of a creation of this contract.
func (b *Binding) DecodeCreate(input []byte) ([]Argument, bool) {
	if !b.code.begins(input) {
		return nil, false
	}
	return b.arguments(b.Workflow.Constructor.Parameters, b.create, input[len(b.code.code):])
}

// arguments unpacks values and writes them as text.
func (b *Binding) arguments(list []Identifier, parts []shape, data []byte) ([]Argument, bool) {
	values, err := unpack(parts, data)
	if err != nil || len(list) != len(parts) {
		return nil, false
	}
	args := make([]Argument, len(list))
	for i := range list {
		args[i] = Argument{list[i].Name, writeValue(&list[i].Type, b.roles, values[i])}
		if len(args[i].Value) > mostWhole {
			return nil, false
		}
	}
	return args, true
}

// Matches is that this is the contract's code: what stands at its address, or
// the data of its creation with whatever the constructor was given. Immutables
// and the compiler's metadata may differ.
func (b *Binding) Matches(code []byte) bool {
	return b.runtime.equals(code) || b.code.begins(code)
}
