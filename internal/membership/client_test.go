package membership

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// answers is a node that gives one answer to everything.
type answers struct {
	status int
	body   []byte
}

func (a answers) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(bytes.NewReader(a.body))}, nil
}

// TestAnswers tells what a node says of a question from what it says of itself.
func TestAnswers(t *testing.T) {
	no := func(code problem.Code) []byte { return format.Encode(&refusal{Code: string(code), Reason: "so"}) }
	for _, c := range []struct {
		name   string
		answer answers
		want   *problem.Error
	}{
		{"it refuses", answers{http.StatusForbidden, no(ErrRefused.Code)}, ErrRefused},
		{"it does not lead", answers{http.StatusMisdirectedRequest, no(sequencer.ErrNotPrimary.Code)}, sequencer.ErrNotPrimary},
		{"it starts", answers{http.StatusServiceUnavailable, []byte("the node is starting\n")}, ErrFailed},
		{"it has no room", answers{http.StatusForbidden, no("QUEUE_FULL")}, ErrFailed},
		{"it is broken", answers{http.StatusForbidden, no("INTERNAL")}, ErrFailed},
		{"it is something else", answers{http.StatusNotFound, []byte("404")}, ErrMessage},
		{"nobody understands it", answers{http.StatusOK, []byte("well")}, ErrMessage},
	} {
		var answer bool
		if err := Ask(t.Context(), c.answer, "node", PathJoin, &Retirement{RaftID: 1}, &answer); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %s", c.name, err, c.want.Code)
		}
	}
}
