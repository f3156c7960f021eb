package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// ErrAbsent says that a client has no such entry.
var ErrAbsent = problem.New("KV_ABSENT", "there is no entry with that key", "put one, or check the key")

// details is a problem on the wire (RFC 9457).
type details struct {
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   problem.Code `json:"code"`
	Next   string       `json:"next"`
}

// problemOf is the answer to a request that fails: status, whether it is worth
// another try, and body. What is no problem is a fault of coco's own, whose text
// stays here.
func problemOf(err error) (code int, retry bool, body []byte) {
	p := problem.New("INTERNAL", "the node failed at this request", "see the node's log")
	errors.As(err, &p)
	d := details{Title: p.What, Status: status(err), Code: p.Code, Next: p.Next}
	body, err = json.Marshal(d)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return d.Status, d.Status == http.StatusServiceUnavailable, append(body, '\n')
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, err error) {
	code, retry, body := problemOf(err)
	if retry {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(body)
}

func status(err error) int {
	switch {
	case errors.Is(err, ErrAbsent):
		return http.StatusNotFound
	case errors.Is(err, keyvalue.ErrValue):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, keyvalue.ErrKey), errors.Is(err, keyvalue.ErrRequest):
		return http.StatusBadRequest
	case errors.Is(err, keyvalue.ErrClient):
		return http.StatusUnauthorized
	case errors.Is(err, sequencer.ErrOutcomeUnknown), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, sequencer.ErrBusy), problem.CodeOf(err) != "INTERNAL":
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
