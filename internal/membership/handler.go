package membership

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// The paths that Handler serves.
const (
	PathJoin    = "/membership/join"
	PathPromote = "/membership/promote"
	PathRetire  = "/membership/retire"
	PathRaise   = "/membership/format"
)

const mediaType = "application/cbor"

// Identity is who sent a request, as the transport established it.
type Identity struct {
	RaftID  uint64      // 0: a process that is no node of the network yet
	Key     format.Hash // SHA-256 of the SPKI that holds the session
	Session format.Hash // exported keying material, see attest.JoinBinding
}

// Handler serves the keeper to other nodes.
func (k *Keeper) Handler(identify func(*http.Request) (Identity, bool)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathJoin, func(w http.ResponseWriter, r *http.Request) {
		serve(k, identify, w, r, func(_ context.Context, from Identity, q *Request) (any, error) {
			return k.Admit(q, from.Key, from.Session)
		})
	})
	mux.HandleFunc("POST "+PathPromote, func(w http.ResponseWriter, r *http.Request) {
		serve(k, identify, w, r, func(_ context.Context, from Identity, q *Promotion) (any, error) {
			return true, k.Promote(from.RaftID, q)
		})
	})
	mux.HandleFunc("POST "+PathRetire, func(w http.ResponseWriter, r *http.Request) {
		serve(k, identify, w, r, func(ctx context.Context, from Identity, q *Retirement) (any, error) {
			if from.RaftID == 0 {
				return nil, ErrUnknownNode
			}
			return true, k.Retire(ctx, q.RaftID)
		})
	})
	mux.HandleFunc("POST "+PathRaise, func(w http.ResponseWriter, r *http.Request) {
		serve(k, identify, w, r, func(_ context.Context, from Identity, q *Raise) (any, error) {
			if from.RaftID == 0 {
				return nil, ErrUnknownNode
			}
			return true, k.Raise(q.Level)
		})
	})
	return mux
}

// serve decodes a question, and encodes what do answers.
func serve[Q any](k *Keeper, identify func(*http.Request) (Identity, bool), w http.ResponseWriter, r *http.Request,
	do func(context.Context, Identity, *Q) (any, error)) {
	from, ok := identify(r)
	if !ok {
		http.Error(w, "no identity", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var q Q
	if err == nil {
		err = format.Decode(body, &q)
	}
	if err != nil {
		k.refuse(w, http.StatusBadRequest, ErrMessage.From(err))
		return
	}
	answer, err := do(r.Context(), from, &q)
	switch {
	case errors.Is(err, sequencer.ErrNotPrimary):
		k.refuse(w, http.StatusMisdirectedRequest, err)
	case err != nil:
		k.refuse(w, http.StatusForbidden, err)
	default:
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(format.Encode(answer)) // who is gone needs no answer
	}
}

func (k *Keeper) refuse(w http.ResponseWriter, status int, err error) {
	body := refusal{Code: string(problem.CodeOf(err)), Reason: reason(err)}
	if leader := k.Network.Members().Get(k.Network.Leader()); leader != nil && leader.Node.RaftID != k.ID {
		body.Leader = leader.Address
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(format.Encode(&body))
}

// reason is what another node may read of an error: a problem's own words and
// its cause, nothing of a fault inside.
func reason(err error) string {
	if problem.CodeOf(err) == "INTERNAL" {
		return "the node failed; see its log"
	}
	return err.Error()
}
