package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of the way to a node, and of what comes back.
var (
	ErrAddress = problem.New("NODE_ADDRESS", "that is no address of a node",
		"give one with http or https, like http://127.0.0.1:8545")
	ErrUnreachable = problem.New("NODE_UNREACHABLE", "no node answers there",
		"start one with coco start, or name the address of one that runs with --rpc")
	ErrAnswer = problem.New("NODE_ANSWER", "the node's answer cannot be used",
		"check that --rpc names a node of coco and nothing between changes its answers")
	ErrTooLarge = problem.New("NODE_ANSWER_SIZE", "the node's answer is larger than is taken",
		"ask for less at a time")
	ErrNoBlock = problem.New("NO_BLOCK", "the ledger has no such block",
		"ask for one up to its head")
	ErrNotCommitted = problem.New("NOT_COMMITTED", "the transaction is not committed yet, or it is not known whether it is",
		"ask for its status, or send the same transaction again: it takes effect once")
	ErrProof = problem.New("PROOF_OTHER", "the proof is of something else than was asked for",
		"do not rely on what the node says; ask another one")
)

// Error is an error that a node answered (JSON-RPC 2.0 section 5.1).
type Error struct {
	Code    int
	Message string
	Data    json.RawMessage
	// Name and Next are coco's own code of the problem and what to do, empty when the
	// node gave none.
	Name, Next string
}

// Error gives the node's words.
func (e *Error) Error() string {
	if e.Name != "" {
		return e.Name + ": " + e.Message
	}
	return e.Message
}

// ErrorCode and ErrorData implement go-ethereum's rpc.Error and rpc.DataError.
func (e *Error) ErrorCode() int { return e.Code }
func (e *Error) ErrorData() any { return e.Data }

// The codes of errors that this package acts upon.
const (
	codeReverted = 3
	codeMethod   = -32601
	codeInternal = -32603
	codeTimeout  = -32002
	codeTooLarge = -32003
	codeLimit    = -32005
)

// Reverted gives what a contract reverted with, when that is what err says.
func Reverted(err error) (data []byte, ok bool) {
	var e *Error
	if !errors.As(err, &e) || e.Code != codeReverted {
		return nil, false
	}
	s := cursor{text: e.Data}
	data = s.data()
	return data, s.err == nil
}

// nameForm is the form of a problem's code.
var nameForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,40}$`)

// The longest that is shown of what a node says.
const maxWords = 2000

// decodeError reads an error object. One that makes no sense is an error all the same.
func decodeError(text []byte) error {
	var e struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return ErrAnswer.From(fmt.Errorf("an error in no known form: %w", err))
	}
	out := &Error{Code: e.Code, Message: printable(e.Message), Data: e.Data}
	var said struct{ Code, Next string }
	if json.Unmarshal(e.Data, &said) == nil && nameForm.MatchString(said.Code) {
		out.Name, out.Next = said.Code, printable(said.Next)
	}
	return out
}

// printable is a foreign text as it may stand in a log, a terminal or a page.
func printable(s string) string {
	if len(s) > maxWords {
		s = s[:maxWords]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}

// Temporary reports whether it is worth asking the same again in a moment.
func Temporary(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Code == codeLimit && e.Name != "REPLAY_TOO_LONG" && e.Name != "LOGS_TOO_WIDE" || e.Name == "INDEX_BEHIND" ||
			strings.HasSuffix(e.Message, "indexing is in progress") // geth's
	}
	return errors.Is(err, ErrUnreachable)
}

// Retry does again what ended with an error that is Temporary, for as long as the
// client is patient.
func (c *Client) Retry(ctx context.Context, do func(context.Context) error) error {
	end := time.Now().Add(c.options.Patience)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := do(ctx)
		if err == nil || !Temporary(err) || time.Now().Add(pause).After(end) {
			return err
		}
		if wait(ctx, pause) != nil {
			return ctx.Err()
		}
	}
}

// wait waits, or less when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
