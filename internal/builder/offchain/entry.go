package offchain

import (
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// Entry is one of the decisions below. Do fills in the ids that it assigns
// (those marked "assigned"); everything else is the caller's. A zero At becomes
// the present.
//
// In the journal an entry is {"kind": NAME, "entry": {...}}. Names carry a
// version: a field may be added, but a change of meaning is a new name.
type Entry interface {
	kind() string
}

// Applied is what Do did.
type Applied struct {
	Sequence uint64 // of the entry in the journal
	ID       int    // of the row that the entry made: application, code, person, key, assignment, connection, contract or action
	Repeated bool   // the RequestID was known: nothing was done, the entry has the ids of the first time
}

// ApplicationAdded is a new version of an application, or the first one. It is
// disabled until CodeAdded or ApplicationEnabled enables it. The parts' ids are
// the first ids plus the position in the configuration, counted through all
// workflows; a workflow's constructor comes before its functions.
//
// When the names of the roles are those of the version before, its assignments
// are copied.
type ApplicationAdded struct {
	ID              int             `json:"id"`      // assigned
	Version         int             `json:"version"` // assigned
	Name            string          `json:"name"`
	Configuration   json.RawMessage `json:"configuration"` // checked, without a byte order mark
	By              int             `json:"by"`            // person
	At              time.Time       `json:"at"`
	FirstRole       int             `json:"firstRole"` // this and what follows: assigned
	FirstWorkflow   int             `json:"firstWorkflow"`
	FirstFunction   int             `json:"firstFunction"`
	FirstParameter  int             `json:"firstParameter"`
	FirstProperty   int             `json:"firstProperty"`
	FirstState      int             `json:"firstState"`
	FirstTransition int             `json:"firstTransition"`
	FirstType       int             `json:"firstType"`
	FirstAssignment int             `json:"firstAssignment"`
}

// CodeAdded is the code of an application for one kind of ledger: one per
// application and ledger. With Enable the application becomes enabled and the
// other versions of its name disabled.
type CodeAdded struct {
	ID            int             `json:"id"` // assigned
	ApplicationID int             `json:"applicationId"`
	LedgerID      int             `json:"ledgerId"`
	FileName      string          `json:"fileName"`
	File          []byte          `json:"file"`
	Output        json.RawMessage `json:"output"` // solidity.Output
	Enable        bool            `json:"enable"`
	By            int             `json:"by"`
	At            time.Time       `json:"at"`
}

// ApplicationEnabled sets whether an application may be used and whether lists
// show it.
type ApplicationEnabled struct {
	ID       int       `json:"id"`
	Enabled  bool      `json:"enabled"`
	Archived bool      `json:"archived"`
	By       int       `json:"by"`
	At       time.Time `json:"at"`
}

// PersonAdded is a person seen for the first time.
type PersonAdded struct {
	ID         int       `json:"id"` // assigned
	ExternalID string    `json:"externalId"`
	FirstName  string    `json:"firstName"`
	LastName   string    `json:"lastName"`
	Email      string    `json:"email"`
	Client     bool      `json:"client"`
	At         time.Time `json:"at"`
}

// PersonChanged is a person's new name or address.
type PersonChanged struct {
	ID        int       `json:"id"`
	FirstName string    `json:"firstName"`
	LastName  string    `json:"lastName"`
	Email     string    `json:"email"`
	At        time.Time `json:"at"`
}

// KeyAssociated is a person's account on a connection: one per person and
// connection, and an account belongs to one person.
type KeyAssociated struct {
	ID           int            `json:"id"` // assigned
	PersonID     int            `json:"personId"`
	ConnectionID int            `json:"connectionId"`
	Address      common.Address `json:"address"`
	At           time.Time      `json:"at"`
}

// PersonProvisioned says that a person's accounts can be used.
type PersonProvisioned struct {
	PersonID int       `json:"personId"`
	At       time.Time `json:"at"`
}

// RoleAssigned gives a person a role: a person has a role once.
type RoleAssigned struct {
	ID       int       `json:"id"` // assigned
	PersonID int       `json:"personId"`
	RoleID   int       `json:"roleId"`
	By       int       `json:"by"`
	At       time.Time `json:"at"`
}

// RoleChanged makes an assignment one to another person or role of the same
// application.
type RoleChanged struct {
	ID       int       `json:"id"`
	PersonID int       `json:"personId"`
	RoleID   int       `json:"roleId"`
	By       int       `json:"by"`
	At       time.Time `json:"at"`
}

// RoleRemoved ends an assignment.
type RoleRemoved struct {
	ID int       `json:"id"`
	By int       `json:"by"`
	At time.Time `json:"at"`
}

// ConnectionAdded is a ledger that contracts may stand on.
type ConnectionAdded struct {
	ID             int         `json:"id"` // assigned
	LedgerID       int         `json:"ledgerId"`
	Endpoint       string      `json:"endpoint"`
	Kind           string      `json:"kind"`
	FundingAccount string      `json:"fundingAccount,omitempty"`
	ChainID        uint64      `json:"chainId"`
	Genesis        common.Hash `json:"genesis"`
	First          uint64      `json:"first"` // number of the first block to take in
	At             time.Time   `json:"at"`
}

// ConnectionChanged is a new endpoint of the same ledger; or, of one that did not
// answer when it was added, which ledger it is.
type ConnectionChanged struct {
	ID       int         `json:"id"`
	Endpoint string      `json:"endpoint"`
	ChainID  uint64      `json:"chainId,omitempty"` // 0: as before, and the same for Genesis
	Genesis  common.Hash `json:"genesis,omitzero"`
	At       time.Time   `json:"at"`
}

// ContractRequested asks for a contract: its row and its constructor's action.
type ContractRequested struct {
	ContractID   int                 `json:"contractId"` // assigned
	ActionID     int                 `json:"actionId"`   // assigned
	WorkflowID   int                 `json:"workflowId"`
	CodeID       int                 `json:"codeId"`
	ConnectionID int                 `json:"connectionId"`
	PersonID     int                 `json:"personId"`
	Arguments    []workflow.Argument `json:"arguments"`
	RequestID    string              `json:"requestId"` // unique per person; empty: none
	At           time.Time           `json:"at"`
}

// ActionRequested asks for an action on a contract.
type ActionRequested struct {
	ActionID   int                 `json:"actionId"` // assigned
	ContractID int                 `json:"contractId"`
	FunctionID int                 `json:"functionId"`
	PersonID   int                 `json:"personId"`
	Arguments  []workflow.Argument `json:"arguments"`
	RequestID  string              `json:"requestId"`
	At         time.Time           `json:"at"`
}

// Signed is the transaction of an action, journaled before it is sent. An
// action may be signed again, with another nonce, when another one took it.
type Signed struct {
	ActionID int            `json:"actionId"`
	Hash     common.Hash    `json:"hash"`
	From     common.Address `json:"from"`
	Nonce    uint64         `json:"nonce"`
	Raw      []byte         `json:"raw"` // as it is sent
	At       time.Time      `json:"at"`
}

// Failed ends an action that was asked for and will not be in a block.
type Failed struct {
	ActionID     int       `json:"actionId"`
	Status       int       `json:"status"` // StatusRefused or StatusFailed
	Code         string    `json:"code"`
	Message      string    `json:"message"`
	RevertReason string    `json:"revertReason"`
	At           time.Time `json:"at"`
}

// BlocksTaken says that the blocks From to To of a ledger were taken in. Their
// rows are not in the journal: Source computes them, now and at every rebuild,
// from Facts, which the store keeps and does not read. A ledger could not be
// asked again: it keeps old state and traces for a while only, and what a
// reorganisation replaced is gone.
// Do asks the source before it writes the entry; counts and digest of the rows
// are kept, so that a rebuild which differs is noticed and not hidden.
type BlocksTaken struct {
	ConnectionID     int           `json:"connectionId"`
	From             uint64        `json:"from"` // must be the cursor's Next
	To               uint64        `json:"to"`   // inclusive
	Hashes           []common.Hash `json:"hashes"`
	FirstBlock       int           `json:"firstBlock"` // this and what follows: assigned
	FirstTransaction int           `json:"firstTransaction"`
	FirstContract    int           `json:"firstContract"`
	FirstAction      int           `json:"firstAction"`
	Blocks           int           `json:"blocks"`
	Transactions     int           `json:"transactions"`
	Contracts        int           `json:"contracts"`
	Actions          int           `json:"actions"`
	Digest           string        `json:"digest"`
	Facts            []byte        `json:"facts,omitempty"` // the source's own: what it learned of these blocks
	At               time.Time     `json:"at"`
}

// Rewound says that the blocks after To are no longer part of a ledger (a
// reorganisation): their rows go, contracts and actions found in them go, what
// was asked for here is pending again, properties have their values of block To.
type Rewound struct {
	ConnectionID int       `json:"connectionId"`
	To           int64     `json:"to"` // last block that stays; -1: none
	At           time.Time `json:"at"`
}

func (*ApplicationAdded) kind() string   { return "application-added/1" }
func (*CodeAdded) kind() string          { return "code-added/1" }
func (*ApplicationEnabled) kind() string { return "application-enabled/1" }
func (*PersonAdded) kind() string        { return "person-added/1" }
func (*PersonChanged) kind() string      { return "person-changed/1" }
func (*KeyAssociated) kind() string      { return "key-associated/1" }
func (*PersonProvisioned) kind() string  { return "person-provisioned/1" }
func (*RoleAssigned) kind() string       { return "role-assigned/1" }
func (*RoleChanged) kind() string        { return "role-changed/1" }
func (*RoleRemoved) kind() string        { return "role-removed/1" }
func (*ConnectionAdded) kind() string    { return "connection-added/1" }
func (*ConnectionChanged) kind() string  { return "connection-changed/1" }
func (*ContractRequested) kind() string  { return "contract-requested/1" }
func (*ActionRequested) kind() string    { return "action-requested/1" }
func (*Signed) kind() string             { return "signed/1" }
func (*Failed) kind() string             { return "failed/1" }
func (*BlocksTaken) kind() string        { return "blocks-taken/1" }
func (*Rewound) kind() string            { return "rewound/1" }
