package page

import (
	"fmt"
	"strings"
	"time"
)

// Made-up data for /design and for the tests: usual, very long, and hostile.

const (
	hostile       = `<script>alert(1)</script>"><img src=x onerror=alert(2)> {{.}} javascript:alert(3) '); DROP TABLE people;-- ` + "\u202eevil\u202c"
	longName      = "Gemeinschaftsgrundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung and its successors of the second part"
	sampleAddress = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
	sampleHash    = "0x9b1a4c2e7d5f8036a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718"
)

var sampleViewer = Viewer{Name: "Anna Ortega", Email: "anna@example.org", Administrator: true, SignOut: "#"}

func sampleTiles(now time.Time, long bool) []Tile {
	tiles := []Tile{
		{URL: "#1", Name: "Purchase order", Description: "Buyer and seller agree on goods, price and delivery; an auditor reads along.", Version: "2.0", State: Tag{"good", "", "Enabled"}, Roles: []string{"Buyer"}},
		{URL: "#2", Name: "Freight", Description: "Carriers bid for a transport; the one that is awarded becomes a shipment with its temperatures.", Version: "1.0", State: Tag{"good", "", "Enabled"}, Roles: []string{"Shipper", "Consignee"}},
		{URL: "#3", Name: "Asset transfer", Version: "1.0", State: Tag{"calm", "lock", "Read only"}},
		{URL: "#4", Name: "Meter readings", Description: "Monthly readings that two sides sign.", Version: "4.0", State: Tag{"calm", "file", "Archived"}, Roles: []string{"Reader"}},
		{URL: "#5", Name: "Bazaar", Description: "Items and what they cost.", Version: "1.0", State: Tag{"wait", "", "Without code"}},
	}
	if long {
		tiles[2].Name, tiles[2].Description = longName, strings.Repeat(hostile+" ", 4)
		tiles[4].Name = strings.Repeat("W", 80)
	}
	for i := range tiles {
		tiles[i].Added, tiles[i].Members, tiles[i].Versions, tiles[i].AddVersion = now, "#m", "#v", "#a"
	}
	return tiles
}

func sampleContracts(now time.Time, n int, long bool) *Contracts {
	p := &Contracts{Application: "Purchase order", Description: "Buyer and seller agree on goods, price and delivery.", Version: "2.0",
		VersionState: Tag{"good", "", "Enabled"}, Versions: "#", MemberCount: 7, MembersURL: "#", New: "#",
		Members:   []Face{{Name: "Anna Ortega"}, {Name: "Bram de Vries"}, {Name: "Chen Wu"}},
		Workflows: []Tab{{"Order", "#", 0, true}, {"Delivery", "#", 0, false}}, About: "One order, from asking to paying.",
		States: []Option{{Value: "", Text: "All states", Chosen: true}, {Value: "1", Text: "Offer placed", Chosen: false}}, Customise: "#",
		Filters: []Field{{ID: "p1", Name: "p1", Label: "Buyer", Kind: "text"}, {ID: "p2", Name: "p2", Label: "Goods", Kind: "text"}},
		Columns: []Column{{Text: "Contract", URL: "#", Sorted: "descending", Wide: "id"}, {Text: "State", URL: "#", Wide: "state"}, {Text: "Modified by", Wide: "face"}, {Text: "Modified", URL: "#", Wide: "when"},
			{Text: "Buyer", Wide: "face"}, {Text: "Seller", Wide: "face"}, {Text: "Goods", Wide: "text"}, {Text: "Amount", Number: true, Wide: "number"}, {Text: "Delivery", Wide: "date"}}}
	p.Title = "Order"
	if long {
		p.Application, p.Description = longName, hostile
		p.ReadOnly, p.Newer = "This is an older version and it is read only. Its contracts and history stay as they are.", &Link{"Go to version 3.0", "#"}
		p.Columns[6].Text = longName
	}
	states := []State{{"Asked", 10, "busy"}, {"Offer placed", 40, "busy"}, {"Accepted", 70, "busy"}, {"Paid", 100, "good"}, {"Cancelled", 100, "bad"}}
	people := []string{"Anna Ortega", "Bram de Vries", "Chen Wu"}
	goods := []string{"Copper wire, 2.5 mm, 400 drums", "Office chairs", "Cooling water pumps, spare seals, and the tools to change them"}
	for i := range n {
		who := Face{Name: people[i%3], You: i%3 == 0}
		text := goods[i%3]
		if long && i%2 == 0 {
			who.Name, text = longName, strings.Repeat(hostile, 3)
		}
		r := Row{ID: n - i, URL: fmt.Sprintf("#c%d", n-i), State: states[i%5], By: who, At: now.Add(-time.Duration(i*i) * 13 * time.Minute)}
		if i == 0 {
			r.Status = &Tag{"busy", "", "Being created"}
		}
		r.Values = []Pair{
			{Name: "Buyer", Value: Value{Kind: "face", Face: &who}},
			{Name: "Seller", Value: Value{Kind: "face", Face: &Face{Name: map[bool]string{true: "Bram de Vries"}[i%4 != 0], Address: map[bool]string{true: sampleAddress}[i%4 == 0]}}},
			{Name: p.Columns[6].Text, Value: Value{Kind: "text", Text: text}},
			{Name: "Amount", Value: Value{Kind: "number", Text: fmt.Sprintf("%d,%03d", i+1, i*37%1000)}},
			{Name: "Delivery", Value: Value{Kind: "text"}},
		}
		if long && i == 1 {
			r.Values[3].Value.Text = "115,792,089,237,316,195,423,570,985,008,687,907,853,269,984,665,640,564,039,457,584,007,913,129,639,935"
		}
		p.Rows = append(p.Rows, r)
	}
	p.Pager = Pager{From: min(1, n), To: n, Total: n}
	if n > 20 {
		p.Pager.Total, p.Pager.Next = 442, "#"
	}
	return p
}

func sampleContract(f Frame, now time.Time, kind string) *Contract {
	long := kind == "long"
	c := &Contract{Frame: f, ID: 12, Workflow: pick(long, longName, "Order"), State: &State{"Offer placed", 40, "busy"},
		States:  []Step{{1, "Asked", "been"}, {2, "Offer placed", "here"}, {3, "Accepted", "open"}, {4, "Delivered", "open"}, {5, "Paid", "open"}, {6, "Cancelled", "open"}},
		Details: sampleDetails(long), Activity: sampleActivity(now, long),
		Offers: []Offer{{"Accept", "Binds you to the price and the day of delivery", "#1"}, {"Reject", "", "#2"}, {"Change amount", pick(long, hostile, "While nothing is accepted"), "#3"}},
		Facts: []Pair{{Name: "Address", Value: Value{Kind: "hex", Hex: sampleAddress}}, {Name: "Ledger", Value: Value{Kind: "text", Text: "coco"}},
			{Name: "Created by", Value: Value{Kind: "face", Face: &Face{Name: "Anna Ortega", You: true}}}, {Name: "Created", Value: Value{Kind: "when", At: now}}}}
	c.Title = "Contract 12"
	switch kind {
	case "long":
		c.State = &State{longName, 100, "bad"}
		c.States[1].Text, c.States[3].Text = longName, hostile
		c.Progress = &Notice{"bad", "“" + longName + "” did not happen.", hostile, nil, ""}
	case "empty":
		c.State, c.States, c.Details, c.Activity, c.Offers = nil, nil, nil, nil, nil
		c.Status = &Notice{"busy", "Contract 12 is being created.", "", nil, ""}
		c.Why = "Wait until the contract is on the ledger."
	}
	return c
}

func sampleDetails(long bool) []Pair {
	return []Pair{
		{Name: "State", Value: Value{Kind: "state", State: &State{"Offer placed", 40, "busy"}}},
		{Name: "Buyer", Value: Value{Kind: "face", Face: &Face{Name: "Anna Ortega", You: true}, Hex: sampleAddress}},
		{Name: pick(long, longName, "Seller"), Value: Value{Kind: "text"}},
		{Name: "Goods", Value: Value{Kind: "text", Text: pick(long, strings.Repeat(hostile, 5), "Copper wire, 2.5 mm, 400 drums")}},
		{Name: "Amount", Value: Value{Kind: "number", Text: "1,250,000"}},
		{Name: "Deliver until", Value: Value{Kind: "when", At: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)}},
		{Name: "Readings", Value: Value{Kind: "list", List: []string{"21", "48", "69"}}},
		{Name: "Shipment", Value: Value{Kind: "link", URL: "#", Text: "Contract 7", Hex: sampleAddress}, Hint: "could not be read at the last change; this is the value before it"},
	}
}

func sampleActivity(now time.Time, long bool) []Event {
	events := []Event{
		{ID: 5, What: "Accept", By: Face{Name: "Chen Wu"}, At: now.Add(-20 * time.Second), Tag: Tag{"busy", "", "On its way"}},
		{ID: 4, What: "Make offer", By: Face{Name: "Bram de Vries"}, At: now.Add(-4 * time.Minute), Tag: Tag{"good", "", "Committed"}, State: &State{"Offer placed", 40, "busy"},
			Values: []Pair{{Name: "Price", Value: Value{Kind: "number", Text: "1,250,000"}}, {Name: "Deliver until", Value: Value{Kind: "when", At: now.Add(900 * time.Hour)}}},
			Block:  "8,998", BlockURL: "#", Hash: sampleHash, HashURL: "#", Verify: "#verify4"},
		{ID: 3, What: "Make offer", By: Face{Name: "Bram de Vries"}, At: now.Add(-2 * time.Hour), Tag: Tag{"bad", "", "Refused"},
			Error: "Reason: the price is above the limit", Hint: "The ledger would not have accepted it, so nothing was sent.",
			Values: []Pair{{Name: "Price", Value: Value{Kind: "number", Text: "9,999,999"}}}},
		{ID: 2, What: "Created", By: Face{Name: "Anna Ortega", You: true}, At: now.Add(-50 * time.Hour), Tag: Tag{"good", "", "Committed"}, State: &State{"Asked", 10, "busy"},
			Values: []Pair{{Name: "Goods", Value: Value{Kind: "text", Text: "Copper wire, 2.5 mm, 400 drums"}}}, Block: "8,712", BlockURL: "#", Hash: sampleHash, HashURL: "#", Verify: "#verify2"},
	}
	if long {
		events[2].Error, events[2].What, events[2].By.Name = hostile, longName, longName
		events[2].Values[0].Value = Value{Kind: "text", Text: strings.Repeat(hostile, 4)}
		events[3].By, events[3].Via = Face{Address: sampleAddress}, "contract 7"
	}
	return events
}

func sampleReports() []*Report {
	return []*Report{
		{File: "Purchase.json", Tone: "good", Text: "Purchase.json: no problems"},
		{File: "Purchase.json", Tone: "bad", Text: "Purchase.json: 2 errors", Findings: []Finding{
			{"bad", "Purchase.json:41:23", "a.7.3", "ROLE_UNKNOWN", "The state “Asked” allows the role “Vendor”, which the application does not have.", "Name one of its roles (Buyer, Seller, Auditor), or add “Vendor” to ApplicationRoles.", "/Workflows/0/States/0/Transitions/1/AllowedRoles/0", ""},
			{"wait", "Purchase.json:77:9", "a.6", "STATE_UNREACHABLE", "Nothing leads to the state “Returned”.", "", "", ""}}},
		{File: "Purchase.sol", Tone: "bad", Text: "Purchase.sol: 1 error", Findings: []Finding{
			{"bad", "Purchase.sol:12:5", "a.7.6", "COMPILER", hostile, "Add the F function to the C contract for the W workflow.", "", ""}}},
	}
}

func sampleProof(tone string) Proof {
	p := Proof{Tone: tone, Title: "Verified: this action is committed on the ledger.", Text: "The receipt leads from the transaction to a root that the ledger’s service signed.",
		Facts:   []Pair{{Name: "Transaction", Value: Value{Kind: "hex", Hex: sampleHash}}, {Name: "Block", Value: Value{Kind: "number", Text: "8,998"}}},
		Receipt: "{\n  \"leaf\": \"" + sampleHash + "\",\n  \"path\": []\n}", Download: "#receipt"}
	if tone == "bad" {
		p.Title, p.Text = "The receipt does not prove the action.", hostile
	}
	return p
}

func sampleFields(id string, wrong bool) []Field {
	fields := []Field{
		{Kind: "text", Label: "Goods", Hint: "What is ordered. At most 4,000 characters.", Required: true, Value: "Copper wire"},
		{Kind: "number", Label: "Price", Hint: "A whole number, in the smallest unit that the contract counts in.", Required: true, Value: "1250000"},
		{Kind: "date", Label: "Deliver until", Hint: "Day and time in UTC.", Required: true},
		{Kind: "select", Label: "Seller", Hint: "People who are Seller.", Required: true, Options: []Option{{Value: "", Text: "Choose…", Chosen: false}, {Value: "1", Text: "Bram de Vries", Chosen: true}, {Value: "2", Text: longName}}},
		{Kind: "yesno", Label: "Insured", Required: true, Options: []Option{{Value: "true", Text: "Yes", Chosen: true}, {Value: "false", Text: "No", Chosen: false}}},
		{Kind: "radios", Label: "Quality", Hint: "As the contract names it.", Required: true, Options: []Option{{Value: "0", Text: "New", Chosen: false}, {Value: "1", Text: "Refurbished", Chosen: true}, {Value: "2", Text: "Defective", Chosen: false}}},
		{Kind: "text", Label: "Readings", Hint: "Values with commas between them, such as 21, 48, 69."},
	}
	for i := range fields {
		fields[i].ID = fmt.Sprintf("%s-%d", id, i)
		fields[i].Name = fields[i].ID
	}
	if wrong {
		fields[0].Label, fields[0].Value, fields[0].Error = longName, hostile, "Goods: at most 4,000 characters"
		fields[1].Value, fields[1].Error = "twelve", "Price: “twelve” is not a whole number"
		fields[3].Error = "Seller: choose a person"
		fields[5].Error = "Quality: choose one of New, Refurbished, Defective"
	}
	return fields
}
