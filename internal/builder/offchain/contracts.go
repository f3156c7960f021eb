package offchain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
)

// statement is SQL that is put together of this package's own words; whatever
// comes from a caller is an argument.
type statement struct {
	strings.Builder
	args []any
}

// arg adds an argument and gives its place.
func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

const contractRow = `c.id, c.application_id, c.workflow_id, c.code_id, c.connection_id, c.status, c.address, c.deployed_by,
	c.created_at, c.request_id, c.state_id, c.state, c.modified_at, c.modified_by, c.last_action_id, c.block_number,
	c.property_values, c.unread`

func readContract(r row) (Contract, error) {
	values, err := unpackValues(r.bytes(16))
	c := Contract{ID: int(r.int(0)), ApplicationID: int(r.int(1)), WorkflowID: int(r.int(2)), CodeID: int(r.int(3)),
		ConnectionID: int(r.int(4)), Status: int(r.int(5)), DeployedBy: int(r.int(7)), CreatedAt: moment(r.int(8)),
		RequestID: r.text(9), StateID: int(r.int(10)), State: r.text(11), ModifiedAt: moment(r.int(12)),
		ModifiedBy: int(r.int(13)), LastActionID: int(r.int(14)), BlockNumber: uint64(r.int(15)), Values: values}
	if !r.null(6) {
		c.Address = common.HexToAddress(r.text(6))
	}
	for _, id := range strings.Fields(r.text(17)) {
		n, err := strconv.Atoi(id)
		if err != nil {
			return c, errPacked
		}
		c.Unread = append(c.Unread, n)
	}
	return c, err
}

func (v view) Contract(ctx context.Context, id int) (*Contract, error) {
	return v.contract(ctx, "c.id = $1", id)
}

func (v view) ContractByAddress(ctx context.Context, connectionID int, a common.Address) (*Contract, error) {
	return v.contract(ctx, "c.connection_id = $1 AND c.address = $2 ORDER BY c.id DESC", connectionID, addressText(a))
}

func (v view) contract(ctx context.Context, where string, args ...any) (*Contract, error) {
	var out Contract
	found, err := one(ctx, v.q, "SELECT "+contractRow+" FROM contract c WHERE "+where, args, func(r row) (err error) {
		out, err = readContract(r)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// columns that contracts are sorted by; the id decides between equals.
var contractOrders = map[OrderBy]string{
	ByDefault: "id", ByID: "id", ByCreated: "id", ByModified: "modified_at", ByState: "state_id", ByStatus: "status",
}

// A list of contracts is one query for the page and, where no counter knows, one
// for the total. What the query walks is chosen so that it is short:
//
//   - the contracts of each workflow in the wanted order, from an index, merged;
//   - or, when a property's value or a search is asked for and few contracts have
//     it, those, sorted; when many have it, the walk above meets them soon.
func (v view) Contracts(ctx context.Context, f ContractFilter) (List[Contract], error) {
	var out List[Contract]
	f.Page.Skip = max(f.Page.Skip, 0)
	scope, all := v.scope(f)
	if len(scope) == 0 {
		return out, nil
	}
	by, ok := contractOrders[f.Order.By]
	if !ok {
		by = "id"
	}
	descending := f.Order.Descending || f.Order.By == ByDefault
	if f.Address != (common.Address{}) {
		return v.few(ctx, f, scope, nil, by, descending)
	}
	total, exact, driver, err := v.total(ctx, f, scope)
	if err != nil {
		return out, err
	}
	s := &statement{}
	top := f.Page.top()
	switch {
	case by == "id" && driver != nil && f.alone():
		s.WriteString("SELECT " + contractRow + " FROM contract c WHERE c.id IN (")
		s.candidates(*driver, f, nil)
		if f.After != 0 {
			s.WriteString(" AND pv.contract_id < " + s.arg(f.After))
		}
		s.order("pv.contract_", by, descending, top+1, f.Page.Skip)
		s.WriteString(")")
		s.order("c.", by, descending, top+1, 0)
		out.Rows, err = v.contractRows(ctx, s)
		out.Total, out.AtLeast = total, !exact
		return out.cut(top), err
	case driver != nil && exact:
		return v.few(ctx, f, scope, driver, by, descending)
	case by == "id" && f.plain() && f.After == 0 && f.Page.Skip > bucket:
		if err := v.leap(ctx, &f, scope, descending); err != nil {
			return out, err
		}
	}
	if all && by == "id" {
		s.WriteString("SELECT " + contractRow + " FROM contract c WHERE 1 = 1")
		s.conditions(f)
		s.order("c.", by, descending, top+1, f.Page.Skip)
	} else {
		v.merge(s, f, scope, by, descending, top+1, f.Page.Skip)
	}
	if out.Rows, err = v.contractRows(ctx, s); err != nil {
		return out, err
	}
	out.Total, out.AtLeast = total, !exact
	return out.cut(top), nil
}

// cut drops the row that was read to know whether more follow.
func (l List[T]) cut(top int) List[T] {
	if len(l.Rows) > top {
		l.Rows, l.More = l.Rows[:top], true
	}
	return l
}

// scope is the workflows whose contracts are asked for; all says that it is
// every one there is.
func (v view) scope(f ContractFilter) (ids []int, all bool) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if f.ApplicationIDs == nil {
		all = f.WorkflowID == 0 && f.StateID == 0
		ids = slices.Sorted(maps.Keys(v.c.workflows))
	} else {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(f.ApplicationIDs))) {
			if a := v.c.applications[id]; a != nil {
				ids = append(ids, a.WorkflowIDs...)
			}
		}
		all = len(ids) == len(v.c.workflows)
	}
	keep := func(w *Workflow) bool {
		return (f.WorkflowID == 0 || w.ID == f.WorkflowID) && (f.StateID == 0 || w.State(f.StateID) != nil) &&
			!slices.ContainsFunc(slices.Collect(maps.Keys(f.Properties)), func(p int) bool { return w.Property(p) == nil })
	}
	before := len(ids)
	ids = slices.DeleteFunc(ids, func(id int) bool { return !keep(v.c.workflows[id]) })
	return ids, all && len(ids) == before
}

// properties are the ids of all properties of some workflows.
func (v view) properties(scope []int) []int {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	var out []int
	for _, id := range scope {
		for _, p := range v.c.workflows[id].Properties {
			out = append(out, p.ID)
		}
	}
	return out
}

// conditions adds what a filter asks of a contract c, but its workflow.
func (s *statement) conditions(f ContractFilter) {
	if f.StateID != 0 {
		s.WriteString(" AND c.state_id = " + s.arg(f.StateID))
	}
	if f.Status != nil {
		s.WriteString(" AND c.status = " + s.arg(*f.Status))
	}
	if f.ConnectionID != 0 {
		s.WriteString(" AND c.connection_id = " + s.arg(f.ConnectionID))
	}
	if f.DeployedBy != 0 {
		s.WriteString(" AND c.deployed_by = " + s.arg(f.DeployedBy))
	}
	if f.After != 0 {
		s.WriteString(" AND c.id < " + s.arg(f.After))
	}
	if f.from != 0 {
		s.WriteString(" AND c.id >= " + s.arg(f.from))
	}
	if f.Address != (common.Address{}) {
		s.WriteString(" AND c.address = " + s.arg(addressText(f.Address)))
	}
	for _, id := range slices.Sorted(maps.Keys(f.Properties)) {
		s.WriteString(" AND EXISTS (SELECT 1 FROM property_value pv WHERE pv.contract_id = c.id AND pv.property_id = " + s.arg(id))
		s.equal(f.Properties[id])
		s.WriteString(")")
	}
	if f.Search != "" {
		s.WriteString(" AND (EXISTS (SELECT 1 FROM property_value pv WHERE pv.contract_id = c.id")
		s.prefix("pv.folded", f.Search)
		s.WriteString(")")
		s.names(f.Search)
		s.WriteString(")")
	}
}

// equal adds that a property value is this one: in any case, or exactly when it
// is longer than what is indexed.
func (s *statement) equal(value string) {
	value = clean(value)
	s.WriteString(" AND pv.folded = " + s.arg(fold(value)))
	if utf8.RuneCountInString(value) > foldLimit {
		s.WriteString(" AND pv.value = " + s.arg(value))
	}
}

// prefix adds a condition that a text begins so.
func (s *statement) prefix(column, search string) {
	begin := fold(clean(search))
	s.WriteString(" AND " + column + " >= " + s.arg(begin) + " AND " + column + " < " + s.arg(begin+"\U0010FFFF"))
}

// names adds that the contract has what is searched as its id or address.
func (s *statement) names(search string) {
	search = strings.TrimSpace(search)
	if n, err := strconv.ParseInt(search, 10, 31); err == nil {
		s.WriteString(" OR c.id = " + s.arg(n))
	}
	if len(search) == 42 && common.IsHexAddress(search) {
		s.WriteString(" OR c.address = " + s.arg(strings.ToLower(search)))
	}
}

func (s *statement) order(table, by string, descending bool, top, skip int) {
	direction := ""
	if descending {
		direction = " DESC"
	}
	s.WriteString(" ORDER BY " + table + by + direction)
	if by != "id" {
		s.WriteString(", " + table + "id" + direction)
	}
	s.WriteString(" LIMIT " + s.arg(top))
	if skip > 0 {
		s.WriteString(" OFFSET " + s.arg(skip))
	}
}

// mergeLimit is how many workflows are walked beside each other; SQLite takes at
// most 500 parts of a UNION.
const mergeLimit = 300

// merge walks the contracts of each workflow in the wanted order.
func (v view) merge(s *statement, f ContractFilter, scope []int, by string, descending bool, top, skip int) {
	s.WriteString("SELECT " + contractRow + " FROM contract c WHERE c.id IN (SELECT id FROM (")
	if len(scope) > mergeLimit {
		s.WriteString("SELECT c.id, c." + by + " AS k FROM contract c WHERE c.workflow_id IN (" + list(scope) + ")")
		s.conditions(f)
	} else {
		for i, id := range scope {
			if i > 0 {
				s.WriteString(" UNION ALL ")
			}
			s.WriteString("SELECT * FROM (SELECT c.id, c." + by + " AS k FROM contract c WHERE c.workflow_id = " + s.arg(id))
			s.conditions(f)
			s.order("c.", by, descending, top+skip, 0)
			s.WriteString(") w" + strconv.Itoa(i))
		}
	}
	direction := ""
	if descending {
		direction = " DESC"
	}
	s.WriteString(") m ORDER BY k" + direction + ", id" + direction + " LIMIT " + s.arg(top))
	if skip > 0 {
		s.WriteString(" OFFSET " + s.arg(skip))
	}
	s.WriteString(")")
	s.order("c.", by, descending, top, 0)
}

// list writes ids; they are this package's own integers.
func list(ids []int) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, strconv.Itoa(id))
	}
	if len(texts) == 0 {
		return "0"
	}
	return strings.Join(texts, ",")
}

// bucket is how many ids are counted together.
const bucket = 4096

// plain reports a filter that the counters know: workflows and a state only.
func (f *ContractFilter) plain() bool {
	return f.Status == nil && f.ConnectionID == 0 && f.DeployedBy == 0 && f.Address == common.Address{} && len(f.Properties) == 0 && f.Search == ""
}

// alone reports a filter of one property's value and nothing else.
func (f *ContractFilter) alone() bool {
	rest := *f
	rest.Properties = nil
	return rest.plain() && f.StateID == 0 && len(f.Properties) == 1
}

// leap finds in the counters how far a page lies within the order of ids, and
// begins the walk there.
func (v view) leap(ctx context.Context, f *ContractFilter, scope []int, descending bool) error {
	s := &statement{}
	s.WriteString("SELECT bucket, SUM(n) FROM contract_count WHERE workflow_id IN (" + list(scope) + ")")
	if f.StateID != 0 {
		s.WriteString(" AND state_id = " + s.arg(f.StateID))
	}
	s.WriteString(" GROUP BY bucket ORDER BY bucket")
	if descending {
		s.WriteString(" DESC")
	}
	arrived := false
	return v.q.query(ctx, s.String(), s.args, func(r row) error {
		at, n := int(r.int(0)), int(r.int(1))
		if arrived || n > f.Page.Skip {
			arrived = true
			return nil
		}
		f.Page.Skip -= n
		if descending { // the walk goes on below, or from the next bucket on
			f.After = max(at*bucket, 1)
		} else {
			f.from = (at + 1) * bucket
		}
		return nil
	})
}

// driver is what candidates are found by: a property's value, or the search.
type driver struct{ property int }

// candidates adds a query of the ids of contracts that a driver finds.
func (s *statement) candidates(d driver, f ContractFilter, properties []int) {
	if d.property != 0 {
		s.WriteString("SELECT pv.contract_id AS id FROM property_value pv WHERE pv.property_id = " + s.arg(d.property))
		s.equal(f.Properties[d.property])
		return
	}
	s.WriteString("SELECT pv.contract_id AS id FROM property_value pv WHERE pv.property_id IN (" + list(properties) + ")")
	s.prefix("pv.folded", f.Search)
	inner := &statement{args: s.args}
	inner.names(f.Search)
	if text, ok := strings.CutPrefix(inner.String(), " OR "); ok {
		s.args = inner.args
		s.WriteString(" UNION ALL SELECT c.id FROM contract c WHERE " + text)
	}
}

// total counts: from the counters when only workflows and a state are asked for,
// else up to CountLimit. With property values or a search it counts candidates,
// and gives what finds the fewest.
func (v view) total(ctx context.Context, f ContractFilter, scope []int) (n int, exact bool, d *driver, err error) {
	if f.plain() {
		s := &statement{}
		s.WriteString("SELECT COALESCE(SUM(n), 0) FROM contract_count WHERE workflow_id IN (" + list(scope) + ")")
		if f.StateID != 0 {
			s.WriteString(" AND state_id = " + s.arg(f.StateID))
		}
		n, err = v.count(ctx, s)
		return n, true, nil, err
	}
	var drivers []driver
	for _, id := range slices.Sorted(maps.Keys(f.Properties)) {
		drivers = append(drivers, driver{id})
	}
	if f.Search != "" {
		drivers = append(drivers, driver{})
	}
	limited := func(write func(s *statement)) (int, error) {
		s := &statement{}
		s.WriteString("SELECT COUNT(*) FROM (SELECT id FROM (")
		write(s)
		s.WriteString(") x LIMIT " + s.arg(CountLimit+1) + ") y")
		return v.count(ctx, s)
	}
	if len(drivers) == 0 {
		f.After = 0
		n, err = limited(func(s *statement) {
			s.WriteString("SELECT c.id FROM contract c WHERE c.workflow_id IN (" + list(scope) + ")")
			s.conditions(f)
		})
		return min(n, CountLimit), n <= CountLimit, nil, err
	}
	n = CountLimit + 2
	for i := range drivers {
		found, err := limited(func(s *statement) { s.candidates(drivers[i], f, v.properties(scope)) })
		if err != nil {
			return 0, false, nil, err
		}
		if found < n {
			n, d = found, &drivers[i]
		}
	}
	return min(n, CountLimit), n <= CountLimit, d, nil
}

func (v view) count(ctx context.Context, s *statement) (n int, err error) {
	_, err = one(ctx, v.q, s.String(), s.args, func(r row) error { n = int(r.int(0)); return nil })
	return n, err
}

// few takes the candidates of a driver, or those of an address, of which there
// are not many, and sorts them.
func (v view) few(ctx context.Context, f ContractFilter, scope []int, d *driver, by string, descending bool) (List[Contract], error) {
	var out List[Contract]
	tail := &statement{}
	tail.WriteString(" FROM contract c WHERE ")
	if d == nil {
		tail.WriteString("c.address = " + tail.arg(addressText(f.Address)))
	} else {
		tail.WriteString("c.id IN (")
		tail.candidates(*d, f, v.properties(scope))
		tail.WriteString(")")
	}
	tail.WriteString(" AND c.workflow_id IN (" + list(scope) + ")")
	after := f.After
	f.After = 0
	tail.conditions(f)
	s := &statement{args: tail.args}
	s.WriteString("SELECT COUNT(*)" + tail.String())
	var err error
	if out.Total, err = v.count(ctx, s); err != nil {
		return out, err
	}
	s = &statement{args: tail.args}
	s.WriteString("SELECT " + contractRow + tail.String())
	if after != 0 {
		s.WriteString(" AND c.id < " + s.arg(after))
	}
	top := f.Page.top()
	s.order("c.", by, descending, top+1, f.Page.Skip)
	out.Rows, err = v.contractRows(ctx, s)
	return out.cut(top), err
}

func (v view) contractRows(ctx context.Context, s *statement) ([]Contract, error) {
	var out []Contract
	err := v.q.query(ctx, s.String(), s.args, func(r row) error {
		c, err := readContract(r)
		out = append(out, c)
		if err != nil {
			return fmt.Errorf("contract %d: %w", c.ID, err)
		}
		return nil
	})
	return out, err
}
