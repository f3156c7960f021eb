package offchain

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// folder applies entries within one SQL transaction. The same entries in the
// same order make the same rows, now and at every rebuild.
type folder struct {
	tx       tx
	c        *catalogue
	source   Source
	counters map[string]int // next id by name
	counted  map[string]bool
	counts   map[[3]int]int // contracts by workflow, state and bucket: changes
	touched  touched
}

func newFolder(t tx, c *catalogue, source Source, counters map[string]int) *folder {
	return &folder{tx: t, c: c, source: source, counters: maps.Clone(counters), counted: map[string]bool{},
		counts: map[[3]int]int{}, touched: touched{actions: map[int]ActionChange{}}}
}

// next is the id that the next row of a kind gets.
func (f *folder) next(name string) int {
	if n := f.counters[name]; n != 0 {
		return n
	}
	if name == "type" {
		return firstOwnType
	}
	return 1
}

// took notes that n ids from first on are taken.
func (f *folder) took(name string, first, n int) {
	f.counters[name] = max(f.next(name), first+n)
	f.counted[name] = true
}

func (f *folder) exec(ctx context.Context, sql string, args ...any) error {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = clean(s)
		}
	}
	return f.tx.exec(ctx, sql, args...)
}

// insert adds a row to a table.
func (f *folder) insert(ctx context.Context, into string, args ...any) error {
	places := ""
	for i := range args {
		if i > 0 {
			places += ", "
		}
		places += "$" + strconv.Itoa(i+1)
	}
	return f.exec(ctx, "INSERT INTO "+into+" VALUES ("+places+")", args...)
}

// apply changes the tables as an entry says. rows are those of a BlocksTaken.
func (f *folder) apply(ctx context.Context, e Entry, rows *Rows) error {
	switch e := e.(type) {
	case *ApplicationAdded:
		return f.applicationAdded(ctx, e)
	case *CodeAdded:
		return f.codeAdded(ctx, e)
	case *ApplicationDeployed:
		return f.applicationDeployed(ctx, e)
	case *ApplicationEnabled:
		f.touched.applications.add(e.ID)
		return f.exec(ctx, "UPDATE application SET enabled = $1, archived = $2 WHERE id = $3", e.Enabled, e.Archived, e.ID)
	case *PersonAdded:
		f.took("person", e.ID, 1)
		f.touched.people.add(e.ID)
		return f.insert(ctx, "person (id, external_id, first_name, last_name, email, client, status, created_at)",
			e.ID, e.ExternalID, e.FirstName, e.LastName, e.Email, e.Client, PersonIsCreated, micros(e.At))
	case *PersonChanged:
		f.touched.people.add(e.ID)
		return f.exec(ctx, "UPDATE person SET first_name = $1, last_name = $2, email = $3 WHERE id = $4", e.FirstName, e.LastName, e.Email, e.ID)
	case *KeyAssociated:
		f.took("account", e.ID, 1)
		f.touched.people.add(e.PersonID)
		if err := f.insert(ctx, "account (id, person_id, connection_id, address)", e.ID, e.PersonID, e.ConnectionID, addressText(e.Address)); err != nil {
			return err
		}
		return f.exec(ctx, "UPDATE person SET status = $1 WHERE id = $2 AND status < $3", PersonIsAssociated, e.PersonID, PersonIsAssociated)
	case *PersonProvisioned:
		f.touched.people.add(e.PersonID)
		return f.exec(ctx, "UPDATE person SET status = $1 WHERE id = $2", PersonIsProvisioned, e.PersonID)
	case *RoleAssigned:
		f.took("assignment", e.ID, 1)
		return f.assigned(ctx, e.ID, e.PersonID, e.RoleID, func(application int) error {
			return f.insert(ctx, "assignment (id, application_id, role_id, person_id, assigned_by, assigned_at)",
				e.ID, application, e.RoleID, e.PersonID, e.By, micros(e.At))
		})
	case *RoleChanged:
		return f.assigned(ctx, e.ID, e.PersonID, e.RoleID, func(application int) error {
			return f.exec(ctx, "UPDATE assignment SET role_id = $1, person_id = $2, assigned_by = $3, assigned_at = $4 WHERE id = $5",
				e.RoleID, e.PersonID, e.By, micros(e.At), e.ID)
		})
	case *RoleRemoved:
		return f.assigned(ctx, e.ID, 0, 0, func(int) error { return f.exec(ctx, "DELETE FROM assignment WHERE id = $1", e.ID) })
	case *ConnectionAdded:
		f.took("connection", e.ID, 1)
		f.touched.connections.add(e.ID)
		return f.insert(ctx, "connection (id, ledger_id, endpoint, kind, funding_account, chain_id, genesis, next_block, last_hash)",
			e.ID, e.LedgerID, e.Endpoint, e.Kind, e.FundingAccount, e.ChainID, hashText(e.Genesis), e.First, "")
	case *ConnectionChanged:
		f.touched.connections.add(e.ID)
		if e.ChainID != 0 {
			return f.exec(ctx, "UPDATE connection SET endpoint = $1, chain_id = $2, genesis = $3 WHERE id = $4", e.Endpoint, e.ChainID, hashText(e.Genesis), e.ID)
		}
		return f.exec(ctx, "UPDATE connection SET endpoint = $1 WHERE id = $2", e.Endpoint, e.ID)
	case *ContractRequested:
		return f.contractRequested(ctx, e)
	case *ActionRequested:
		return f.actionRequested(ctx, e)
	case *Signed:
		return f.signed(ctx, e)
	case *Failed:
		return f.failed(ctx, e)
	case *BlocksTaken:
		return f.blocksTaken(ctx, e, rows)
	case *Rewound:
		return f.rewound(ctx, e)
	}
	return fmt.Errorf("an entry of type %T", e)
}

// finish writes what the transaction remembers of itself: counters, and up to
// which entry it was folded.
func (f *folder) finish(ctx context.Context, at mark) error {
	for _, name := range slices.Sorted(maps.Keys(f.counted)) {
		if err := f.exec(ctx, "INSERT INTO counter (name, next) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET next = excluded.next", name, f.counters[name]); err != nil {
			return err
		}
	}
	fewer := false
	for key, n := range f.counts {
		if n == 0 {
			continue
		}
		fewer = fewer || n < 0
		if err := f.exec(ctx, `INSERT INTO contract_count (workflow_id, state_id, bucket, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (workflow_id, state_id, bucket) DO UPDATE SET n = contract_count.n + excluded.n`, key[0], key[1], key[2], n); err != nil {
			return err
		}
	}
	if fewer {
		if err := f.exec(ctx, "DELETE FROM contract_count WHERE n = 0"); err != nil {
			return err
		}
	}
	return f.exec(ctx, "UPDATE meta SET value = $1 WHERE name = 'mark'", at.text())
}

// text is a mark as the database keeps it.
func (m mark) text() string {
	return fmt.Sprintf("%d %d %s", m.sequence, m.offset, hex.EncodeToString(m.tag[:]))
}

func parseMark(s string) (m mark, err error) {
	var tag string
	if _, err := fmt.Sscanf(s, "%d %d %s", &m.sequence, &m.offset, &tag); err != nil {
		return m, err
	}
	n, err := hex.Decode(m.tag[:], []byte(tag)[:min(len(tag), 32)])
	if err == nil && n != len(m.tag) {
		err = errPacked
	}
	return m, err
}

func (f *folder) applicationAdded(ctx context.Context, e *ApplicationAdded) error {
	b, err := build(e)
	if err != nil {
		return err
	}
	entry, err := json.Marshal(e)
	if err != nil {
		return err
	}
	a := b.application
	for _, taken := range []struct {
		name     string
		first, n int
	}{
		{"application", e.ID, 1}, {"role", e.FirstRole, len(a.Roles)}, {"workflow", e.FirstWorkflow, len(b.workflows)},
		{"function", e.FirstFunction, b.functions}, {"parameter", e.FirstParameter, b.parameters}, {"property", e.FirstProperty, b.properties},
		{"state", e.FirstState, b.states}, {"transition", e.FirstTransition, b.transitions}, {"type", e.FirstType, len(b.types)},
	} {
		f.took(taken.name, taken.first, taken.n)
	}
	f.touched.applications.add(e.ID)
	if err := f.insert(ctx, "application (id, name, version, display_name, description, enabled, archived, created_by, created_at, entry)",
		a.ID, a.Name, a.Version, a.DisplayName, a.Description, false, false, a.CreatedBy, micros(a.CreatedAt), string(entry)); err != nil {
		return err
	}
	for _, r := range a.Roles {
		if err := f.insert(ctx, "role (id, application_id, name, description)", r.ID, r.ApplicationID, r.Name, r.Description); err != nil {
			return err
		}
	}
	for _, t := range b.types {
		if err := f.insert(ctx, "data_type (id, application_id, name, element_type_id)", t.ID, t.ApplicationID, t.Name, t.ElementTypeID); err != nil {
			return err
		}
	}
	for i := range b.workflows {
		if err := f.workflow(ctx, &b.workflows[i]); err != nil {
			return err
		}
	}
	return f.copyAssignments(ctx, e, &a)
}

func (f *folder) workflow(ctx context.Context, w *Workflow) error {
	if err := f.insert(ctx, "workflow (id, application_id, name, display_name, description, constructor_id, start_state_id)",
		w.ID, w.ApplicationID, w.Name, w.DisplayName, w.Description, w.Constructor.ID, w.StartStateID); err != nil {
		return err
	}
	for _, fn := range append([]Function{w.Constructor}, w.Functions...) {
		if err := f.insert(ctx, "workflow_function (id, workflow_id, constructor, name, display_name, description)",
			fn.ID, w.ID, fn.Constructor, fn.Name, fn.DisplayName, fn.Description); err != nil {
			return err
		}
		for _, p := range fn.Parameters {
			if err := f.insert(ctx, "function_parameter (id, function_id, name, display_name, description, type_id)",
				p.ID, fn.ID, p.Name, p.DisplayName, p.Description, p.Type.ID); err != nil {
				return err
			}
		}
	}
	for _, p := range w.Properties {
		if err := f.insert(ctx, "workflow_property (id, workflow_id, name, display_name, description, type_id)",
			p.ID, w.ID, p.Name, p.DisplayName, p.Description, p.Type.ID); err != nil {
			return err
		}
	}
	for _, s := range w.States {
		if err := f.insert(ctx, "workflow_state (id, workflow_id, name, display_name, description, percent_complete, value, style)",
			s.ID, w.ID, s.Name, s.DisplayName, s.Description, s.PercentComplete, s.Value, s.Style); err != nil {
			return err
		}
	}
	return nil
}

// copyAssignments gives the members of the version before the same roles, when
// the names of the roles are the same.
func (f *folder) copyAssignments(ctx context.Context, e *ApplicationAdded, a *Application) error {
	f.c.mu.RLock()
	var before *Application
	for _, other := range f.c.applications {
		if other.Name == a.Name && other.ID != a.ID && (before == nil || other.Version > before.Version) {
			before = other
		}
	}
	roles := map[int]int{} // old to new
	var old []Assignment
	if before != nil && len(before.Roles) == len(a.Roles) {
		for _, o := range before.Roles {
			for _, n := range a.Roles {
				if o.Name == n.Name {
					roles[o.ID] = n.ID
				}
			}
		}
		if len(roles) == len(a.Roles) {
			old = sorted(f.c.assignments, func(x *Assignment) bool { return roles[x.RoleID] != 0 })
		}
	}
	f.c.mu.RUnlock()
	for i, x := range old {
		f.touched.assignments.add(e.FirstAssignment + i)
		if err := f.insert(ctx, "assignment (id, application_id, role_id, person_id, assigned_by, assigned_at)",
			e.FirstAssignment+i, a.ID, roles[x.RoleID], x.PersonID, e.By, micros(e.At)); err != nil {
			return err
		}
	}
	f.took("assignment", e.FirstAssignment, len(old))
	return nil
}

func (f *folder) codeAdded(ctx context.Context, e *CodeAdded) error {
	a, err := get(view{f.tx, f.c}, f.c.applications, e.ApplicationID)
	if err != nil {
		return err
	}
	return f.code(ctx, e, a.Name)
}

// code adds the code of an application with that name.
func (f *folder) code(ctx context.Context, e *CodeAdded, name string) error {
	f.took("code", e.ID, 1)
	f.touched.codes.add(e.ID)
	f.touched.applications.add(e.ApplicationID)
	output := string(e.Output)
	if output == "" {
		output = "null"
	}
	file := e.File
	if file == nil {
		file = []byte{}
	}
	if err := f.insert(ctx, "code (id, application_id, ledger_id, file_name, size, created_by, created_at, file, output)",
		e.ID, e.ApplicationID, e.LedgerID, e.FileName, len(e.File), e.By, micros(e.At), file, output); err != nil || !e.Enable {
		return err
	}
	f.c.mu.RLock()
	for _, other := range f.c.applications {
		if other.Name == name {
			f.touched.applications.add(other.ID)
		}
	}
	f.c.mu.RUnlock()
	if err := f.exec(ctx, "UPDATE application SET enabled = 0 WHERE name = $1", name); err != nil {
		return err
	}
	return f.exec(ctx, "UPDATE application SET enabled = 1 WHERE id = $1", e.ApplicationID)
}

// assigned changes an assignment and notes all that it concerns.
func (f *folder) assigned(_ context.Context, id, personID, roleID int, change func(application int) error) error {
	f.touched.assignments.add(id)
	f.c.mu.RLock()
	application := 0
	if old := f.c.assignments[id]; old != nil {
		application = old.ApplicationID
		f.touched.people.add(old.PersonID)
	}
	if role := f.c.roles[roleID]; role != nil {
		application = role.ApplicationID
	}
	f.c.mu.RUnlock()
	if personID != 0 {
		f.touched.people.add(personID)
	}
	f.touched.applications.add(application)
	return change(application)
}

// arguments names the parameters that arguments are for.
func arguments(function *Function, in []workflow.Argument) []Argument {
	out := make([]Argument, 0, len(in))
	for _, a := range in {
		made := Argument{Name: clean(a.Name), Value: clean(a.Value)}
		if function != nil {
			for _, p := range function.Parameters {
				if p.Name == made.Name {
					made.ParameterID = p.ID
				}
			}
		}
		out = append(out, made)
	}
	return out
}

func (f *folder) contractRequested(ctx context.Context, e *ContractRequested) error {
	w, err := get(view{f.tx, f.c}, f.c.workflows, e.WorkflowID)
	if err != nil {
		return err
	}
	c := &Contract{ID: e.ContractID, ApplicationID: w.ApplicationID, WorkflowID: w.ID, CodeID: e.CodeID, ConnectionID: e.ConnectionID,
		DeployedBy: e.PersonID, CreatedAt: e.At, RequestID: e.RequestID, ModifiedAt: e.At, ModifiedBy: e.PersonID, LastActionID: e.ActionID}
	if err := f.insertContract(ctx, c, false); err != nil {
		return err
	}
	return f.insertAction(ctx, &Action{ID: e.ActionID, ApplicationID: w.ApplicationID, ContractID: e.ContractID, ConnectionID: e.ConnectionID,
		FunctionID: w.Constructor.ID, PersonID: e.PersonID, At: e.At, RequestID: e.RequestID, Arguments: arguments(&w.Constructor, e.Arguments)}, false)
}

func (f *folder) actionRequested(ctx context.Context, e *ActionRequested) error {
	v := view{f.tx, f.c}
	c, err := v.Contract(ctx, e.ContractID)
	if err != nil {
		return err
	}
	_, function, err := v.Function(ctx, e.FunctionID)
	if err != nil {
		return err
	}
	if err := f.insertAction(ctx, &Action{ID: e.ActionID, ApplicationID: c.ApplicationID, ContractID: c.ID, ConnectionID: c.ConnectionID,
		FunctionID: e.FunctionID, FunctionName: function.Name, PersonID: e.PersonID, At: e.At, RequestID: e.RequestID,
		Arguments: arguments(function, e.Arguments)}, false); err != nil {
		return err
	}
	return f.exec(ctx, "UPDATE contract SET modified_at = $1, modified_by = $2, last_action_id = $3 WHERE id = $4",
		micros(e.At), e.PersonID, e.ActionID, e.ContractID)
}

func (f *folder) insertContract(ctx context.Context, c *Contract, found bool) error {
	f.took("contract", c.ID, 1)
	f.touched.contracts.add(c.ID)
	f.counts[[3]int{c.WorkflowID, c.StateID, c.ID / bucket}]++
	return f.insert(ctx, `contract (id, application_id, workflow_id, code_id, connection_id, status, address, found, deployed_by,
		created_at, request_id, state_id, state, modified_at, modified_by, last_action_id, block_number, property_values, unread)`,
		c.ID, c.ApplicationID, c.WorkflowID, c.CodeID, c.ConnectionID, c.Status, optional(addressText(c.Address)), found, c.DeployedBy,
		micros(c.CreatedAt), c.RequestID, c.StateID, c.State, micros(c.ModifiedAt), c.ModifiedBy, c.LastActionID, c.BlockNumber,
		packValues(c.Values), unreadText(c.Unread))
}

func (f *folder) insertAction(ctx context.Context, a *Action, found bool) error {
	f.took("action", a.ID, 1)
	f.touched.contracts.add(a.ContractID)
	f.noteAction(a)
	if err := f.insert(ctx, `action (id, application_id, contract_id, connection_id, function_id, function_name, person_id, from_address,
		caller_contract_id, status, found, at, request_id, arguments, sequence, state_id, error_code, error_message, revert_reason,
		hash, transaction_id, block_id)`,
		a.ID, a.ApplicationID, a.ContractID, a.ConnectionID, a.FunctionID, a.FunctionName, a.PersonID, addressText(a.From),
		a.CallerContractID, a.Status, found, micros(a.At), a.RequestID, packArguments(a.Arguments), a.Sequence, a.StateID, a.ErrorCode,
		a.ErrorMessage, a.RevertReason, hashText(a.Hash), a.TransactionID, a.BlockID); err != nil {
		return err
	}
	for i, arg := range a.Arguments {
		if err := f.insert(ctx, "argument (action_id, position, parameter_id, name, value)", a.ID, i, arg.ParameterID, arg.Name, arg.Value); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) noteAction(a *Action) {
	f.touched.actions[a.ID] = ActionChange{a.ID, a.ContractID, a.ApplicationID, a.ConnectionID, a.Status}
}

// constructor reports whether an action is that of a contract's constructor.
func (f *folder) constructor(a *Action) bool {
	f.c.mu.RLock()
	defer f.c.mu.RUnlock()
	w := f.c.functions[a.FunctionID]
	return w != nil && w.Constructor.ID == a.FunctionID
}

func (f *folder) signed(ctx context.Context, e *Signed) error {
	a, err := view{f.tx, f.c}.Action(ctx, e.ActionID)
	if err != nil {
		return err
	}
	if err := f.exec(ctx, `INSERT INTO signed (connection_id, hash, position, action_id, person_id, from_address, nonce, raw, at)
		VALUES ($1, $2, (SELECT COUNT(*) + 1 FROM signed WHERE action_id = $3), $4, $5, $6, $7, $8, $9)`,
		a.ConnectionID, hashText(e.Hash), a.ID, a.ID, a.PersonID, addressText(e.From), e.Nonce, e.Raw, micros(e.At)); err != nil {
		return err
	}
	a.Status, a.Hash, a.From = StatusSent, e.Hash, e.From
	return f.ended(ctx, a)
}

func (f *folder) failed(ctx context.Context, e *Failed) error {
	a, err := view{f.tx, f.c}.Action(ctx, e.ActionID)
	if err != nil {
		return err
	}
	a.Status, a.ErrorCode, a.ErrorMessage, a.RevertReason = e.Status, e.Code, e.Message, e.RevertReason
	return f.ended(ctx, a)
}

// ended writes how an action that was asked for stands, and its contract when
// it is the constructor's.
func (f *folder) ended(ctx context.Context, a *Action) error {
	f.noteAction(a)
	f.touched.contracts.add(a.ContractID)
	if err := f.exec(ctx, `UPDATE action SET status = $1, hash = $2, from_address = $3, sequence = $4, state_id = $5, error_code = $6,
		error_message = $7, revert_reason = $8, transaction_id = $9, block_id = $10 WHERE id = $11`,
		a.Status, hashText(a.Hash), addressText(a.From), a.Sequence, a.StateID, a.ErrorCode, a.ErrorMessage, a.RevertReason,
		a.TransactionID, a.BlockID, a.ID); err != nil {
		return err
	}
	if a.Status < StatusCommitted && a.Status != StatusSent || !f.constructor(a) || a.BlockID != 0 {
		return nil // of a contract whose constructor is in a block, blocks tell
	}
	return f.exec(ctx, "UPDATE contract SET status = $1 WHERE id = $2", a.Status, a.ContractID)
}

func unreadText(ids []int) string {
	out := ""
	for _, id := range ids {
		if out != "" {
			out += " "
		}
		out += strconv.Itoa(id)
	}
	return out
}
