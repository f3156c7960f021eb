package identity

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxID   = 255 // bytes of a subject or external id
	maxText = 100 // characters of a name
	maxMail = 254 // bytes of an address (RFC 5321)
)

// payload is what a token says, taken by its exact claim names.
type payload struct {
	all       map[string]json.RawMessage
	issuer    string
	subject   string
	audiences []string
	expires   time.Time // zero: no exp
	from      time.Time // nbf; zero: always
}

// peek reads a token without checking its signature: enough to refuse it. It
// must be a compact JWS by an allowed algorithm.
func peek(token string) (*payload, error) {
	if strings.Count(token, ".") != 2 {
		return nil, errors.New("it is not a signed JSON Web Token")
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, err
	}
	return decodePayload(signed.UnsafePayloadWithoutVerification())
}

func decodePayload(data []byte) (*payload, error) {
	p := &payload{}
	if err := json.Unmarshal(data, &p.all); err != nil {
		return nil, err
	}
	p.issuer, p.subject = p.text("iss"), p.text("sub")
	if p.subject == "" || len(p.subject) > maxID || len(p.text("oid")) > maxID {
		return nil, errors.New("its subject is missing or too long")
	}
	p.audiences = p.list("aud")
	var err error
	if p.expires, err = p.time("exp"); err != nil {
		return nil, err
	}
	p.from, err = p.time("nbf")
	return p, err
}

// text is a claim that is a string, else "".
func (p *payload) text(claim string) string {
	var s string
	if json.Unmarshal(p.all[claim], &s) != nil {
		return ""
	}
	return s
}

// list is a claim that is a string or an array of strings; anything else in the
// array is passed over.
func (p *payload) list(claim string) []string { return listOf(p.all[claim]) }

func listOf(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []any
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	var list []string
	for _, m := range many {
		if s, ok := m.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// time is a NumericDate (RFC 7519, 2): seconds since 1970, perhaps with a fraction.
func (p *payload) time(claim string) (time.Time, error) {
	raw, ok := p.all[claim]
	if !ok || string(raw) == "null" {
		return time.Time{}, nil
	}
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil || math.IsNaN(seconds) || seconds < 1 || seconds > 1<<40 {
		return time.Time{}, errors.New("its " + claim + " is no time")
	}
	return time.Unix(int64(seconds), 0), nil
}

// roles are the values of the role claim: by its exact name, else by a path into
// objects with dots. A string may hold several, with spaces or commas between.
func (p *payload) roles(claim string) []string {
	raw, ok := p.all[claim]
	if !ok {
		inner := p.all
		path := strings.Split(claim, ".")
		for _, step := range path[:len(path)-1] {
			var next map[string]json.RawMessage
			if json.Unmarshal(inner[step], &next) != nil {
				return nil
			}
			inner = next
		}
		raw = inner[path[len(path)-1]]
	}
	if s := ""; json.Unmarshal(raw, &s) == nil {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	}
	return listOf(raw)
}

// client says whether a service signed in as itself. Issuers say so in their own
// ways: Azure AD by idtyp, and by an object id that is also the subject without
// any scope; RFC 9068 by a subject that is the client's id; Auth0 by gty.
func (p *payload) client() bool {
	switch {
	case p.text("idtyp") != "":
		return p.text("idtyp") == "app"
	case p.text("gty") == "client-credentials":
		return true
	case slices.Contains([]string{p.text("azp"), p.text("client_id"), p.text("appid")}, p.subject):
		return true
	case p.text("azp") != "" && strings.HasPrefix(p.text("preferred_username"), "service-account-"):
		return true // Keycloak
	}
	return p.text("oid") == p.subject && p.text("scp") == "" && p.text("name") == "" && p.text("preferred_username") == ""
}

// person is the payload as the other rooms want it.
func (p *payload) person(o Options) *Claims {
	c := &Claims{
		Issuer: p.issuer, Subject: p.subject, ExternalID: p.text("oid"),
		GivenName: short(p.text("given_name")), FamilyName: short(p.text("family_name")), Name: short(p.text("name")),
		Administrator: slices.Contains(p.roles(o.RolesClaim), Administrator),
		Client:        p.client(), Expires: p.expires,
	}
	if c.ExternalID == "" {
		c.ExternalID = c.Subject
	}
	if mail := p.text("email"); len(mail) <= maxMail {
		c.Email = short(mail)
	}
	for _, name := range []string{strings.TrimSpace(c.GivenName + " " + c.FamilyName), short(p.text("app_displayname")),
		short(p.text("preferred_username")), c.Email, short(c.ExternalID), c.ExternalID} {
		if c.Name == "" {
			c.Name = name
		}
	}
	if c.GivenName == "" && c.FamilyName == "" && p.text("name") != "" && !c.Client {
		c.GivenName, c.FamilyName, _ = strings.Cut(c.Name, " ")
	}
	return c
}

// short makes a text of an issuer fit for a line: no control characters, no
// spaces around it, at most maxText characters.
func short(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s))
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText])
	}
	return s
}
