package identity

import (
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/coco-consortium/coco/internal/problem"
)

// Named is somebody whom the development login offers to sign in as.
type Named struct {
	Name          string   // what one signs in as; any text up to 100 characters
	Client        bool     // a service
	Administrator bool     // gets the app role
	Roles         []string // shown beside the name; what they mean is the applications' matter
}

// space is the name space of the ids of development people (RFC 9562, 5.5).
var space = uuid.MustParse("0cc0c0c0-0000-5000-8000-000000000001")

// ExternalID is the id (claim oid) of a development person or service of that
// name: always the same, whatever the case and the spaces around the name.
// People and services never share one.
func ExternalID(name string, client bool) string {
	kind := "person:"
	if client {
		kind = "client:"
	}
	return uuid.NewSHA1(space, []byte(kind+strings.ToLower(spaced(name)))).String()
}

// spaced is a name with single spaces.
func spaced(name string) string { return strings.Join(strings.Fields(name), " ") }

// named checks a name that somebody typed.
func named(n Named) (Named, error) {
	n.Name = spaced(n.Name)
	if n.Name == "" || !utf8.ValidString(n.Name) || short(n.Name) != n.Name {
		return n, problem.New("NAME_INVALID", "a name has 1 to 100 characters, without control characters", "give a name such as Alice")
	}
	return n, nil
}

// clientID is the client that a token of n was given to.
func (n Named) clientID(portal string) string {
	if n.Client {
		return ExternalID(n.Name, true)
	}
	return portal
}

// Claims are what the development login says about somebody.
func (n Named) Claims() *Claims {
	id := ExternalID(n.Name, n.Client)
	c := &Claims{Subject: id, ExternalID: id, Name: n.Name, Administrator: n.Administrator, Client: n.Client}
	if n.Client {
		return c
	}
	c.GivenName, c.FamilyName, _ = strings.Cut(n.Name, " ")
	if s := slug(n.Name); s != "" {
		c.Email = s + "@example.com" // RFC 2606: nobody's
	}
	return c
}

// claims are the same as its tokens hold them.
func (n Named) claims() map[string]any {
	who := n.Claims()
	c := map[string]any{"sub": who.Subject, "oid": who.ExternalID, "name": who.Name, "roles": []string{}}
	if who.Administrator {
		c["roles"] = []string{Administrator}
	}
	if who.Client {
		c["idtyp"], c["azp"] = "app", who.Subject
		return c
	}
	c["given_name"], c["family_name"], c["preferred_username"] = who.GivenName, who.FamilyName, who.Name
	if who.Email != "" {
		c["email"] = who.Email
	}
	return c
}
