package offchain

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// Rows are plain values. What a read returns may be shared with other readers:
// it must not be changed. Ids begin at 1; 0 is "none". Times are UTC with
// microseconds.

// Provisioning status of contracts and actions (Workbench, version 2).
const (
	StatusAsked     = 0 // asked for, in the journal
	StatusSent      = 1 // signed, on its way to the ledger
	StatusCommitted = 2 // in a block, effects read
	StatusRefused   = 3 // never sent, no nonce used: usually a revert found beforehand
	StatusFailed    = 4 // not committed, nonce used
	StatusReverted  = 5 // in a block, but reverted
)

// Provisioning status of people.
const (
	PersonIsCreated     = 0 // known by name
	PersonIsAssociated  = 1 // has a ledger account
	PersonIsProvisioned = 2 // the account can be used
)

// Application is one version of an application.
type Application struct {
	ID          int
	Name        string
	Version     int // 1, 2, 3: shown as 1.0, 2.0, 3.0
	DisplayName string
	Description string
	Enabled     bool
	Archived    bool
	Latest      bool // no later version of this name exists
	Coded       bool // it has contract code
	CreatedBy   int  // person
	CreatedAt   time.Time
	Roles       []Role
	WorkflowIDs []int
}

// Role is an application role.
type Role struct {
	ID, ApplicationID int
	Name, Description string
}

// Assignment is one person's role in one application.
type Assignment struct {
	ID            int
	ApplicationID int
	RoleID        int
	RoleName      string
	PersonID      int
	Person        *Person // filled by lists of an application's assignments
	AssignedBy    int
	AssignedAt    time.Time
}

// Person is a user, a human or a service.
type Person struct {
	ID         int
	ExternalID string // the identity provider's name of the person; unique
	FirstName  string
	LastName   string
	Email      string
	Client     bool // a service, not a human
	Status     int  // PersonIsCreated ... PersonIsProvisioned
	CreatedAt  time.Time
	Keys       []Key
}

// Address is the person's account on a connection; false when there is none.
func (p *Person) Address(connectionID int) (common.Address, bool) {
	for _, k := range p.Keys {
		if k.ConnectionID == connectionID {
			return k.Address, true
		}
	}
	return common.Address{}, false
}

// Key is the account of a person on a connection (Workbench: UserChainMapping).
type Key struct {
	ID, PersonID, ConnectionID int
	Address                    common.Address
}

// Ledger is a kind of chain. There is one: id 1, Ethereum.
type Ledger struct {
	ID                int
	Name, DisplayName string
}

// Connection is one ledger that contracts stand on.
type Connection struct {
	ID, LedgerID   int
	Endpoint       string // URL of JSON-RPC
	Kind           string // "coco" or "ethereum"
	FundingAccount string
	ChainID        uint64
	Genesis        common.Hash // hash of block 0: tells one ledger from another
}

// ContractCode is the code of an application for one kind of ledger.
type ContractCode struct {
	ID, ApplicationID, LedgerID int
	FileName                    string
	Size                        int // bytes of the file
	CreatedBy                   int
	CreatedAt                   time.Time
}

// Workflow is one kind of contract, whole. Its parts stand in the order of the
// configuration.
type Workflow struct {
	ID, ApplicationID              int
	Name, DisplayName, Description string
	Initiators                     []string
	StartStateID                   int
	Constructor                    Function
	Functions                      []Function // without the constructor
	Properties                     []Property
	States                         []State
}

// Definition is the part of the configuration that this workflow was made from.
func (w *Workflow) Definition() *workflow.Workflow { return definition(w) }

// StateProperty is the property that tells the state; nil when there is none.
func (w *Workflow) StateProperty() *Property {
	for i := range w.Properties {
		if w.Properties[i].Type.Name == "state" {
			return &w.Properties[i]
		}
	}
	return nil
}

// State finds a state by id; nil when there is none.
func (w *Workflow) State(id int) *State {
	for i := range w.States {
		if w.States[i].ID == id {
			return &w.States[i]
		}
	}
	return nil
}

// StateOf finds the state whose value is the text that was read; nil when none.
func (w *Workflow) StateOf(value string) *State {
	for i := range w.States {
		if w.States[i].text() == value {
			return &w.States[i]
		}
	}
	return nil
}

// Function finds a function or the constructor by id; nil when there is none.
func (w *Workflow) Function(id int) *Function {
	if w.Constructor.ID == id {
		return &w.Constructor
	}
	for i := range w.Functions {
		if w.Functions[i].ID == id {
			return &w.Functions[i]
		}
	}
	return nil
}

// Property finds a property by id; nil when there is none.
func (w *Workflow) Property(id int) *Property {
	for i := range w.Properties {
		if w.Properties[i].ID == id {
			return &w.Properties[i]
		}
	}
	return nil
}

// Function is a function of a workflow, or its constructor (empty name).
type Function struct {
	ID, WorkflowID                 int
	Constructor                    bool
	Name, DisplayName, Description string
	Signature                      string // extension: which overload
	ReadOnly                       bool   // extension: a view
	Parameters                     []Parameter
	Returns                        []workflow.Identifier // extension
}

// Parameter is a parameter of a function.
type Parameter struct {
	ID, FunctionID                 int
	Name, DisplayName, Description string
	Type                           DataType
}

// Property is a readable member of a contract.
type Property struct {
	ID, WorkflowID                 int
	Name, DisplayName, Description string
	Type                           DataType
}

// DataType is a type with the id it has in answers and views. Base types have
// fixed ids (BaseTypes) and no application.
type DataType struct {
	ID, ApplicationID, ElementTypeID int
	workflow.Type
}

// State is a state of a workflow.
type State struct {
	ID, WorkflowID                 int
	Name, DisplayName, Description string
	PercentComplete                int
	Value                          int
	Style                          string // Success or Failure
	Transitions                    []Transition
}

// Transition is what may be done in a state, and by whom.
type Transition struct {
	ID, StateID, FunctionID            int
	Function                           string // name, as configured
	AllowedRoles, AllowedInstanceRoles []string
	DisplayName, Description           string
	NextStates                         []string
}

// Contract is one deployed instance of a workflow, or one that was asked for.
type Contract struct {
	ID, ApplicationID, WorkflowID int
	CodeID, ConnectionID          int
	Status                        int            // StatusAsked ... StatusReverted: that of its constructor's action
	Address                       common.Address // zero until known
	DeployedBy                    int            // person; 0 when nobody known
	CreatedAt                     time.Time      // asked for, or its block
	RequestID                     string         // of who asked; empty when found on the ledger
	StateID                       int            // 0 until known
	State                         string         // value of the state property; empty until known
	ModifiedAt                    time.Time      // last action's time
	ModifiedBy                    int            // person of the last action; 0 when nobody known
	LastActionID                  int
	BlockNumber                   uint64  // last block that touched it; 0 before the first
	Values                        []Value // every property that was read, in the workflow's order
	Unread                        []int   // properties whose getter failed at the last reading: Values has the older value
}

// Value is the value of one property, in wire form (decimal, true/false, 0x..., [1,2]).
type Value struct {
	PropertyID int    `json:"p"`
	Value      string `json:"v"`
}

// Value gives the value of a property; false when it was never read.
func (c *Contract) Value(propertyID int) (string, bool) {
	for _, v := range c.Values {
		if v.PropertyID == propertyID {
			return v.Value, true
		}
	}
	return "", false
}

// Action is one invocation of a function or of a constructor.
type Action struct {
	ID, ApplicationID, ContractID int
	ConnectionID                  int
	FunctionID                    int // 0: a function that the configuration does not have
	FunctionName                  string
	PersonID                      int            // 0: nobody known
	From                          common.Address // who called: a person's account, a stranger, a contract
	CallerContractID              int            // the known contract that called; 0 otherwise
	Status                        int
	At                            time.Time // asked for, or its block
	RequestID                     string    // empty: found on the ledger
	Arguments                     []Argument
	Sequence                      int    // 1-based order of known calls in the transaction; 0 before it is committed
	StateID                       int    // state after the action's block; 0 unknown
	ErrorCode, ErrorMessage       string // of statuses 3, 4 and 5
	RevertReason                  string
	Hash                          common.Hash // of the transaction that was signed last, or found
	TransactionID, BlockID        int         // 0 until committed
	BlockNumber                   uint64
	BlockHash                     common.Hash
	BlockTime                     time.Time
	TxID                          string // the ledger's own id of the transaction, where it has one
}

// Argument is one argument of an action, in wire form.
type Argument struct {
	ParameterID int    `json:"i,omitempty"` // 0: not in the configuration
	Name        string `json:"n"`
	DisplayName string `json:"d,omitempty"`
	Value       string `json:"v"`
}

// Block is a block that was taken in.
type Block struct {
	ID, ConnectionID int
	Number           uint64
	Hash, Parent     common.Hash
	Time             time.Time
}

// Transaction is a transaction of a block that was taken in.
type Transaction struct {
	ID, ConnectionID, BlockID int
	BlockNumber               uint64
	BlockHash                 common.Hash
	BlockTime                 time.Time
	Hash                      common.Hash
	From                      common.Address
	To                        *common.Address // nil: a creation
	Value                     *big.Int        // wei; nil is 0
	Ours                      bool            // signed by this installation
	Status                    int             // StatusCommitted or StatusReverted
	TxID                      string          // the ledger's own id, where it has one
}

// Pending is an action that waits to be signed, or was signed and not yet seen
// in a block, with all that the dispatcher needs.
type Pending struct {
	Action
	WorkflowID, CodeID int
	Creation           bool           // the constructor's action
	Address            common.Address // of the contract; zero for a creation
	Signed             []SignedRow    // oldest first; the last one counts
}

// SignedRow is one transaction that was signed for an action.
type SignedRow struct {
	ActionID, ConnectionID, PersonID int
	Hash                             common.Hash
	From                             common.Address
	Nonce                            uint64
	Raw                              []byte
	At                               time.Time
}

// PastValue is a value that a property had from a block on.
type PastValue struct {
	ContractID, PropertyID int
	BlockID                int
	BlockNumber            uint64
	At                     time.Time // of the block
	Value                  string
}

// Cursor is how far a connection's ledger was taken in.
type Cursor struct {
	ConnectionID int
	Next         uint64      // first block that was not taken in
	Hash         common.Hash // of block Next-1; zero when Next is 0
}
