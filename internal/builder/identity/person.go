package identity

import (
	"strings"

	"github.com/google/uuid"
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
	return uuid.NewSHA1(space, []byte(kind+strings.ToLower(strings.Join(strings.Fields(name), " ")))).String()
}
