package membership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// known are the problems that travel; others arrive as ErrFailed: they say something
// of the node that was asked, and nothing of what it was asked for.
var known = []*problem.Error{ErrMessage, ErrRefused, sequencer.ErrNotPrimary, ErrUnknownNode, ErrLastVoter, ErrNoMajorityLeft, ErrFormat, ErrBehind}

// Elsewhere says that another node is to be asked.
type Elsewhere struct {
	Leader string // where, empty when it is not known
	Err    error
}

func (e *Elsewhere) Error() string { return e.Err.Error() }
func (e *Elsewhere) Unwrap() error { return e.Err }

// Doer sends a request over a session with a node; *http.Client is one.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Ask sends a question to a node and decodes its answer. sequencer.ErrNotPrimary comes as
// *Elsewhere.
func Ask(ctx context.Context, via Doer, host, path string, question, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+path, bytes.NewReader(format.Encode(question)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", mediaType)
	res, err := via.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusOK {
		if err := format.Decode(body, answer); err != nil {
			return ErrMessage.From(err)
		}
		return nil
	}
	var no refusal
	if err := format.Decode(body, &no); err != nil {
		if res.StatusCode >= http.StatusInternalServerError { // a node that starts
			return ErrFailed.From(fmt.Errorf("status %d", res.StatusCode))
		}
		return ErrMessage.From(fmt.Errorf("status %d", res.StatusCode))
	}
	for _, p := range known {
		if string(p.Code) != no.Code {
			continue
		}
		err := p.From(errors.New(no.Reason))
		if p == sequencer.ErrNotPrimary {
			return &Elsewhere{Leader: no.Leader, Err: p}
		}
		return err
	}
	return ErrFailed.From(fmt.Errorf("%s: %s", no.Code, no.Reason))
}

// SecretsContext is what the secrets in an answer are bound to.
func SecretsContext(service format.ServiceID, nodeKey []byte) []byte {
	return context256(service, nodeKey)
}
