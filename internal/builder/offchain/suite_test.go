package offchain

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain/postgrestest"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// Every test of the suite runs on both databases.
var databases = []string{"sqlite", "postgres"}

func onBoth(t *testing.T, test func(t *testing.T, o Options)) {
	for _, name := range databases {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, name)) })
	}
}

// fresh are options for an empty installation.
func fresh(t testing.TB, database string) Options {
	o := Options{Dir: t.TempDir(), Key: testKey, Source: script{}, Clock: clock()}
	if database == "postgres" {
		o.DSN = postgrestest.DSN(t)
	}
	return o
}

// clock steps a second at each look.
func clock() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return time.Unix(1_700_000_000+n.Add(1), 123_456_789).UTC() }
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func do(t testing.TB, s *Store, e Entry) Applied {
	t.Helper()
	a, err := s.Do(t.Context(), e)
	if err != nil {
		t.Fatalf("%T: %v", e, err)
	}
	return a
}

const asset = `{"ApplicationName":"Asset","DisplayName":"Asset <i>transfer</i>","Description":"d",
"ApplicationRoles":[{"Name":"Owner","Description":"o"},{"Name":"Buyer"}],
"Workflows":[{"Name":"Asset","DisplayName":"Asset","Description":"w","Initiators":["Owner"],"StartState":"Active",
 "Properties":[{"Name":"State","DisplayName":"State","Type":{"Name":"state"}},
  {"Name":"Description","DisplayName":"Description","Type":{"Name":"string"}},
  {"Name":"Holder","DisplayName":"Holder","Description":"who","Type":{"Name":"Owner"}},
  {"Name":"Prices","DisplayName":"Prices","Type":{"Name":"array","ElementType":{"Name":"money"}}}],
 "Constructor":{"Parameters":[{"Name":"description","DisplayName":"Description","Type":{"Name":"string"}},{"Name":"price","DisplayName":"Price","Type":{"Name":"money"}}]},
 "Functions":[{"Name":"Offer","DisplayName":"Make offer","Parameters":[{"Name":"price","DisplayName":"Price","Type":{"Name":"money"}}]},
  {"Name":"Close","DisplayName":"Close","Parameters":[]}],
 "States":[{"Name":"Active","DisplayName":"Active","PercentComplete":20,"Style":"Success","Transitions":[
   {"AllowedRoles":["Buyer"],"AllowedInstanceRoles":[],"DisplayName":"Offer","Function":"Offer","NextStates":["Closed"]}]},
  {"Name":"Closed","DisplayName":"Closed","PercentComplete":100,"Value":7,"Style":"Failure"}]},
 {"Name":"Part","DisplayName":"Part","Initiators":[],"StartState":"Made",
 "Properties":[{"Name":"State","DisplayName":"State","Type":{"Name":"state"}},{"Name":"Kind","DisplayName":"Kind","Type":{"Name":"enum","EnumValues":["A","B"]}}],
 "Constructor":{"Parameters":[]},"Functions":[],
 "States":[{"Name":"Made","DisplayName":"Made","PercentComplete":100,"Style":"Success"}]}]}`

// installation is a store with an application, three people and two connections.
type installation struct {
	*Store
	t        testing.TB
	options  Options
	app      *ApplicationAdded
	code     *CodeAdded
	people   []int
	asset    *Workflow
	part     *Workflow
	number   map[int]uint64 // next block by connection
	branch   byte
	requests int
}

func install(t testing.TB, o Options) *installation {
	in := &installation{Store: mustOpen(t, o), t: t, options: o, number: map[int]uint64{}}
	do(t, in.Store, &ConnectionAdded{LedgerID: 1, Endpoint: "http://a", Kind: "coco", ChainID: 1, Genesis: common.Hash{1}})
	do(t, in.Store, &ConnectionAdded{LedgerID: 1, Endpoint: "http://b", Kind: "ethereum", ChainID: 2, Genesis: common.Hash{2}, First: 5})
	in.number[1], in.number[2] = 0, 5
	for i, name := range []string{"Ann", "Bob", "Cleo"} {
		p := &PersonAdded{ExternalID: "oid-" + name, FirstName: name, LastName: "O'Neill \"<b>", Email: name + "@example.org"}
		do(t, in.Store, p)
		do(t, in.Store, &KeyAssociated{PersonID: p.ID, ConnectionID: 1, Address: account(i)})
		do(t, in.Store, &PersonProvisioned{PersonID: p.ID})
		in.people = append(in.people, p.ID)
	}
	in.app = &ApplicationAdded{Name: "Asset", Configuration: json.RawMessage(asset), By: in.people[0]}
	do(t, in.Store, in.app)
	in.code = &CodeAdded{ApplicationID: in.app.ID, LedgerID: 1, FileName: "Asset.sol", File: []byte("contract Asset {}"), Output: json.RawMessage(`{"x":1}`), Enable: true, By: in.people[0]}
	do(t, in.Store, in.code)
	do(t, in.Store, &RoleAssigned{PersonID: in.people[0], RoleID: in.app.FirstRole, By: in.people[0]})
	do(t, in.Store, &RoleAssigned{PersonID: in.people[1], RoleID: in.app.FirstRole + 1, By: in.people[0]})
	workflows, err := in.Workflows(t.Context(), in.app.ID)
	if err != nil || len(workflows) != 2 {
		t.Fatalf("workflows: %v, %v", workflows, err)
	}
	in.asset, in.part = &workflows[0], &workflows[1]
	return in
}

func account(i int) common.Address { return common.Address{0xAA, byte(i)} }

// A block of the test's ledger says what happened in it. The source below turns
// that into rows, as the indexer does from what it learned.
type event struct {
	Hash     common.Hash
	Action   int // settled
	Failed   string
	Created  common.Address    // by the settled action
	Found    int               // workflow of a contract that appears
	At       common.Address    // contract that is called from outside, or appears
	Function int               // that is called from outside
	From     common.Address    // who calls
	Values   map[string]string // of the contract afterwards, by property name
	Broken   []string          // getters that fail
}

// script is a source whose facts are events, by block.
type script struct{}

func (script) Rows(ctx context.Context, v Reader, b *BlocksTaken) (*Rows, error) {
	var blocks [][]event
	if err := json.Unmarshal(b.Facts, &blocks); err != nil {
		return nil, err
	}
	r := &Rows{}
	fresh := map[common.Address]*Contract{}
	parent := common.Hash{}
	for i, events := range blocks {
		block := Block{ID: b.FirstBlock + i, ConnectionID: b.ConnectionID, Number: b.From + uint64(i), Hash: b.Hashes[i], Parent: parent,
			Time: time.Unix(1_800_000_000+int64(b.From)+int64(i), 0).UTC()}
		parent = block.Hash
		r.Blocks = append(r.Blocks, block)
		for _, e := range events {
			if err := e.rows(ctx, v, b, &block, r, fresh); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func (e event) rows(ctx context.Context, v Reader, b *BlocksTaken, block *Block, r *Rows, fresh map[common.Address]*Contract) error {
	x := Transaction{ID: b.FirstTransaction + len(r.Transactions), ConnectionID: b.ConnectionID, BlockID: block.ID, Hash: e.Hash, From: e.From,
		Value: big.NewInt(7), Status: StatusCommitted, TxID: fmt.Sprint("2.", block.Number)}
	contract := fresh[e.At]
	if e.At != (common.Address{}) {
		x.To = &e.At
		if contract == nil {
			contract, _ = v.ContractByAddress(ctx, b.ConnectionID, e.At)
		}
	}
	who := 0
	if p, err := v.PersonByAddress(ctx, b.ConnectionID, e.From); err == nil {
		who = p.ID
	}
	found := Action{ID: b.FirstAction + len(r.Actions), TransactionID: x.ID, PersonID: who, From: e.From, Status: StatusCommitted, Sequence: 1}
	switch {
	case e.Action != 0:
		a, err := v.Action(ctx, e.Action)
		if err != nil {
			return err
		}
		x.Ours = true
		s := Settled{ActionID: e.Action, TransactionID: x.ID, Status: StatusCommitted, Sequence: 1, Address: e.Created}
		if e.Failed != "" {
			s.Status, s.RevertReason, x.Status = StatusReverted, e.Failed, StatusReverted
		}
		r.Settled = append(r.Settled, s)
		if contract, err = v.Contract(ctx, a.ContractID); err != nil {
			return err
		}
	case e.Found != 0:
		w, err := v.Workflow(ctx, e.Found)
		if err != nil {
			return err
		}
		x.To = nil
		contract = &Contract{ID: b.FirstContract + len(r.Contracts), WorkflowID: w.ID, CodeID: 1, ConnectionID: b.ConnectionID,
			Status: StatusCommitted, Address: e.At, DeployedBy: who, CreatedAt: block.Time}
		fresh[e.At] = contract
		r.Contracts = append(r.Contracts, *contract)
		found.ContractID, found.FunctionID = contract.ID, w.Constructor.ID
		r.Actions = append(r.Actions, found)
	default:
		found.ContractID, found.FunctionID, found.FunctionName = contract.ID, e.Function, "elsewhere"
		found.Arguments = []Argument{{Name: "price", Value: "9\x00"}}
		r.Actions = append(r.Actions, found)
	}
	r.Transactions = append(r.Transactions, x)
	w, err := v.Workflow(ctx, contract.WorkflowID)
	if err != nil {
		return err
	}
	set := PropertySet{ContractID: contract.ID, BlockID: block.ID}
	for _, p := range w.Properties {
		if value, ok := e.Values[p.Name]; ok {
			set.Values = append(set.Values, Value{p.ID, value})
		}
		if strings.Contains(strings.Join(e.Broken, ","), p.Name) {
			set.Unread = append(set.Unread, p.ID)
		}
	}
	if len(set.Values)+len(set.Unread) > 0 {
		r.Properties = append(r.Properties, set)
	}
	return nil
}

// blocks takes in blocks of a connection.
func (in *installation) blocks(connection int, blocks ...[]event) *BlocksTaken {
	in.t.Helper()
	e := in.taken(connection, blocks...)
	do(in.t, in.Store, e)
	in.number[connection] = e.To + 1
	return e
}

func (in *installation) taken(connection int, blocks ...[]event) *BlocksTaken {
	facts, err := json.Marshal(blocks)
	if err != nil {
		in.t.Fatal(err)
	}
	e := &BlocksTaken{ConnectionID: connection, From: in.number[connection], To: in.number[connection] + uint64(len(blocks)) - 1, Facts: facts}
	for n := e.From; n <= e.To; n++ {
		e.Hashes = append(e.Hashes, blockHash(connection, n, in.branch))
	}
	return e
}

func blockHash(connection int, number uint64, branch byte) common.Hash {
	return common.Hash{0xB0, byte(connection), byte(number >> 8), byte(number), branch}
}

// create asks for a contract, signs it, and takes it in as committed.
func (in *installation) create(values map[string]string) (contract int, at common.Address) {
	in.t.Helper()
	r := in.request("chair", "100")
	hash := in.sign(r.ActionID, 0)
	at = common.Address{0xC0, byte(r.ContractID >> 8), byte(r.ContractID)}
	in.blocks(1, []event{{Hash: hash, Action: r.ActionID, From: account(0), Created: at, Values: values}})
	return r.ContractID, at
}

func (in *installation) request(arguments ...string) *ContractRequested {
	in.t.Helper()
	in.requests++
	r := &ContractRequested{WorkflowID: in.asset.ID, CodeID: in.code.ID, ConnectionID: 1, PersonID: in.people[0], RequestID: fmt.Sprint("r", in.requests),
		Arguments: []workflow.Argument{{Name: "description", Value: arguments[0]}, {Name: "price", Value: arguments[1]}}}
	do(in.t, in.Store, r)
	return r
}

// sign signs an action; its hash is made of the action's id.
func (in *installation) sign(action int, again byte) common.Hash {
	in.t.Helper()
	h := common.Hash{0x51, byte(action >> 8), byte(action), again}
	do(in.t, in.Store, &Signed{ActionID: action, Hash: h, From: account(0), Nonce: uint64(action), Raw: []byte{1, 2, 3}})
	return h
}

// dump is every row of every view and table, as text.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	names := viewNames()
	for _, m := range tableName.FindAllStringSubmatch(schemaSQL, -1) {
		names = append(names, m[1])
	}
	for _, name := range names {
		columns := columnsOf(t, s.engine, name)
		var list []string
		for _, c := range columns {
			list = append(list, fmt.Sprintf("COALESCE(CAST(%q AS TEXT), '-')", c[0]))
		}
		fmt.Fprintf(&b, "== %s\n", name)
		text := fmt.Sprintf("SELECT %s FROM %q ORDER BY %s", strings.Join(list, " || ' | ' || "), name, "1")
		if err := s.engine.query(t.Context(), text, nil, func(r row) error {
			fmt.Fprintf(&b, "%q\n", r.text(0))
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return b.String()
}

// columnsOf gives names and types of a view or table.
func columnsOf(t testing.TB, e engine, name string) (out [][2]string) {
	t.Helper()
	text := "SELECT name, type FROM pragma_table_info('" + name + "') ORDER BY cid"
	if e.dialect().name == "postgres" {
		text = "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = '" + name + "' ORDER BY ordinal_position"
	}
	if err := e.query(t.Context(), text, nil, func(r row) error {
		out = append(out, [2]string{r.text(0), r.text(1)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares two dumps and shows the first difference.
func same(t testing.TB, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	table := ""
	for i := range w {
		if strings.HasPrefix(w[i], "==") {
			table = w[i]
		}
		if i >= len(g) || g[i] != w[i] {
			line := "nothing"
			if i < len(g) {
				line = g[i]
			}
			t.Fatalf("%s differs in %s:\n got %s\nwant %s", what, table, line, w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%s: %d lines, want %d", what, len(g), len(w))
	}
}

// emptied are options of the same installation with its database deleted.
func emptied(t testing.TB, o Options) Options {
	t.Helper()
	if o.DSN != "" { // another, empty one
		o.DSN = postgrestest.DSN(t)
		return o
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, "builder.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database to delete: %v, %v", files, err)
	}
	for _, f := range files {
		remove(t, f)
	}
	return o
}
