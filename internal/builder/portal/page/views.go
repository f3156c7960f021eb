package page

import "time"

// The pages. Each is drawn by the template of its name in lower case.

// Applications shows the applications that the viewer sees, as tiles.
type Applications struct {
	Frame
	Tiles    []Tile
	Search   string
	Archived bool
	Total    int
	Pager    Pager
}

// Tile is an application.
type Tile struct {
	URL, Name, Description string
	Version                string
	State                  Tag
	Added                  time.Time
	Roles                  []string // of the viewer
	AddVersion, Versions   string   // URL, "": the viewer may not
	Members                string
}

// Upload is the form for a new application or a next version.
type Upload struct {
	Frame
	Application   string // whose next version this is; "": a new one
	Action        string // where the form goes
	RequestID     string
	Configuration *Report // nil: not checked yet
	Code          *Report
}

// Checks is the answer to a check of files while they are chosen.
type Checks struct {
	Frame
	Report *Report
}

// Report is what the check of a file found.
type Report struct {
	File     string
	Tone     string // good, bad, wait
	Text     string
	Findings []Finding
}

// Finding is one thing that is wrong, or looks so.
type Finding struct {
	Tone               string // bad or wait
	Where, Rule, Code  string
	Message, Fix, Path string
	Lang               string // of Message and Fix, when it is not the page's
}

// Versions is the history of an application.
type Versions struct {
	Frame
	Application string
	AddVersion  string
	Rows        []Version
}

// Version is one row of it.
type Version struct {
	ID      int
	URL     string
	Version string
	Latest  bool
	State   Tag
	By      Face
	At      time.Time
	Forms   []Button
}

// Button is a form with one button.
type Button struct {
	Action, Text, Tone string
	About              string // hidden words that tell this button from its like
	Hidden             map[string]string
	Dialog             bool // a link to a page that asks first
}

// Contracts is the page of an application's workflow: its contracts.
type Contracts struct {
	Frame
	Application  string
	Description  string
	Version      string
	VersionState Tag
	ReadOnly     string // why nothing can be done, "": something can
	Newer        *Link
	Versions     string // URL
	Members      []Face
	MemberCount  int
	MembersURL   string
	Workflows    []Tab
	About        string // the workflow's description
	New          string // URL, "": the viewer may not
	NewHint      string // who may, if the viewer may not
	Search       string
	State        string
	States       []Option
	Filters      []Field // one for each property
	Filtered     bool    // something narrows the list
	FiltersOn    bool    // one of Filters does
	Sort         string
	Clear        string // URL without filters
	Columns      []Column
	Customise    string // URL
	Rows         []Row
	Pager        Pager
}

// Tab is a link to one of several.
type Tab struct {
	Text, URL string
	Count     int
	Here      bool
}

// Column is a column of the contracts table.
type Column struct {
	Text   string
	URL    string // sorts by it; "": cannot be sorted
	Sorted string // ascending, descending or ""
	Wide   string // how wide it is whatever it holds: id, state, face, when, number, word, text; "": as its content
	Number bool
}

// Row is a contract.
type Row struct {
	ID     int
	URL    string
	State  State
	Status *Tag // while it is not on the ledger
	By     Face
	At     time.Time
	Values []Pair // by column
}

// Columns is the form that chooses the table's columns.
type Columns struct {
	Frame
	Action, Back string
	Items        []ColumnChoice
}

// ColumnChoice is a column that may be shown.
type ColumnChoice struct {
	ID, Text    string
	Shown       bool
	First, Last bool
}

// Form is a form for a new contract, an action, a person or a role.
type Form struct {
	Frame
	Lead      string
	About     string // what the function is for
	Action    string
	Submit    string
	Danger    bool
	Cancel    string
	RequestID string
	Hidden    map[string]string
	Fields    []Field
	Answer    []Pair // of a read-only function
	Context   []Pair // what is decided about
	// a search of its own above the fields, which finds what to choose
	Search       *Field
	SearchSubmit string
	SearchHidden map[string]string
}

// Contract is one contract.
type Contract struct {
	Frame
	ID       int
	Workflow string
	About    string
	State    *State
	Status   *Notice // while it is not on the ledger, or failed
	States   []Step
	Details  []Pair
	Offers   []Offer
	Reads    []Offer
	Why      string // why there is nothing to do
	Progress *Notice
	Activity []Event
	More     string
	Facts    []Pair // ledger, address, code
}

// Step is a state of the workflow.
type Step struct {
	ID   int
	Text string
	Kind string // been, here, open
}

// Offer is what the viewer may do now.
type Offer struct{ Text, Hint, URL string }

// Event is an action in the timeline.
type Event struct {
	ID      int
	What    string
	By      Face
	Via     string // the contract that called
	At      time.Time
	Tag     Tag // of its status
	Values  []Pair
	State   *State
	Error   string
	Lang    string // of Error, when it is not the page's
	Hint    string
	Pending bool // not settled yet
	Block   string
	BlockURL,
	Hash, HashURL string
	Request string
	Verify  string // URL; "": the ledger proves nothing
}

// Proof is what the check of an action's receipt found.
type Proof struct {
	Frame
	Tone, Title, Text string
	Tongue            string // language of Text, when it is not the page's
	Facts             []Pair
	Receipt           string
	Download          string
	Back              string
}

// Members are the people of an application, by role.
type Members struct {
	Frame
	Application string
	Add         string // URL, "": the viewer may not
	Roles       []RoleMembers
	Total       int
}

// RoleMembers are the people of one role.
type RoleMembers struct {
	ID, Total         int
	Name, Description string
	Add               string
	Rows              []Member
	More              string
}

// Member is one of them.
type Member struct {
	Face     Face
	Email    string
	ID       int
	Since    time.Time
	Change   string
	Remove   string
	External string
}

// People are all people of the installation.
type People struct {
	Frame
	Search string
	Add    string
	Rows   []PersonRow
	Pager  Pager
}

// PersonRow is one of them.
type PersonRow struct {
	ID          int
	URL         string
	Face        Face
	Email       string
	External    string
	State       Tag
	Client      bool
	Addresses   []Pair
	Memberships []Link
}

// Ledger is the list of connections.
type Ledger struct {
	Frame
	Rows []Connection
}

// Connection is one of them.
type Connection struct {
	Name, URL            string
	State                Tag
	Facts                []Pair
	Blocks, Transactions string
}

// Listing is a plain table: blocks, transactions and the like.
type Listing struct {
	Frame
	Lead    string
	Tabs    []Tab
	Caption string
	Columns []Column
	Rows    []ListRow
	Empty   string
	Icon    string // of an empty table
	Pager   Pager
}

// ListRow is a row of it; the first cell is its heading.
type ListRow struct {
	Key   string
	Cells []Value
}

// Facts is a page of names and values: one block, one transaction, one person.
type Facts struct {
	Frame
	Face   *Face // of a person
	Lead   string
	Pairs  []Pair
	Tables []Listing
}

// Failure is what one sees instead of a page.
type Failure struct {
	Frame
	What, Next string
	Tongue     string // language of both, when it is not the page's
	Code       string
	Links      []Link
}
