package page

import (
	"fmt"
	"strings"
	"time"
)

// Design is the page that shows each component in each of its conditions.
type Design struct {
	Frame
	Samples     []Link
	Tags        []Tag
	Notices     []Notice
	Faces       []Face
	States      []State
	Values      []Pair
	Fields      []Field
	WrongFields []Field
	Problems    []Wrong
	Tiles       []Tile
	Reports     []*Report
	Activity    []Event
	Proofs      []Proof
	Long, Many  *Contracts
}

// Samples are the whole pages that /design/NAME/KIND shows with made-up data.
var Samples = []string{"applications", "upload", "versions", "contracts", "columns", "form", "contract", "proof", "members", "people", "ledger", "listing", "facts", "failure"}

// Kinds are the conditions that each of them is shown in.
var Kinds = []string{"usual", "empty", "long"}

// NewDesign makes the page of all components.
func NewDesign(now time.Time) *Design {
	d := &Design{Frame: Frame{Title: "Design", Section: "design", Viewer: &sampleViewer}}
	for _, s := range Samples {
		for _, k := range Kinds {
			d.Samples = append(d.Samples, Link{s + ", " + k, "/design/" + s + "/" + k})
		}
	}
	d.Tags = []Tag{{"good", "", "Committed"}, {"busy", "", "On its way"}, {"wait", "", "Asked"}, {"bad", "", "Refused"}, {"calm", "lock", "Read only"}}
	d.Notices = []Notice{
		{"good", "Deployed", "Now give people roles, so that they see it.", nil, ""},
		{"bad", "“Make offer” did not happen.", hostile, nil, ""},
		{"wait", "Earlier versions become read only", "", &Link{"Go to version 2.0", "#"}, ""},
		{"busy", "“Accept” is on its way to the ledger.", "", nil, ""},
	}
	d.Faces = []Face{{Name: "Anna Ortega", You: true}, {Name: "Bram de Vries"}, {Address: sampleAddress}, {Name: longName}, {}}
	d.States = []State{{"Created", 0, "busy"}, {"Offer placed", 40, "busy"}, {"Accepted", 100, "good"}, {"Cancelled", 100, "bad"}, {longName, 62, "busy"}}
	d.Values = sampleDetails(false)
	d.Fields = sampleFields("f", false)
	d.WrongFields = sampleFields("w", true)
	for _, f := range d.WrongFields {
		if f.Error != "" {
			d.Problems = append(d.Problems, Wrong{Field: f.ID, Text: f.Error})
		}
	}
	d.Tiles = sampleTiles(now, true)
	d.Reports = sampleReports()
	d.Activity = sampleActivity(now, true)
	d.Proofs = []Proof{sampleProof("good"), sampleProof("bad")}
	d.Long = sampleContracts(now, 6, true)
	d.Many = sampleContracts(now, 500, false)
	return d
}

// Sample makes a whole page of made-up data, and names its template.
func Sample(name, kind string, now time.Time) Page {
	long, empty := kind == "long", kind == "empty"
	f := Frame{Section: "applications", Viewer: &sampleViewer, CSRF: "none", Path: "/design",
		Crumbs: []Link{{"Applications", "#"}, {pick(long, longName, "Purchase order"), "#"}}}
	switch name {
	case "applications":
		p := &Applications{Frame: f, Total: 5}
		p.Title, p.Crumbs = "Applications", nil
		if !empty {
			p.Tiles = sampleTiles(now, long)
		} else if p.Total = 0; true {
			p.Viewer = &Viewer{Name: "Chen Wu", SignOut: "#"}
		}
		return p
	case "upload":
		p := &Upload{Frame: f, Action: "#"}
		p.Title = "New application"
		if long {
			r := sampleReports()
			p.Application, p.Configuration, p.Code = longName, r[1], r[2]
			p.Wrong = []Wrong{{Field: "configuration", Text: "Purchase.json: 2 errors"}, {Field: "code", Text: hostile, Lang: "en"}}
		}
		return p
	case "versions":
		p := &Versions{Frame: f, Application: "Purchase order", AddVersion: "#"}
		p.Title = "Versions of " + pick(long, longName, "Purchase order")
		for i := range 3 {
			state := Tag{"calm", "lock", "Read only"}
			if i == 0 {
				state = Tag{"good", "", "Enabled"}
			}
			p.Rows = append(p.Rows, Version{ID: 3 - i, URL: "#", Version: fmt.Sprintf("%d.0", 3-i), Latest: i == 0, State: state,
				By: Face{Name: pick(long, longName, "Anna Ortega")}, At: now.Add(-time.Duration(i*50+1) * time.Hour),
				Forms: []Button{{Action: "#", Text: "Make read only", About: "version"}, {Action: "#", Text: "Archive", About: "version"}}})
		}
		return p
	case "contracts":
		p := sampleContracts(now, map[bool]int{true: 0, false: 24}[empty], long)
		f.Crumbs = f.Crumbs[:1]
		f.Title, p.Frame = p.Title, f
		p.Title = "Purchase order"
		return p
	case "columns":
		p := &Columns{Frame: f, Action: "#", Back: "#"}
		p.Title = "Columns of the table"
		for i, c := range []string{"Buyer", "Seller", pick(long, hostile, "Amount"), "Delivery"} {
			if !empty {
				p.Items = append(p.Items, ColumnChoice{ID: fmt.Sprint(i), Text: c, Shown: i < 3, First: i == 0, Last: i == 3})
			}
		}
		return p
	case "form":
		p := &Form{Frame: f, Action: "#", Submit: "Take action: " + pick(long, longName, "Make offer"), Cancel: "#",
			Lead: "Contract 12, Purchase order. What you send is signed with your key and cannot be taken back."}
		p.Title = pick(long, longName, "Make offer")
		p.Context = []Pair{{Name: "State now", Value: Value{Kind: "state", State: &State{"Offer placed", 40, "busy"}}}}
		if !empty {
			p.Fields = sampleFields("f", long)
		}
		for _, x := range p.Fields {
			if x.Error != "" {
				p.Wrong = append(p.Wrong, Wrong{Field: x.ID, Text: x.Error})
			}
		}
		return p
	case "contract":
		return sampleContract(f, now, kind)
	case "proof":
		p := sampleProof(pick(long, "bad", "good"))
		p.Frame, p.Back = f, "#"
		p.Frame.Title = "Proof"
		return &p
	case "members":
		p := &Members{Frame: f, Application: "Purchase order", Add: "#", Total: 5}
		p.Title = "Members of " + pick(long, longName, "Purchase order")
		for i, r := range []string{"Buyer", "Seller", pick(long, hostile, "Auditor")} {
			m := RoleMembers{ID: i + 1, Total: 3 - i, Name: r, Description: pick(long, strings.Repeat(hostile, 2), "Orders goods and pays for them"), Add: "#"}
			for j := range 3 - i {
				if !empty {
					m.Rows = append(m.Rows, Member{Face: Face{Name: pick(long && j == 0, longName, "Bram de Vries")}, Email: "bram@example.org", ID: i*10 + j, Since: now.Add(-time.Hour), Change: "#", Remove: "#"})
				}
			}
			p.Roles = append(p.Roles, m)
		}
		return p
	case "people":
		p := &People{Frame: f, Add: "#"}
		p.Title, p.Section, p.Crumbs = "People", "people", nil
		for i, n := range []string{"Anna Ortega", "Bram de Vries", pick(long, longName, "Chen Wu"), "meter-7"} {
			if !empty {
				p.Rows = append(p.Rows, PersonRow{ID: i + 1, URL: fmt.Sprintf("#%d", i), Face: Face{Name: n}, Email: "someone@example.org", State: Tag{"good", "", "Ready"}, Client: i == 3,
					Addresses: []Pair{{Value: Value{Kind: "hex", Hex: sampleAddress}}}})
				p.Pager = Pager{From: 1, To: 4, Total: 4}
			}
		}
		return p
	case "ledger":
		p := &Ledger{Frame: f}
		p.Title, p.Section, p.Crumbs = "Ledger", "ledger", nil
		if !empty {
			p.Rows = []Connection{{Name: pick(long, longName, "coco"), State: Tag{"good", "", "Indexed"}, URL: "#", Blocks: "#", Transactions: "#", Facts: []Pair{
				{Name: "Last block", Value: Value{Kind: "number", Text: "12,345"}}, {Name: "Endpoint", Value: Value{Kind: "code", Text: "http://127.0.0.1:8545"}}}}}
		}
		return p
	case "listing":
		p := &Listing{Frame: f, Caption: "Blocks", Empty: "No blocks yet", Tabs: []Tab{{"Blocks", "#", 0, true}, {"Transactions", "#", 0, false}},
			Columns: []Column{{Text: "Number"}, {Text: "Hash"}, {Text: "Time"}}}
		p.Title, p.Section = "Blocks of coco", "ledger"
		for i := range 12 {
			if !empty {
				p.Rows = append(p.Rows, ListRow{fmt.Sprint(i), []Value{{Kind: "link", URL: "#", Text: fmt.Sprint(9000 - i)}, {Kind: "hex", Hex: sampleHash}, {Kind: "ago", At: now.Add(-time.Duration(i) * time.Minute)}}})
				p.Pager = Pager{From: 1, To: 12, Total: 9000, Next: "#"}
			}
		}
		return p
	case "facts":
		p := &Facts{Frame: f, Pairs: sampleDetails(long)}
		p.Title = "Block 9,000"
		return p
	case "failure":
		p := &Failure{Frame: f, What: pick(long, hostile, "There is no such page, or you may not see it. If somebody sent you this link, ask an administrator for a role in the application."), Code: "NOT_FOUND", Links: []Link{{"Go to the applications", "#"}}}
		p.Title, p.Crumbs = "Nothing here for you", nil
		return p
	}
	return nil
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
