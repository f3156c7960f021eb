package builder

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
)

// inner is what no action may show of the installation.
var inner = regexp.MustCompile(`(?i)select |insert |sqlstate|pgx|sqlite|127\.0\.0\.1|localhost|/tmp/|goroutine`)

// last is what was asked for last; nothing of the installation shows in any action.
func (d *deal) last() (status int, code, message string) {
	d.t.Helper()
	var c contract
	d.read(bob, fmt.Sprintf("/api/v2/contracts/%d", d.id), &c)
	for _, a := range c.ContractActions {
		if inner.MatchString(a.ErrorMessage) || a.ErrorCode != "" && a.ErrorMessage == "" {
			d.t.Fatalf("an action says %+v", a)
		}
	}
	a := c.ContractActions[len(c.ContractActions)-1]
	return a.ProvisioningStatus, a.ErrorCode, a.ErrorMessage
}

// TestChangedBeforeSigning: while the ledger is down an action waits and says why.
// What an administrator changes meanwhile ends it when the ledger is back.
func TestChangedBeforeSigning(t *testing.T) {
	n, again := newCoco(t)
	b := newAlone(t, connectionOf(n))
	d := b.deal(t, 1)
	d.is("1")
	var apps struct{ Applications []struct{ ID int } }
	b.read(alice, "/api/v2/applications?name=Purchase", &apps)
	application := fmt.Sprintf("/api/v2/applications/%d", apps.Applications[0].ID)
	var list struct {
		RoleAssignments []struct {
			ID                int
			ApplicationRoleID int
			User              struct {
				UserID    int
				FirstName string
			}
		}
	}
	b.read(alice, application+"/roleAssignments?top=100", &list)
	do := func(method, path string, body any) {
		t.Helper()
		if status, data, err := b.ask(alice, method, application+path, body); err != nil || status >= 300 {
			t.Fatalf("%s %s: %d %v %s", method, path, status, err, data)
		}
	}
	take := func() (give func()) {
		for _, a := range list.RoleAssignments {
			if strings.HasPrefix(bob, a.User.FirstName) {
				do(http.MethodDelete, fmt.Sprintf("/roleAssignments/%d", a.ID), nil)
				return func() {
					do(http.MethodPost, "/roleAssignments", map[string]int{"userId": a.User.UserID, "applicationRoleId": a.ApplicationRoleID})
				}
			}
		}
		t.Fatalf("Bob has no role: %+v", list)
		return nil
	}
	for k, change := range []struct {
		code, part string
		make       func() (back func())
	}{
		{"APPLICATION_DISABLED", "made read only", func() func() {
			do(http.MethodPatch, "/disable", nil)
			return func() { do(http.MethodPatch, "/enable", nil) }
		}},
		{"FORBIDDEN", "Bob Berger lost the role", take},
	} {
		n.Kill(t)
		d.ask("2")
		ledgertest.Eventually(t, "it says why it waits", func() bool {
			status, code, message := d.last()
			return status == 0 && code == "LEDGER_UNAVAILABLE" && message != ""
		})
		back := change.make()
		n = again()
		ledgertest.Eventually(t, "it ends", func() bool {
			if k == 1 { // who has no role sees nothing
				b.tokens[bob], b.tokens["Bob's"] = b.tokens[alice], b.tokens[bob]
				defer func() { b.tokens[bob] = b.tokens["Bob's"] }()
			}
			status, code, message := d.last()
			return status == 3 && code == change.code && strings.Contains(message, change.part)
		})
		back()
		d.ask(fmt.Sprint(10 + k)) // its nonce was used for nothing
		d.is(fmt.Sprint(10 + k))
	}
}
