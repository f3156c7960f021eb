package dispatch

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/problem"
)

// inner is what no action may show: statements, addresses of machines, files.
var inner = regexp.MustCompile(`(?i)select |insert |sqlstate|pgx|sqlite|10\.1\.2\.3|fe80|db\.internal|localhost|/var/lib|goroutine|0x[0-9a-f]{6,}\(`)

// TestToldIsForPeople gives every problem that can end an action a cause as it is in
// life, plain and wrapped. What the row says has a code and a sentence, and nothing
// of the installation.
func TestToldIsForPeople(t *testing.T) {
	causes := []error{
		errors.New(`ERROR: relation "action" does not exist (SQLSTATE 42P01)`),
		errors.New("SELECT a.id FROM action a WHERE a.id = $1: database is locked (sqlite3)"),
		errors.New(`Post "http://10.1.2.3:8545/": dial tcp 10.1.2.3:8545: connect: connection refused`),
		errors.New(`Post "https://db.internal:5432": dial tcp [fe80::1]:5432: connection refused`),
		errors.New("open /var/lib/coco/vault/3f.key: permission denied"),
		errors.New("localhost:8545 closed the connection"),
		errors.New("failed to connect to `user=coco database=b`: 10.1.2.3:5432 (db.internal): server error: pgx"),
	}
	kinds := []error{nil, ledger.ErrUnavailable, ledger.ErrAnswer, ledger.ErrForeign, ledger.ErrReplaced, ledger.ErrStateGone, ledger.ErrCall,
		ledger.ErrNonceUsed, ledger.ErrUnderpriced, ledger.ErrUnfunded, ledger.ErrRefused, offchain.ErrUnknown, offchain.ErrNotFound, offchain.ErrSettled,
		vault.ErrDown, vault.ErrLocked, vault.ErrUnknown, vault.ErrDamaged, binding.ErrUnbound, ErrRefused, ErrContract, ErrContested, ErrInternal}
	for _, kind := range kinds {
		for _, cause := range causes {
			err := cause
			var p *problem.Error
			if errors.As(kind, &p) {
				err = p.From(cause)
			}
			for _, err := range []error{err, fmt.Errorf("action 7: %w", err), stored(err), &unkept{err}} {
				code, message, reason := told(err)
				if code == "" || message == "" || inner.MatchString(message+reason) {
					t.Errorf("%v is told as %q: %q %q", err, code, message, reason)
				}
			}
		}
	}
	words := &client.Error{Code: -32000, Message: "intrinsic gas too low: ask http://10.1.2.3:8545/x or [fe80::1]:30303 or localhost:1, see /var/lib/geth"}
	if _, message, _ := told(ledger.ErrRefused.From(words)); !strings.Contains(message, "intrinsic gas too low") || inner.MatchString(message) {
		t.Errorf("the ledger's words are told as %q", message)
	}
	if _, _, reason := told(&ledger.Reverted{Reason: "only 10.1.2.3 may"}); reason != "only 10.1.2.3 may" { // the contract's own words are
		t.Errorf("the contract's words are gone: %q", reason)
	}
}
