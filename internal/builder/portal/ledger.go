package portal

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

func ledgerURL(connection int) string { return "/ledger/" + strconv.Itoa(connection) }

// connectionName tells a ledger from others: its kind and its node's host.
func connectionName(c *offchain.Connection) string {
	if u, err := url.Parse(c.Endpoint); err == nil && u.Host != "" {
		return c.Kind + " (" + u.Host + ")"
	}
	return c.Kind
}

// connections shows the ledgers.
func connections(x *visit) error {
	all, err := x.person.Connections(x.ctx())
	if err != nil {
		return err
	}
	v := &page.Ledger{Frame: x.frame(x.T("ledger.title"), "ledger")}
	v.Frame.Events = "/events?ledgers"
	for i := range all {
		c := &all[i]
		row := page.Connection{Name: connectionName(c), State: page.Tag{Tone: "wait", Text: x.T("ledger.waiting")}, Blocks: ledgerURL(c.ID) + "/blocks", Transactions: ledgerURL(c.ID) + "/transactions"}
		list, err := x.person.Blocks(x.ctx(), c.ID, workspace.Page{Top: 1})
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			b := &list.Items[0]
			row.State = page.Tag{Tone: "good", Text: x.T("ledger.connected")}
			row.Facts = append(row.Facts, page.Pair{Name: x.T("ledger.height"), Value: page.Value{Kind: "number", Text: x.Group(strconv.FormatUint(b.Number, 10))}},
				page.Pair{Name: x.T("column.time"), Value: page.Value{Kind: "ago", At: b.Time}})
		}
		row.Facts = append(row.Facts,
			page.Pair{Name: x.T("ledger.kind"), Value: page.Value{Kind: "text", Text: c.Kind}},
			page.Pair{Name: x.T("ledger.endpoint"), Value: page.Value{Kind: "code", Text: bare(c.Endpoint)}},
			page.Pair{Name: x.T("ledger.chain"), Value: page.Value{Kind: "code", Text: strconv.FormatUint(c.ChainID, 10)}})
		if c.FundingAccount != "" {
			row.Facts = append(row.Facts, page.Pair{Name: x.T("ledger.funding"), Value: page.Value{Kind: "code", Text: c.FundingAccount}})
		}
		v.Rows = append(v.Rows, row)
	}
	return x.draw("ledger", v)
}

// bare is an endpoint without what only its owner should read.
func bare(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// connectionOf reads the connection of a path.
func (x *visit) connectionOf() (*offchain.Connection, error) {
	id, err := x.id("connection")
	if err != nil {
		return nil, err
	}
	return x.person.Connection(x.ctx(), id)
}

func (x *visit) ledgerCrumbs(more ...page.Link) []page.Link {
	return append([]page.Link{{Text: x.T("ledger.title"), URL: "/ledger"}}, more...)
}

func (x *visit) ledgerTabs(c *offchain.Connection, here string) []page.Tab {
	return []page.Tab{{Text: x.T("ledger.blocks"), URL: ledgerURL(c.ID) + "/blocks", Here: here == "blocks"},
		{Text: x.T("ledger.transactions"), URL: ledgerURL(c.ID) + "/transactions", Here: here == "transactions"}}
}

func blocks(x *visit) error {
	c, err := x.connectionOf()
	if err != nil {
		return err
	}
	part := x.part()
	list, err := x.person.Blocks(x.ctx(), c.ID, part)
	if err != nil {
		return err
	}
	v := &page.Listing{Frame: x.frame(x.T("ledger.blocks.of", "ledger", connectionName(c)), "ledger", x.ledgerCrumbs()...), Tabs: x.ledgerTabs(c, "blocks"),
		Caption: x.T("ledger.blocks"), Empty: x.T("ledger.blocks.none"),
		Columns: []page.Column{{Text: x.T("column.number")}, {Text: x.T("column.hash")}, {Text: x.T("column.time")}}}
	v.Frame.Events = "/events?ledgers"
	for i := range list.Items {
		b := &list.Items[i]
		v.Rows = append(v.Rows, page.ListRow{Key: strconv.Itoa(b.ID), Cells: []page.Value{
			{Kind: "link", Text: x.Group(strconv.FormatUint(b.Number, 10)), URL: ledgerURL(c.ID) + "/blocks/" + strconv.Itoa(b.ID)}, {Kind: "hex", Hex: b.Hash.Hex()}, {Kind: "ago", At: b.Time}}})
	}
	v.Pager = x.pager(part, len(list.Items), list.Total, list.Next, false)
	return x.draw("listing", v)
}

func block(x *visit) error {
	c, err := x.connectionOf()
	if err != nil {
		return err
	}
	id, err := x.id("block")
	if err != nil {
		return err
	}
	b, err := x.person.Block(x.ctx(), c.ID, id)
	if err != nil {
		return err
	}
	number := x.Group(strconv.FormatUint(b.Number, 10))
	return x.draw("facts", &page.Facts{
		Frame: x.frame(x.T("ledger.block", "number", number), "ledger", x.ledgerCrumbs(page.Link{Text: x.T("ledger.blocks.of", "ledger", connectionName(c)), URL: ledgerURL(c.ID) + "/blocks"})...),
		Pairs: []page.Pair{{Name: x.T("column.number"), Value: page.Value{Kind: "number", Text: number}}, {Name: x.T("column.time"), Value: page.Value{Kind: "when", At: b.Time}},
			{Name: x.T("column.hash"), Value: page.Value{Kind: "hex", Hex: b.Hash.Hex()}}, {Name: x.T("ledger.parent"), Value: page.Value{Kind: "hex", Hex: b.Parent.Hex()}}}})
}

// to shows whom a transaction is for.
func (x *visit) to(t *offchain.Transaction) page.Value {
	if t.To == nil {
		return page.Value{Kind: "text", Text: x.T("ledger.creation")}
	}
	f := x.account(t.ConnectionID, *t.To)
	if f.Name != "" {
		return page.Value{Kind: "face", Face: &f, Hex: f.Address}
	}
	return x.linked(t.ConnectionID, page.Value{Kind: "hex", Hex: f.Address})
}

func (x *visit) from(t *offchain.Transaction) page.Value {
	f := x.account(t.ConnectionID, t.From)
	if f.Name == "" {
		return page.Value{Kind: "hex", Hex: f.Address}
	}
	return page.Value{Kind: "face", Face: &f, Hex: f.Address}
}

func transactions(x *visit) error {
	c, err := x.connectionOf()
	if err != nil {
		return err
	}
	part := x.part()
	list, err := x.person.Transactions(x.ctx(), c.ID, part)
	if err != nil {
		return err
	}
	v := &page.Listing{Frame: x.frame(x.T("ledger.transactions.of", "ledger", connectionName(c)), "ledger", x.ledgerCrumbs()...), Tabs: x.ledgerTabs(c, "transactions"),
		Caption: x.T("ledger.transactions"), Empty: x.T("ledger.transactions.none"),
		Columns: []page.Column{{Text: x.T("column.hash")}, {Text: x.T("column.from")}, {Text: x.T("column.to")}, {Text: x.T("column.state")}, {Text: x.T("column.block")}, {Text: x.T("column.time")}}}
	v.Frame.Events = "/events?ledgers"
	if !x.person.Administrator { // others are not told that there are more than they see
		v.Frame.Events, v.Lead = "/events", x.T("ledger.transactions.lead")
	}
	for i := range list.Items {
		t := &list.Items[i]
		hash := t.Hash.Hex()
		tag := x.statusTag(t.Status)
		v.Rows = append(v.Rows, page.ListRow{Key: strconv.Itoa(t.ID), Cells: []page.Value{
			{Kind: "link", Text: hash[:10] + "…" + hash[len(hash)-4:], URL: ledgerURL(c.ID) + "/transactions/" + strconv.Itoa(t.ID)},
			x.from(t), x.to(t), {Kind: "tag", Tag: &tag}, {Kind: "number", Text: x.Group(strconv.FormatUint(t.BlockNumber, 10))}, {Kind: "ago", At: t.BlockTime}}})
	}
	v.Pager = x.pager(part, len(list.Items), list.Total, list.Next, false)
	return x.draw("listing", v)
}

func transaction(x *visit) error {
	c, err := x.connectionOf()
	if err != nil {
		return err
	}
	id, err := x.id("transaction")
	if err != nil {
		return err
	}
	t, err := x.person.Transaction(x.ctx(), c.ID, id)
	if err != nil {
		return err
	}
	value := "0"
	if t.Value != nil {
		value = t.Value.String()
	}
	ours := x.T("field.no")
	if t.Ours {
		ours = x.T("field.yes")
	}
	tag := x.statusTag(t.Status)
	v := &page.Facts{Frame: x.frame(x.T("ledger.transaction"), "ledger", x.ledgerCrumbs(page.Link{Text: x.T("ledger.transactions.of", "ledger", connectionName(c)), URL: ledgerURL(c.ID) + "/transactions"})...),
		Pairs: []page.Pair{
			{Name: x.T("column.state"), Value: page.Value{Kind: "tag", Tag: &tag}},
			{Name: x.T("column.hash"), Value: page.Value{Kind: "hex", Hex: strings.ToLower(t.Hash.Hex())}},
			{Name: x.T("column.from"), Value: x.from(t)}, {Name: x.T("column.to"), Value: x.to(t)},
			{Name: x.T("column.block"), Value: page.Value{Kind: "link", Text: x.Group(strconv.FormatUint(t.BlockNumber, 10)), URL: ledgerURL(c.ID) + "/blocks/" + strconv.Itoa(t.BlockID)}},
			{Name: x.T("column.time"), Value: page.Value{Kind: "when", At: t.BlockTime}},
			{Name: x.T("ledger.value"), Value: page.Value{Kind: "number", Text: x.Group(value)}},
			{Name: x.T("ledger.ours"), Value: page.Value{Kind: "text", Text: ours}}}}
	if t.TxID != "" {
		v.Pairs = append(v.Pairs, page.Pair{Name: x.T("proof.txid"), Value: page.Value{Kind: "code", Text: t.TxID}})
	}
	return x.draw("facts", v)
}
