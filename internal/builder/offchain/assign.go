package offchain

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
)

// What Do refuses, before anything is journaled.
var (
	ErrUnknown = problem.New("REFERENCE_UNKNOWN", "what this refers to does not exist",
		"look the id up again")
	ErrPersonExists = problem.New("PERSON_EXISTS", "a person with this external id exists",
		"use that person")
	ErrAccountExists = problem.New("ACCOUNT_EXISTS", "the person has an account on this connection, or the account belongs to somebody",
		"use the account that there is")
	ErrRoleAssigned = problem.New("ROLE_ASSIGNED", "the person has this role already",
		"nothing needs to be done")
	ErrCodeExists = problem.New("CODE_EXISTS", "the application has code for this kind of ledger",
		"add a new version of the application")
	ErrConnectionExists = problem.New("CONNECTION_EXISTS", "there is a connection to this endpoint",
		"use the connection that there is")
	ErrSettled = problem.New("ACTION_SETTLED", "the action is finished",
		"look at the action again")
	ErrCursor = problem.New("BLOCKS_OUT_OF_ORDER", "these blocks do not follow those that were taken in",
		"take in the block that the cursor names")
	ErrSourceRows = problem.New("BLOCK_ROWS_WRONG", "the rows that were computed for these blocks contradict each other",
		"report this with the log: it is a fault of App Builder")
)

// assign checks an entry against what is known and gives it its ids. rows are
// those of a BlocksTaken.
func (f *folder) assign(ctx context.Context, e Entry) (a Applied, rows *Rows, err error) {
	v := view{f.tx, f.c}
	switch e := e.(type) {
	case *ApplicationAdded:
		e.ID, e.FirstRole, e.FirstWorkflow, e.FirstFunction = f.next("application"), f.next("role"), f.next("workflow"), f.next("function")
		e.FirstParameter, e.FirstProperty, e.FirstState = f.next("parameter"), f.next("property"), f.next("state")
		e.FirstTransition, e.FirstType, e.FirstAssignment = f.next("transition"), f.next("type"), f.next("assignment")
		e.Version = 1
		same, _ := v.Applications(ctx, ApplicationFilter{Name: e.Name, Page: Page{Top: 1 << 30}})
		for _, other := range same.Rows {
			e.Version = max(e.Version, other.Version+1)
		}
		a.ID = e.ID
		if _, err = build(e); err == nil {
			err = f.known(ctx, v, e.By)
		}
	case *CodeAdded:
		e.ID = f.next("code")
		a.ID = e.ID
		err = f.assignCode(ctx, v, e)
	case *ApplicationDeployed:
		a, err = f.assignDeployed(ctx, v, e)
	case *ApplicationEnabled:
		a.ID = e.ID
		_, err = v.Application(ctx, e.ID)
	case *PersonAdded:
		e.ID = f.next("person")
		a.ID = e.ID
		if e.ExternalID == "" {
			err = ErrUnknown.From(errors.New("a person without external id"))
		} else if _, missing := v.PersonByExternalID(ctx, clean(e.ExternalID)); missing == nil {
			err = ErrPersonExists
		}
	case *PersonChanged:
		a.ID = e.ID
		err = f.known(ctx, v, e.ID)
	case *KeyAssociated:
		e.ID = f.next("account")
		a.ID = e.ID
		err = f.assignKey(ctx, v, e)
	case *PersonProvisioned:
		a.ID = e.PersonID
		_, err = v.Person(ctx, e.PersonID)
	case *RoleAssigned:
		e.ID = f.next("assignment")
		a.ID = e.ID
		err = f.assignRole(ctx, v, e.PersonID, e.RoleID, 0)
	case *RoleChanged:
		a.ID = e.ID
		var old *Assignment
		if old, err = v.Assignment(ctx, e.ID); err == nil {
			err = f.assignRole(ctx, v, e.PersonID, e.RoleID, old.ApplicationID)
			if old.PersonID == e.PersonID && old.RoleID == e.RoleID {
				err = nil
			}
		}
	case *RoleRemoved:
		a.ID = e.ID
		_, err = v.Assignment(ctx, e.ID)
	case *ConnectionAdded:
		e.ID = f.next("connection")
		a.ID = e.ID
		err = f.assignConnection(ctx, v, e.LedgerID, e.Endpoint, 0)
	case *ConnectionChanged:
		a.ID = e.ID
		if _, err = v.Connection(ctx, e.ID); err == nil {
			err = f.assignConnection(ctx, v, 1, e.Endpoint, e.ID)
		}
	case *ContractRequested:
		a, err = f.assignContract(ctx, v, e)
	case *ActionRequested:
		a, err = f.assignAction(ctx, v, e)
	case *Signed:
		a, err = f.assignSigned(ctx, v, e)
	case *Failed:
		a.ID = e.ActionID
		err = f.assignFailed(ctx, v, e)
	case *BlocksTaken:
		rows, err = f.assignBlocks(ctx, v, e)
	case *Rewound:
		var c Cursor
		if c, err = v.Cursor(ctx, e.ConnectionID); err == nil && (e.To < -1 || e.To >= int64(c.Next)) {
			err = ErrCursor.From(fmt.Errorf("rewound to %d, but block %d is next", e.To, c.Next))
		}
	default:
		err = fmt.Errorf("an entry of type %T", e)
	}
	if errors.Is(err, ErrNotFound) {
		err = ErrUnknown
	}
	return a, rows, err
}

// known checks a person's id; 0 is nobody and fine.
func (f *folder) known(ctx context.Context, v view, personID int) error {
	if personID == 0 {
		return nil
	}
	_, err := v.Person(ctx, personID)
	return err
}

func (f *folder) assignCode(ctx context.Context, v view, e *CodeAdded) error {
	if _, err := v.Application(ctx, e.ApplicationID); err != nil {
		return err
	}
	if e.LedgerID != 1 {
		return ErrUnknown
	}
	if codes, _ := v.Codes(ctx, e.ApplicationID, e.LedgerID); len(codes) > 0 {
		return ErrCodeExists
	}
	return f.known(ctx, v, e.By)
}

func (f *folder) assignKey(ctx context.Context, v view, e *KeyAssociated) error {
	p, err := v.Person(ctx, e.PersonID)
	if err != nil {
		return err
	}
	if _, err := v.Connection(ctx, e.ConnectionID); err != nil {
		return err
	}
	if _, has := p.Address(e.ConnectionID); has {
		return ErrAccountExists
	}
	if _, err := v.PersonByAddress(ctx, e.ConnectionID, e.Address); err == nil {
		return ErrAccountExists
	}
	return nil
}

func (f *folder) assignRole(ctx context.Context, v view, personID, roleID, applicationID int) error {
	if _, err := v.Person(ctx, personID); err != nil {
		return err
	}
	role, err := v.Role(ctx, roleID)
	if err != nil {
		return err
	}
	if applicationID != 0 && applicationID != role.ApplicationID {
		return ErrUnknown
	}
	assigned, _ := v.AssignmentsOf(ctx, personID)
	for _, other := range assigned {
		if other.RoleID == roleID {
			return ErrRoleAssigned
		}
	}
	return nil
}

func (f *folder) assignConnection(ctx context.Context, v view, ledgerID int, endpoint string, self int) error {
	if ledgerID != 1 {
		return ErrUnknown
	}
	all, err := v.Connections(ctx)
	for _, other := range all {
		if other.Endpoint == clean(endpoint) && other.ID != self {
			return ErrConnectionExists
		}
	}
	return err
}

func (f *folder) assignContract(ctx context.Context, v view, e *ContractRequested) (Applied, error) {
	if e.RequestID != "" {
		if old, err := v.ActionByRequest(ctx, e.PersonID, e.RequestID); err == nil {
			e.ContractID, e.ActionID = old.ContractID, old.ID
			return Applied{ID: old.ContractID, Repeated: true}, nil
		} else if !errors.Is(err, ErrNotFound) {
			return Applied{}, err
		}
	}
	w, err := v.Workflow(ctx, e.WorkflowID)
	if err != nil {
		return Applied{}, err
	}
	code, err := v.Code(ctx, e.CodeID)
	if err != nil {
		return Applied{}, err
	}
	if code.ApplicationID != w.ApplicationID {
		return Applied{}, ErrUnknown
	}
	if _, err := v.Connection(ctx, e.ConnectionID); err != nil {
		return Applied{}, err
	}
	if _, err := v.Person(ctx, e.PersonID); err != nil {
		return Applied{}, err
	}
	e.ContractID, e.ActionID = f.next("contract"), f.next("action")
	return Applied{ID: e.ContractID}, nil
}

func (f *folder) assignAction(ctx context.Context, v view, e *ActionRequested) (Applied, error) {
	if e.RequestID != "" {
		if old, err := v.ActionByRequest(ctx, e.PersonID, e.RequestID); err == nil {
			e.ActionID = old.ID
			return Applied{ID: old.ID, Repeated: true}, nil
		} else if !errors.Is(err, ErrNotFound) {
			return Applied{}, err
		}
	}
	c, err := v.Contract(ctx, e.ContractID)
	if err != nil {
		return Applied{}, err
	}
	w, function, err := v.Function(ctx, e.FunctionID)
	if err != nil {
		return Applied{}, err
	}
	if w.ID != c.WorkflowID || function.Constructor {
		return Applied{}, ErrUnknown
	}
	if _, err := v.Person(ctx, e.PersonID); err != nil {
		return Applied{}, err
	}
	e.ActionID = f.next("action")
	return Applied{ID: e.ActionID}, nil
}

func (f *folder) assignSigned(ctx context.Context, v view, e *Signed) (Applied, error) {
	if e.Hash == (common.Hash{}) || len(e.Raw) == 0 {
		return Applied{}, ErrUnknown.From(errors.New("a signed transaction without hash or content"))
	}
	a, err := v.Action(ctx, e.ActionID)
	if err != nil {
		return Applied{}, err
	}
	if other, err := v.ActionByHash(ctx, a.ConnectionID, e.Hash); err == nil {
		if other.ID == a.ID {
			return Applied{ID: a.ID, Repeated: true}, nil
		}
		return Applied{}, ErrUnknown.From(errors.New("the transaction belongs to another action"))
	} else if !errors.Is(err, ErrNotFound) {
		return Applied{}, err
	}
	return Applied{ID: a.ID}, f.unsettled(ctx, v, e.ActionID)
}

// assignFailed checks that what was signed does not end as if it never had been sent.
func (f *folder) assignFailed(ctx context.Context, v view, e *Failed) error {
	a, err := v.Action(ctx, e.ActionID)
	switch {
	case err != nil:
		return err
	case a.Status >= StatusCommitted:
		return ErrSettled
	case a.Status == StatusSent && e.Status != StatusFailed, e.Status != StatusRefused && e.Status != StatusFailed:
		return ErrSettled.From(fmt.Errorf("an action with status %d does not fail with status %d", a.Status, e.Status))
	}
	return nil
}

// unsettled checks that an action waits for its end.
func (f *folder) unsettled(ctx context.Context, v view, id int) error {
	a, err := v.Action(ctx, id)
	if err == nil && a.Status >= StatusCommitted {
		return ErrSettled
	}
	return err
}
