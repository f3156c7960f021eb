package dispatch_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/dispatch"
	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// guard is when a test that waits for an event gives up.
const guard = 60 * time.Second

// safe keeps keys that come from names.
type safe struct {
	mu   sync.Mutex
	hook func(person string) error
}

func keyOf(person string) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(person)))
	if err != nil {
		panic(err)
	}
	return key
}

func addressOf(person string) common.Address { return crypto.PubkeyToAddress(keyOf(person).PublicKey) }

func (s *safe) Create(_ context.Context, person string) (vault.Key, error) {
	return vault.Key{Person: person, Address: addressOf(person)}, nil
}

func (s *safe) Key(ctx context.Context, person string) (vault.Key, error) {
	return s.Create(ctx, person)
}

func (s *safe) Sign(_ context.Context, person, _ string, digest [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hook != nil {
		if err := s.hook(person); err != nil {
			return nil, err
		}
	}
	signature, err := crypto.Sign(digest[:], keyOf(person))
	return signature[:64], err
}

// stage is an installation with the market, on a ledger.
type stage struct {
	t      testing.TB
	dir    string
	ledger *simulated.Ledger
	driver ledger.Driver
	vault  *safe
	again  time.Duration
	batch  int // blocks at once
	store  *offchain.Store
	index  *indexer.Indexer
	send   *dispatch.Dispatcher
	end    func()
	people map[string]int
	app    int
	code   int
	conn   int
	shop   *offchain.Workflow
	item   *offchain.Workflow

	// step is asked before and after each entry; an error ends the process there.
	step func(name string) error
	// rights is asked before something is signed.
	rights dispatch.Rights
}

var roles = map[string]string{"kim": "Keeper", "lee": "Keeper", "gus": "Guest"}

func newStage(t testing.TB, o simulated.Options) *stage {
	t.Helper()
	l := simulated.New(o)
	s := newStageOn(t, l, &offchain.ConnectionAdded{LedgerID: 1, Endpoint: "memory:", Kind: "ethereum", ChainID: simulated.ChainID, Genesis: l.Genesis()})
	s.ledger = l
	return s
}

// newStageOn is newStage on any ledger.
func newStageOn(t testing.TB, driver ledger.Driver, connection *offchain.ConnectionAdded) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), driver: driver, vault: &safe{}, people: map[string]int{}, again: 200 * time.Millisecond, batch: 7}
	s.open()
	t.Cleanup(func() { s.stop(); s.store.Close() })
	s.conn = s.do(connection)
	admin := s.do(&offchain.PersonAdded{ExternalID: "admin"})
	s.app = s.do(&offchain.ApplicationAdded{Name: "Market", Configuration: simulated.MarketConfiguration, By: admin})
	s.code = s.do(&offchain.CodeAdded{ApplicationID: s.app, LedgerID: 1, FileName: "Market.sol", File: simulated.MarketSource,
		Output: simulated.MarketOutput, Enable: true, By: admin})
	application, err := s.store.Application(t.Context(), s.app)
	s.ok(err)
	for _, name := range []string{"kim", "lee", "gus"} {
		id := s.do(&offchain.PersonAdded{ExternalID: name, FirstName: name})
		s.people[name] = id
		s.do(&offchain.KeyAssociated{PersonID: id, ConnectionID: s.conn, Address: addressOf(name)})
		for _, r := range application.Roles {
			if r.Name == roles[name] {
				s.do(&offchain.RoleAssigned{PersonID: id, RoleID: r.ID, By: admin})
			}
		}
	}
	flows, err := s.store.Workflows(t.Context(), s.app)
	s.ok(err)
	s.shop, s.item = &flows[0], &flows[1]
	return s
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) open() {
	s.t.Helper()
	var err error
	s.store, err = offchain.Open(context.Background(), offchain.Options{Dir: s.dir, Key: [32]byte{7}, Source: indexer.Source{}})
	s.ok(err)
}

func (s *stage) do(e offchain.Entry) int {
	s.t.Helper()
	a, err := s.store.Do(context.Background(), e)
	s.ok(err)
	return a.ID
}

// stepped is a store that can end the process before and after each entry.
type stepped struct {
	*offchain.Store
	step func(name string) error
}

func (s stepped) Do(ctx context.Context, e offchain.Entry) (offchain.Applied, error) {
	if s.step != nil {
		if err := s.step("entry"); err != nil {
			return offchain.Applied{}, err
		}
	}
	a, err := s.Store.Do(ctx, e)
	if s.step != nil && err == nil {
		err = s.step("entry done")
	}
	return a, err
}

// start runs indexer and dispatcher.
func (s *stage) start() {
	ctx, cancel := context.WithCancel(context.Background())
	book := binding.New()
	store := stepped{s.store, s.step}
	drivers := map[int]ledger.Driver{s.conn: s.driver}
	s.index = indexer.New(indexer.Options{Store: store, Book: book, Drivers: drivers, Batch: s.batch, Patience: 50 * time.Millisecond})
	s.send = dispatch.New(dispatch.Options{Store: store, Book: book, Drivers: drivers, Vault: s.vault, Again: s.again, Rights: s.rights})
	var running sync.WaitGroup
	running.Go(func() { s.index.Run(ctx) })
	running.Go(func() { s.send.Run(ctx) })
	s.end = func() { cancel(); running.Wait() }
}

func (s *stage) stop() {
	if s.end != nil {
		s.end()
		s.end = nil
	}
}

// restart ends the process, lets the test do something to its directory, and
// starts it again.
func (s *stage) restart(between func()) {
	s.t.Helper()
	s.stop()
	s.ok(s.store.Close())
	if between != nil {
		between()
	}
	s.open()
	s.start()
}

// forget deletes the database.
func (s *stage) forget() {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "builder.db*"))
	s.ok(err)
	if len(files) == 0 {
		s.t.Fatal("there is no database to delete")
	}
	for _, f := range files {
		s.ok(os.Remove(f))
	}
}

func args(pairs ...string) []workflow.Argument {
	var list []workflow.Argument
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, workflow.Argument{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func (s *stage) create(who, count string) (contract, action int) {
	s.t.Helper()
	e := &offchain.ContractRequested{WorkflowID: s.shop.ID, CodeID: s.code, ConnectionID: s.conn, PersonID: s.people[who], Arguments: args("count", count)}
	s.do(e)
	return e.ContractID, e.ActionID
}

func (s *stage) act(who string, contract int, function string, pairs ...string) int {
	s.t.Helper()
	c, err := s.store.Contract(context.Background(), contract)
	s.ok(err)
	w := s.shop
	if c.WorkflowID == s.item.ID {
		w = s.item
	}
	for i := range w.Functions {
		if w.Functions[i].Name == function {
			return s.do(&offchain.ActionRequested{ContractID: contract, FunctionID: w.Functions[i].ID, PersonID: s.people[who], Arguments: args(pairs...)})
		}
	}
	s.t.Fatalf("there is no function %s", function)
	return 0
}

// calm waits until nothing is pending and every block was taken in.
func (s *stage) calm() {
	s.t.Helper()
	s.until("everything is settled", func() bool {
		pending, err := s.store.Pending(s.t.Context(), s.conn)
		s.ok(err)
		cursor, err := s.store.Cursor(s.t.Context(), s.conn)
		s.ok(err)
		return len(pending) == 0 && cursor.Next == s.head()+1
	})
}

// head is the number of the ledger's newest block.
func (s *stage) head() uint64 {
	s.t.Helper()
	if s.ledger != nil {
		return s.ledger.Height()
	}
	head, err := s.driver.Head(s.t.Context())
	s.ok(err)
	return head.Number
}

// until waits for changes of the store until something holds.
func (s *stage) until(what string, holds func() bool) {
	s.t.Helper()
	changes, end := s.store.Watch()
	defer end()
	limit := time.After(guard)
	for !holds() {
		select {
		case <-changes:
		case <-limit:
			var waiting []string
			pending, _ := s.store.Pending(s.t.Context(), s.conn)
			for _, p := range pending {
				waiting = append(waiting, fmt.Sprintf("%d %s of %d on contract %d, signed %d times", p.ID, p.FunctionName, p.PersonID, p.ContractID, len(p.Signed)))
			}
			s.t.Fatalf("never: %s; pending %q, indexer %+v, dispatcher %+v, head %d", what, waiting, s.index.State(s.conn), s.send.State(s.conn), s.head())
		}
	}
}

func (s *stage) contract(id int) *offchain.Contract {
	s.t.Helper()
	c, err := s.store.Contract(s.t.Context(), id)
	s.ok(err)
	return c
}

func (s *stage) action(id int) *offchain.Action {
	s.t.Helper()
	a, err := s.store.Action(s.t.Context(), id)
	s.ok(err)
	return a
}

func (s *stage) value(id int, property string) string {
	s.t.Helper()
	c := s.contract(id)
	w := s.shop
	if c.WorkflowID == s.item.ID {
		w = s.item
	}
	for _, p := range w.Properties {
		if p.Name == property {
			v, _ := c.Value(p.ID)
			return v
		}
	}
	s.t.Fatalf("there is no property %s", property)
	return ""
}

func (s *stage) actions(id int) []offchain.Action {
	s.t.Helper()
	list, err := s.store.Actions(s.t.Context(), id, false, offchain.Page{Top: 10_000})
	s.ok(err)
	return list.Rows
}

// bound is a workflow's binding.
func (s *stage) bound(w *offchain.Workflow) *workflow.Binding {
	s.t.Helper()
	b, err := binding.New().Of(s.t.Context(), s.store, w.ID, s.code)
	s.ok(err)
	return b.Binding
}

// direct sends a transaction past the gateway. It is signed with the next nonce.
func (s *stage) direct(who string, to *common.Address, data []byte) error {
	var driver ledger.Driver = s.ledger // without the hooks of a test's own driver
	if s.ledger == nil {
		driver = s.driver
	}
	nonce, err := driver.NextNonce(s.t.Context(), addressOf(who))
	if err != nil {
		return err
	}
	info, err := driver.Info(s.t.Context())
	if err != nil {
		return err
	}
	tx := types.MustSignNewTx(keyOf(who), types.LatestSignerForChainID(info.ChainID),
		&types.LegacyTx{Nonce: nonce, To: to, Data: data, Gas: 8_000_000, GasPrice: common.Big0})
	if err := driver.Submit(s.t.Context(), tx); err != nil || s.ledger != nil {
		return err
	}
	ledgertest.Eventually(s.t, "the transaction is in a block", func() bool {
		status, err := driver.Status(s.t.Context(), tx.Hash())
		s.ok(err)
		return status.State == ledger.Committed
	})
	return nil
}

func (s *stage) call(who string, w *offchain.Workflow, to common.Address, function string, pairs ...string) {
	s.t.Helper()
	data, err := s.bound(w).Call(function, args(pairs...))
	s.ok(err)
	s.ok(s.direct(who, &to, data))
}

// dump is every row that blocks and actions made, as text.
func (s *stage) dump() string {
	s.t.Helper()
	ctx := s.t.Context()
	all := map[string]any{}
	contracts, err := s.store.Contracts(ctx, offchain.ContractFilter{Order: offchain.Order{By: offchain.ByID}, Page: offchain.Page{Top: 100_000}})
	s.ok(err)
	all["contracts"] = contracts.Rows
	actions, history := map[int]any{}, map[int]any{}
	for _, c := range contracts.Rows {
		actions[c.ID] = s.actions(c.ID)
		h, err := s.store.History(ctx, c.ID, 0, offchain.Page{Top: 100_000})
		s.ok(err)
		history[c.ID] = h.Rows
	}
	all["actions"], all["history"] = actions, history
	blocks, err := s.store.Blocks(ctx, s.conn, offchain.Page{Top: 100_000})
	s.ok(err)
	transactions, err := s.store.Transactions(ctx, s.conn, offchain.Page{Top: 100_000})
	s.ok(err)
	all["blocks"], all["transactions"] = blocks.Rows, transactions.Rows
	text, err := json.MarshalIndent(all, "", " ")
	s.ok(err)
	return string(text)
}

// same compares two dumps and shows the first line that differs.
func same(t testing.TB, what, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			from := max(0, i-15)
			t.Fatalf("%s: rows differ at line %d:\nbefore\n%s\nafter\n%s", what, i, strings.Join(a[from:min(len(a), i+3)], "\n"), strings.Join(b[min(from, len(b)):min(len(b), i+3)], "\n"))
		}
	}
	t.Fatalf("%s: there are more rows than before", what)
}

var errKilled = errors.New("the process was killed here")
