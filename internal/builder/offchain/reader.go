package offchain

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
)

// ErrNotFound is given by reads of one row that does not exist.
var ErrNotFound = problem.New("ROW_NOT_FOUND", "there is no such row", "check the id")

// Page is a part of a list: Top rows after the first Skip. Top below 1 is 20.
type Page struct {
	Skip, Top int
}

// List is one page of rows and how many there are in all. Total is exact up to
// CountLimit rows that match a filter; beyond, AtLeast is true. More says that
// rows follow this page.
type List[T any] struct {
	Rows    []T
	Total   int
	AtLeast bool
	More    bool
}

// CountLimit is how far matching rows are counted when no counter knows.
const CountLimit = 10_000

// Order names a sort order. The zero value is the list's own order; names are
// values of this package, so that nothing a caller writes reaches SQL.
type Order struct {
	By         OrderBy
	Descending bool
}

// OrderBy is what a list is sorted by.
type OrderBy int

// The orders. A list that cannot be sorted so uses its own order.
const (
	ByDefault     OrderBy = iota
	ByID                  // all lists
	ByName                // applications, people (first name)
	ByDisplayName         // applications
	ByLastName            // people
	ByEmail               // people
	ByCreated             // applications, contracts
	ByModified            // contracts
	ByState               // contracts
	ByStatus              // contracts
)

// ApplicationFilter chooses applications. Own order: display name, version.
type ApplicationFilter struct {
	IDs      []int // nil: all; empty: none
	Name     string
	Enabled  *bool
	Archived *bool
	Search   string // part of name or display name, any case
	Order    Order
	Page     Page
}

// PersonFilter chooses people. Own order: first name, last name.
type PersonFilter struct {
	ExternalID string
	Address    common.Address // zero: any
	Search     string         // beginning of first name, last name, e-mail address or external id, any case
	Order      Order
	Page       Page
}

// ContractFilter chooses contracts. Own order: newest first (by id).
type ContractFilter struct {
	ApplicationIDs []int // nil: all; empty: none
	WorkflowID     int
	StateID        int
	Status         *int
	ConnectionID   int
	DeployedBy     int
	Address        common.Address // zero: any
	Properties     map[int]string // property id -> exact value, in wire form; any case
	Search         string         // contract id, address, or beginning of a property's value, any case
	Order          Order
	After          int // keyset paging of the own order: contracts with a smaller id than this one; 0: from the top
	Page           Page

	from int // smallest id of an ascending walk
}

// Reader reads what the fold made, without any rights: rooms above decide who
// may see what. Reads of one row give ErrNotFound.
type Reader interface {
	Applications(ctx context.Context, f ApplicationFilter) (List[Application], error)
	Application(ctx context.Context, id int) (*Application, error)
	Configuration(ctx context.Context, applicationID int) (json.RawMessage, error)
	Workflows(ctx context.Context, applicationID int) ([]Workflow, error) // whole, in the configuration's order
	Workflow(ctx context.Context, id int) (*Workflow, error)
	Function(ctx context.Context, id int) (*Workflow, *Function, error)
	Role(ctx context.Context, id int) (*Role, error)
	Codes(ctx context.Context, applicationID, ledgerID int) ([]ContractCode, error) // ledgerID 0: all; applicationID 0: all
	Code(ctx context.Context, id int) (*ContractCode, error)
	CodeFile(ctx context.Context, id int) ([]byte, error)
	CodeOutput(ctx context.Context, id int) (json.RawMessage, error)

	Assignments(ctx context.Context, applicationID, roleID int, p Page) (List[Assignment], error) // roleID 0: all; with Person
	Assignment(ctx context.Context, id int) (*Assignment, error)
	AssignmentsOf(ctx context.Context, personID int) ([]Assignment, error) // all applications, without Person
	People(ctx context.Context, f PersonFilter) (List[Person], error)
	Person(ctx context.Context, id int) (*Person, error)
	PersonByExternalID(ctx context.Context, externalID string) (*Person, error)
	PersonByAddress(ctx context.Context, connectionID int, a common.Address) (*Person, error) // connectionID 0: any

	Ledgers(ctx context.Context) ([]Ledger, error)
	Connections(ctx context.Context) ([]Connection, error)
	Connection(ctx context.Context, id int) (*Connection, error)
	Cursor(ctx context.Context, connectionID int) (Cursor, error)

	Contracts(ctx context.Context, f ContractFilter) (List[Contract], error) // with Values
	Contract(ctx context.Context, id int) (*Contract, error)                 // with Values
	ContractByAddress(ctx context.Context, connectionID int, a common.Address) (*Contract, error)
	Actions(ctx context.Context, contractID int, newestFirst bool, p Page) (List[Action], error)
	Action(ctx context.Context, id int) (*Action, error)
	ActionByHash(ctx context.Context, connectionID int, h common.Hash) (*Action, error) // any hash that was signed for an action
	ActionByRequest(ctx context.Context, personID int, requestID string) (*Action, error)
	History(ctx context.Context, contractID, propertyID int, p Page) (List[PastValue], error) // propertyID 0: all; newest first
	Pending(ctx context.Context, connectionID int) ([]Pending, error)                         // oldest first

	Blocks(ctx context.Context, connectionID int, p Page) (List[Block], error) // newest first
	Block(ctx context.Context, id int) (*Block, error)
	BlockByNumber(ctx context.Context, connectionID int, number uint64) (*Block, error)
	Transactions(ctx context.Context, connectionID int, p Page) (List[Transaction], error)                         // newest first
	TransactionsOf(ctx context.Context, connectionID int, applicationIDs []int, p Page) (List[Transaction], error) // newest first
	ApplicationsOf(ctx context.Context, transactionID int) ([]int, error)
	Transaction(ctx context.Context, id int) (*Transaction, error)
	TransactionByHash(ctx context.Context, connectionID int, h common.Hash) (*Transaction, error)
	ContractTransactions(ctx context.Context, contractID int) ([]Transaction, error) // oldest first
}

// Change says what an entry changed, as ids only. Changes that a watcher was
// too slow for are joined into one; ids are in no order and each stands once.
type Change struct {
	Sequence     uint64 // of the last entry in it
	At           time.Time
	Applications []int // rows, roles, code, assignments
	People       []int // rows, keys, assignments
	Connections  []int // rows, blocks
	Contracts    []int // rows, values, actions
	Actions      []ActionChange
	Missed       bool // too much happened: read everything again
}

// ActionChange is an action that was asked for, signed, settled, found or gone.
type ActionChange struct {
	ID, ContractID, ApplicationID, ConnectionID int
	Status                                      int
}
