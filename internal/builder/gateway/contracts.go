package gateway

import (
	"errors"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

func contractsGet(c *call) error {
	q, err := c.contractQuery()
	if err != nil {
		return err
	}
	l, err := c.person.Contracts(c.r.Context(), q)
	if err != nil {
		return err
	}
	h := history{withActions: c.expands("actions"), withTransactions: c.expands("transactions")}
	details := map[int]*workspace.ContractDetail{}
	if h.withActions || h.withTransactions {
		if err := c.wait(c.g.wide); err != nil {
			return err
		}
		for i := range l.Items {
			id := l.Items[i].ID
			if details[id], err = c.person.Contract(c.r.Context(), id); err != nil {
				return err
			}
		}
	}
	return list(c, "contracts", q.Page, l, func(w *writer, one *offchain.Contract) {
		if d := details[one.ID]; d != nil {
			h.actions, h.transactions = d.Actions, d.Transactions
		}
		writeContract(w, one, c.version, &h)
	})
}

// contractQuery reads what chooses contracts.
func (c *call) contractQuery() (q workspace.ContractQuery, err error) {
	if q.Page, err = c.page(); err != nil {
		return q, err
	}
	for name, to := range map[string]*int{"workflowId": &q.WorkflowID, "applicationId": &q.ApplicationID, "connectionId": &q.ConnectionID} {
		if *to, err = c.integer(name); err != nil {
			return q, err
		}
	}
	q.State, q.Address, q.Search, q.Sort = c.param("state"), c.param("ledgerIdentifier"), c.param("search"), c.param("sortBy")
	return q, c.propertyFilters(&q)
}

// propertyFilters reads the parameters property.NAME. Names belong to a workflow:
// the one that is asked for, or the only one of the application that has them.
func (c *call) propertyFilters(q *workspace.ContractQuery) error {
	wanted := map[string]string{} // by name in lower case
	for name := range c.query {
		if property, ok := strings.CutPrefix(name, "property."); ok {
			wanted[property] = c.query.Get(name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var among []offchain.Workflow
	switch {
	case q.WorkflowID != 0:
		f, err := c.person.Workflow(c.r.Context(), q.WorkflowID)
		if err != nil {
			return err
		}
		among = []offchain.Workflow{*f}
	case q.ApplicationID != 0:
		l, err := c.person.Workflows(c.r.Context(), q.ApplicationID, workspace.Page{Top: mostTop})
		if err != nil {
			return err
		}
		among = l.Items
	default:
		return malformed("property.NAME needs workflowId or applicationId, because names belong to workflows")
	}
	for i := range among {
		ids := map[int]string{}
		for _, p := range among[i].Properties {
			if v, ok := wanted[strings.ToLower(p.Name)]; ok {
				ids[p.ID] = v
			}
		}
		if len(ids) != len(wanted) {
			continue
		}
		if q.Properties != nil {
			return malformed("several workflows have these properties: give workflowId")
		}
		q.WorkflowID, q.Properties = among[i].ID, ids
	}
	if q.Properties == nil {
		return malformed("there is no workflow with all these properties")
	}
	return nil
}

func contractGet(c *call) error {
	d, err := c.person.Contract(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	h := history{actions: d.Actions, transactions: d.Transactions, withActions: true, withTransactions: true}
	return c.json(func(w *writer) { writeContract(w, &d.Contract, c.version, &h) })
}

// input reads a WorkflowActionInput. What a creation needs beside it is in the
// query.
func (c *call) input() (in workspace.Input, err error) {
	f, err := c.body()
	if err != nil {
		return in, err
	}
	if f.has("workflowActionInput") {
		return in, malformed("the body is the object with workflowFunctionID and workflowActionParameters itself, not one around it")
	}
	if in.FunctionID, err = f.integer("workflowFunctionID"); err != nil {
		return in, err
	}
	if in.Arguments, err = f.arguments("workflowActionParameters"); err != nil {
		return in, err
	}
	in.RequestID = c.r.Header.Get("Idempotency-Key")
	return in, nil
}

func contractsPost(c *call) error {
	in, err := c.input()
	if err != nil {
		return err
	}
	for name, to := range map[string]*int{"workflowId": &in.WorkflowID, "contractCodeId": &in.CodeID, "connectionId": &in.ConnectionID} {
		if *to, err = c.integer(name); err != nil {
			return err
		}
	}
	if in.WorkflowID == 0 {
		return malformed("the query has no workflowId")
	}
	id, err := c.person.Create(c.r.Context(), in)
	if err != nil {
		return err
	}
	return c.number(id)
}

// actionsGet lists what the caller may do now, not what was done.
func actionsGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	all, err := c.person.Allowed(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return list(c, "workflowFunctions", p, cut(all, p), writeFunction)
}

func actionsPost(c *call) error {
	in, err := c.input()
	if err != nil {
		return err
	}
	id, err := c.person.Act(c.r.Context(), c.ids[0], in)
	if err != nil {
		return err
	}
	return c.number(id)
}

// actionGet answers with one of what the list of actions has, or with something
// that was done. Ids of functions and of past actions may be equal: in version 1
// the function comes first, because its clients take ids from the list; in
// version 2 the past action, whose id the post gave.
func actionGet(c *call) error {
	first, second := c.pastAction, c.possibleAction
	if c.version == 1 {
		first, second = second, first
	}
	if done, err := first(); done || err != nil {
		return err
	}
	if done, err := second(); done || err != nil {
		return err
	}
	return workspace.ErrNotFound
}

// pastAction answers with a past action of the contract, if it has the id.
func (c *call) pastAction() (bool, error) {
	a, err := c.person.Action(c.r.Context(), c.ids[0], c.ids[1])
	if err != nil {
		return false, passed(err)
	}
	return true, c.json(func(w *writer) { writeAction(w, a, c.version) })
}

// passed is nil for what was not found: something else may be.
func passed(err error) error {
	if errors.Is(err, workspace.ErrNotFound) {
		return nil
	}
	return err
}

// possibleAction answers with a function that the caller may call now, if one has
// the id.
func (c *call) possibleAction() (bool, error) {
	all, err := c.person.Allowed(c.r.Context(), c.ids[0])
	if err != nil {
		return false, passed(err)
	}
	for i := range all {
		if all[i].ID == c.ids[1] {
			return true, c.json(func(w *writer) { writeFunction(w, &all[i]) })
		}
	}
	return false, nil
}

// historyGet lists what was done with a contract, newest first: an addition.
func historyGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	l, err := c.person.Actions(c.r.Context(), c.ids[0], p)
	if err != nil {
		return err
	}
	return list(c, "contractActions", p, l, func(w *writer, a *offchain.Action) { writeAction(w, a, c.version) })
}

// valuesGet lists the values that a contract's properties had, newest first.
func valuesGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	propertyID, err := c.integer("workflowPropertyId")
	if err != nil {
		return err
	}
	l, err := c.person.History(c.r.Context(), c.ids[0], propertyID, p)
	if err != nil {
		return err
	}
	return list(c, "contractPropertyValues", p, l, func(w *writer, v *offchain.PastValue) {
		w.open()
		w.integer("workflowPropertyId", v.PropertyID)
		w.text("value", v.Value)
		w.number("blockNumber", v.BlockNumber)
		w.identity("blockId", v.BlockID)
		w.time("timestamp", v.At)
		w.close()
	})
}

var errReverted = problem.New("CALL_REVERTED", "the contract refused the question", "The member revertReason has its words")

// callsPost asks a read-only function.
func callsPost(c *call) error {
	in, err := c.input()
	if err != nil {
		return err
	}
	results, err := c.person.Call(c.r.Context(), c.ids[0], in.FunctionID, in.Arguments)
	if reverted := new(ledger.Reverted); errors.As(err, &reverted) {
		return errReverted.From(reverted)
	}
	if err != nil {
		return err
	}
	return c.json(func(w *writer) {
		w.open()
		w.integer("workflowFunctionID", in.FunctionID)
		w.key("results").array()
		for i, r := range results {
			w.open()
			if r.Name == "" {
				r.Name = strconv.Itoa(i)
			}
			w.text("name", r.Name)
			w.text("value", r.Value)
			w.close()
		}
		w.end()
		w.close()
	})
}

// proofGet gives the ledger's statement that an action is committed.
func proofGet(c *call) error {
	if _, err := c.person.Action(c.r.Context(), c.ids[0], c.ids[1]); err != nil {
		return err
	}
	p, err := c.person.Proof(c.r.Context(), c.ids[1])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) {
		w.open()
		w.raw("receipt", p.Receipt)
		w.optional("service", p.Service)
		w.boolean("verified", p.Verified)
		w.optional("problem", p.Problem)
		w.close()
	})
}
