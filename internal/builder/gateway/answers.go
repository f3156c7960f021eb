package gateway

import (
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Each function here writes one model of models.go, member for member.

func writeApplication(w *writer, a *offchain.Application, whole bool) {
	w.open()
	w.integer("id", a.ID)
	w.text("name", a.Name)
	w.text("description", a.Description)
	w.text("displayName", a.DisplayName)
	w.identity("createdByUserId", a.CreatedBy)
	w.time("createdDtTm", a.CreatedAt)
	w.boolean("enabled", a.Enabled)
	w.null("blobStorageURL")
	if whole {
		w.key("applicationRoles").array()
		for _, r := range a.Roles {
			w.open()
			w.integer("id", r.ID)
			w.text("name", r.Name)
			w.text("description", r.Description)
			w.close()
		}
		w.end()
	} else {
		w.null("applicationRoles")
	}
	w.text("version", strconv.Itoa(a.Version)+".0")
	w.boolean("isLatest", a.Latest)
	w.boolean("archived", a.Archived)
	w.boolean("hasContractCode", a.Coded)
	w.close()
}

func writeAssignment(w *writer, a *offchain.Assignment) {
	w.open()
	w.integer("id", a.ID)
	w.integer("applicationRoleId", a.RoleID)
	w.key("user")
	writeUser(w, a.Person)
	w.close()
}

func writeUser(w *writer, p *offchain.Person) {
	w.open()
	w.integer("userID", p.ID)
	w.text("externalID", p.ExternalID)
	w.text("firstName", p.FirstName)
	w.text("lastName", p.LastName)
	w.text("emailAddress", p.Email)
	w.key("userChainMappings").array()
	for _, k := range p.Keys {
		w.open()
		w.integer("userChainMappingID", k.ID)
		w.integer("userID", p.ID)
		w.integer("connectionID", k.ConnectionID)
		writeAddress(w, "chainIdentifier", k.Address)
		w.integer("chainBalance", 0)
		w.close()
	}
	w.end()
	w.integer("provisioningStatus", p.Status)
	w.boolean("isClient", p.Client)
	w.close()
}

func writeCapabilities(w *writer, c workspace.Capabilities) {
	w.open()
	w.boolean("canUploadApplication", c.UploadApplication)
	w.boolean("canUploadContractCode", c.UploadContractCode)
	w.boolean("canModifyRoleAssignments", c.ModifyRoleAssignments)
	w.boolean("canProvisionUser", c.ProvisionUser)
	w.close()
}

func writeCode(w *writer, c *offchain.ContractCode) {
	w.open()
	w.integer("contractCodeID", c.ID)
	w.integer("ledgerID", c.LedgerID)
	w.identity("createdByUserId", c.CreatedBy)
	w.time("createdDtTm", c.CreatedAt)
	w.text("fileName", c.FileName)
	w.close()
}

func writeLedger(w *writer, l *offchain.Ledger) {
	w.open()
	w.integer("id", l.ID)
	w.text("name", l.Name)
	w.text("displayName", l.DisplayName)
	w.close()
}

func writeConnection(w *writer, c *offchain.Connection) {
	w.open()
	w.integer("connectionID", c.ID)
	w.integer("ledgerID", c.LedgerID)
	w.text("endpointURL", c.Endpoint)
	w.optional("fundingAccount", c.FundingAccount)
	w.text("kind", c.Kind)
	w.number("chainId", c.ChainID)
	w.close()
}

func writeBlock(w *writer, b *offchain.Block) {
	w.open()
	w.integer("id", b.ID)
	w.integer("connectionId", b.ConnectionID)
	w.time("timestamp", b.Time)
	w.number("blockNumber", b.Number)
	writeHash(w, "blockHash", b.Hash)
	w.close()
}

func writeTransaction(w *writer, t *offchain.Transaction) {
	w.open()
	w.integer("id", t.ID)
	w.integer("connectionId", t.ConnectionID)
	writeHash(w, "transactionHash", t.Hash)
	w.integer("blockID", t.BlockID)
	writeAddress(w, "from", t.From)
	if t.To != nil {
		writeAddress(w, "to", *t.To)
	} else {
		w.null("to")
	}
	w.amount("value", t.Value)
	w.boolean("isAppBuilderTx", t.Ours)
	w.number("blockNumber", t.BlockNumber)
	writeHash(w, "blockHash", t.BlockHash)
	w.integer("provisioningStatus", t.Status)
	w.optional("txId", t.TxID)
	w.close()
}

// writeAddress writes an account or a contract; null for the zero address, which
// means that there is none yet.
func writeAddress(w *writer, name string, a common.Address) {
	if a == (common.Address{}) {
		w.null(name)
		return
	}
	w.hex(name, a[:])
}

// writeHash writes a hash; null for none.
func writeHash(w *writer, name string, h common.Hash) {
	if h == (common.Hash{}) {
		w.null(name)
		return
	}
	w.hex(name, h[:])
}
