package gateway

import (
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Limits of a directory search.
const (
	usualDirectory = 100  // people in an answer, as Microsoft Graph has it
	mostDirectory  = 999  // likewise
	mostSearched   = 5000 // people that a condition is tried on
)

// directoryGet searches the people whom this installation knows, in the form that
// Microsoft Graph answers: Workbench passed such requests on to it.
func directoryGet(c *call) error {
	top := usualDirectory
	if text := c.param("$top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostDirectory {
			return malformed("$top is not a number from 1 to " + strconv.Itoa(mostDirectory))
		}
		top = n
	}
	var wanted *filter
	search := ""
	if text := c.param("$filter"); text != "" {
		var err error
		if wanted, err = parseFilter(text); err != nil {
			return err
		}
		// Every property begins with one of the values that a search looks at.
		search, _, _ = strings.Cut(strings.TrimSpace(wanted.only()), " ")
	}
	var people []offchain.Person
	for skip := 0; skip < mostSearched && len(people) < top; {
		l, err := c.person.Users(c.r.Context(), workspace.UserQuery{Page: workspace.Page{Skip: skip, Top: mostTop}, Search: search})
		if err != nil {
			return err
		}
		for i := range l.Items {
			if len(people) < top && (wanted == nil || wanted.matches(directoryEntry(&l.Items[i]))) {
				people = append(people, l.Items[i])
			}
		}
		if skip += len(l.Items); !l.Next || len(l.Items) == 0 {
			break
		}
	}
	return c.json(func(w *writer) {
		w.open()
		w.text("@odata.context", "$metadata#users")
		w.key("value").array()
		for i := range people {
			writeDirectoryEntry(w, directoryEntry(&people[i]))
		}
		w.end()
		w.close()
	})
}

// directoryEntry is a person as the directory knows them, by names in lower case.
func directoryEntry(p *offchain.Person) map[string]string {
	display := strings.TrimSpace(p.FirstName + " " + p.LastName)
	for _, other := range [...]string{p.Email, p.ExternalID} {
		if display == "" {
			display = other
		}
	}
	principal := p.Email
	if principal == "" {
		principal = p.ExternalID
	}
	return map[string]string{
		"id": p.ExternalID, "displayname": display, "givenname": p.FirstName, "surname": p.LastName, "mail": p.Email, "userprincipalname": principal,
	}
}

func writeDirectoryEntry(w *writer, e map[string]string) {
	w.open()
	w.text("id", e["id"])
	w.text("displayName", e["displayname"])
	w.optional("givenName", e["givenname"])
	w.optional("surname", e["surname"])
	w.optional("mail", e["mail"])
	w.text("userPrincipalName", e["userprincipalname"])
	w.close()
}
