package gateway

import (
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// folded is a provisioning status as a version of the API knows it: version 1
// has 0, 1 and 2 only. What was never sent counts there as asked for, what was
// reverted as sent.
func folded(version, status int) int {
	if version == 1 {
		switch status {
		case offchain.StatusRefused, offchain.StatusFailed:
			return offchain.StatusAsked
		case offchain.StatusReverted:
			return offchain.StatusSent
		}
	}
	return status
}

// history is what a contract's answer has beside its row; nil parts are null.
type history struct {
	actions                       []offchain.Action
	transactions                  []offchain.Transaction
	withActions, withTransactions bool
}

func writeContract(w *writer, c *offchain.Contract, version int, h *history) {
	w.open()
	w.integer("id", c.ID)
	w.integer("provisioningStatus", folded(version, c.Status))
	w.time("timestamp", c.CreatedAt)
	w.integer("connectionID", c.ConnectionID)
	writeAddress(w, "ledgerIdentifier", c.Address)
	w.identity("deployedByUserId", c.DeployedBy)
	w.integer("workflowId", c.WorkflowID)
	w.integer("contractCodeId", c.CodeID)
	w.key("contractProperties").array()
	for i := range c.Values {
		w.open()
		w.integer("workflowPropertyId", c.Values[i].PropertyID)
		w.text("value", c.Values[i].Value)
		w.close()
	}
	w.end()
	if h.withTransactions {
		w.key("transactions").array()
		for i := range h.transactions {
			writeTransaction(w, &h.transactions[i])
		}
		w.end()
	} else {
		w.null("transactions")
	}
	if h.withActions {
		w.key("contractActions").array()
		for i := range h.actions {
			writeAction(w, &h.actions[i], version)
		}
		w.end()
	} else {
		w.null("contractActions")
	}
	w.optional("requestId", c.RequestID)
	w.integer("applicationId", c.ApplicationID)
	w.identity("workflowStateId", c.StateID)
	w.time("modifiedDtTm", c.ModifiedAt)
	w.identity("modifiedByUserId", c.ModifiedBy)
	w.number("blockNumber", c.BlockNumber)
	w.close()
}

// writeAction writes a past action. Names of parameters are display names here;
// the configuration's names are those of the function's parameters.
func writeAction(w *writer, a *offchain.Action, version int) {
	w.open()
	w.integer("id", a.ID)
	w.identity("userId", a.PersonID)
	w.integer("provisioningStatus", folded(version, a.Status))
	w.time("timestamp", a.At)
	w.key("parameters").array()
	for i := range a.Arguments {
		p := &a.Arguments[i]
		w.open()
		if p.DisplayName != "" {
			w.text("name", p.DisplayName)
		} else {
			w.text("name", p.Name)
		}
		w.text("value", p.Value)
		w.identity("workflowFunctionParameterId", p.ParameterID)
		w.close()
	}
	w.end()
	w.identity("workflowFunctionId", a.FunctionID)
	w.identity("transactionId", a.TransactionID)
	w.identity("workflowStateId", a.StateID)
	w.optional("requestId", a.RequestID)
	w.optional("functionName", a.FunctionName)
	writeAddress(w, "from", a.From)
	w.identity("callerContractId", a.CallerContractID)
	writeHash(w, "transactionHash", a.Hash)
	w.optional("txId", a.TxID)
	if version >= 2 {
		w.optional("errorCode", a.ErrorCode)
		w.optional("errorMessage", a.ErrorMessage)
		w.optional("revertReason", a.RevertReason)
	}
	w.close()
}
