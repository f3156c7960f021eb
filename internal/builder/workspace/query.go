package workspace

import (
	"encoding/json"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// Capabilities are what administrators may do, and nobody else.
type Capabilities struct {
	UploadApplication, UploadContractCode, ModifyRoleAssignments, ProvisionUser bool
}

// ApplicationQuery chooses applications.
type ApplicationQuery struct {
	Page
	Enabled  *bool  // nil: both
	Archived bool   // with archived ones
	Name     string // exactly this; "": all
	Search   string // a part of name or display name
	Sort     string // DisplayName (default), Name, Id, CreatedDtTm; a leading "-" turns it round
}

// ContractQuery chooses contracts of the applications that the person sees.
type ContractQuery struct {
	Page
	ApplicationID, WorkflowID int            // 0: all
	ConnectionID              int            // 0: all
	State                     string         // name of a state; "": all
	Address                   string         // 0x...; "": all
	Search                    string         // the beginning of any value, or an id
	Properties                map[int]string // exactly these values, by property id
	Sort                      string         // Timestamp (default, newest first), Id, State; a leading "-" turns it round
}

// UserQuery chooses people.
type UserQuery struct {
	Page
	ExternalID string
	Address    string // account on any connection
	Search     string // beginning of first or last name, e-mail address or external id
	Sort       string // FirstName (default), LastName, Id
}

// UserInput is what an administrator says of a new person.
type UserInput struct {
	ExternalID, FirstName, LastName, Email string
}

// Input is what a person wants a constructor or a function to be called with.
type Input struct {
	WorkflowID   int // of a creation
	CodeID       int // of a creation; 0: the only one
	ConnectionID int // of a creation; 0: the usual one
	FunctionID   int
	Arguments    []workflow.Argument
	RequestID    string // chosen by who asks: the same id asks the same once; "": a new one
}

// ContractDetail is a contract with all that its page shows.
type ContractDetail struct {
	offchain.Contract
	Workflow     *offchain.Workflow
	Application  *offchain.Application
	Actions      []offchain.Action      // oldest first, at most 1,000: the newest
	Transactions []offchain.Transaction // those of the actions
	People       map[int]offchain.Person
}

// Proof is the ledger's statement that the transaction of an action is committed.
type Proof struct {
	Receipt  json.RawMessage // as the ledger gives it
	Service  string          // PEM of the service whose statement it is; "": not pinned
	Verified bool            // it was checked here, against Service
	Problem  string          // why it is not verified, "" when it is
}

// Event says that something changed which the person may see. It has no content:
// who is told looks again.
type Event struct {
	Sequence      uint64 `json:"sequence"`
	Kind          string `json:"kind"` // application, contract, reset
	ApplicationID int    `json:"applicationId,omitempty"`
	ContractID    int    `json:"contractId,omitempty"`
}
