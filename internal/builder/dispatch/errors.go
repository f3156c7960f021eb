package dispatch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/problem"
)

var (
	// ErrRefused is the code of an action that was not sent, because it would fail.
	ErrRefused = problem.New("ACTION_REFUSED", "the contract would refuse the action, so it was not sent",
		"look at the reason and at the contract's state, and ask again")
	// ErrContract is the code of an action on a contract that never came to be.
	ErrContract = problem.New("ACTION_CONTRACT_MISSING", "the contract could not be created, so nothing can be done with it",
		"create the contract again")
	// ErrContested is why an action waits whose nonce another transaction has for now.
	ErrContested = problem.New("ACTION_CONTESTED", "another transaction of the account has the place of this action's, and may still lose it",
		"wait: the action is sent when it is known for ever which of both is in a block")
	// ErrInternal is the code of an action that could not be sent for no good reason.
	ErrInternal = problem.New("ACTION_NOT_SENT", "the action could not be sent",
		"ask again; if that fails too, see the log")
)

// blocked says that an action waits for others, by their ids; or, without ids,
// that it should be looked at again soon.
type blocked struct{ on []int }

func (b *blocked) Error() string { return fmt.Sprintf("waits for actions %v", b.on) }

// unkept says that the store could not be read or written.
type unkept struct{ cause error }

func (e *unkept) Error() string { return "the off-chain store: " + e.cause.Error() }
func (e *unkept) Unwrap() error { return e.cause }

// stored tells what the store refuses, which is about one action, from what it
// cannot do at all.
func stored(err error) error {
	if err == nil || problem.CodeOf(err) != "INTERNAL" || errors.Is(err, context.Canceled) {
		return err
	}
	return &unkept{err}
}

// waits are the problems that pass by themselves, or with what an operator does:
// everything waits for that.
func waits(err error) bool {
	var u *unkept
	code := string(problem.CodeOf(err))
	store := strings.HasPrefix(code, "DATABASE_") || strings.HasPrefix(code, "JOURNAL_") || code == "STORE_CLOSED" // whoever asked it
	return store || errors.As(err, &u) || errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrForeign) ||
		errors.Is(err, vault.ErrDown) || errors.Is(err, vault.ErrLocked)
}

// final says whether an action that fails like this fails every time.
func final(err error) bool {
	var reverted *ledger.Reverted
	switch {
	case errors.As(err, &reverted):
		return true
	case errors.Is(err, ledger.ErrAnswer), errors.Is(err, ledger.ErrReplaced), errors.Is(err, ledger.ErrStateGone),
		errors.Is(err, ledger.ErrNonceUsed), errors.Is(err, ledger.ErrUnderpriced):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return problem.CodeOf(err) != "INTERNAL"
}

// told is what an action's row says of an error: a code, a sentence, and the
// contract's own words. What a problem was caused by is for the log, because it may
// name files, addresses and statements of this installation; but what the ledger
// said of the transaction is shown.
func told(err error) (code, message, reason string) {
	var reverted *ledger.Reverted
	var p *problem.Error
	var said *client.Error
	switch {
	case errors.As(err, &reverted):
		return string(ErrRefused.Code), reverted.Error(), reverted.Reason
	case !errors.As(err, &p):
		p = ErrInternal
	case p.Code == ledger.ErrRefused.Code && errors.As(p.Cause, &said):
		return string(p.Code), p.What + ": " + places.ReplaceAllString(said.Message, "…"), ""
	}
	return string(p.Code), p.What, ""
}

// places are addresses of machines and files in what a ledger says.
var places = regexp.MustCompile(`[a-z]+://\S+|\[[0-9a-f:]+\](:\d+)?|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\blocalhost(:\d+)?|(^|\s)/\S+`)
