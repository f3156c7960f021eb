package operations

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Node is what operations reads of a node.
type Node interface {
	Status() Status
	Live() error  // why the process should be ended, or nil
	Ready() error // why clients should be sent elsewhere, or nil
}

// Controlled is what a node can be told. Isolate and Heal stand for a broken
// network and Pause and Resume for a process that stands still: they are for
// development.
type Controlled interface {
	Drain(ctx context.Context) error
	Retire(ctx context.Context, raftID uint64) error
	RaiseFormat(ctx context.Context, level uint64) error
	Pause()
	Resume()
	Isolate(ids []uint64)
	Heal()
}

// Problems of commands to a node.
var (
	ErrCommand = problem.New("OPERATOR_COMMAND", "the command to the node was not understood",
		"see docs/reference/operations.md for the commands and their arguments")
	ErrDevelopment = problem.New("OPERATOR_DEVELOPMENT", "that command is for the development network only",
		"use drain, retire and raise-format on a real network")
)

// Observe answers GET /status, /metrics, /livez and /readyz. It shows nothing
// that must not be seen on the network of the machines that run the service.
// metrics may be nil.
func Observe(n Node, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, complete(n.Status())) })
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { probe(w, n.Live()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { probe(w, n.Ready()) })
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	return mux
}

// Read is the status of a node with its warnings, as GET /status gives it.
func Read(n Node) Status { return complete(n.Status()) }

// Options say which commands Control takes beside drain, retire and raise-format.
type Options struct {
	Development bool   // pause, resume, isolate and heal
	Stop        func() // ends the process, once the answer is written; nil: there is no such command
}

// commandTime is how long a command may take: handing leadership over and being
// retired wait for other nodes.
const commandTime = 2 * time.Minute

// Control answers POST /drain, /retire?node=ID, /raise-format?level=N, /pause,
// /resume, /isolate?nodes=ID,ID, /heal, /profile and /stop. It must be served on nothing but Listen's
// socket: whoever may connect may do all of that.
func Control(n Controlled, o Options) http.Handler {
	mux := http.NewServeMux()
	on := func(name string, do func(ctx context.Context, r *http.Request) error) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), commandTime)
			defer cancel()
			Answer(w, do(ctx, r))
		})
	}
	development := func(name string, do func(r *http.Request) error) {
		on(name, func(_ context.Context, r *http.Request) error {
			if !o.Development {
				return ErrDevelopment
			}
			return do(r)
		})
	}
	on("drain", func(ctx context.Context, _ *http.Request) error { return n.Drain(ctx) })
	on("retire", func(ctx context.Context, r *http.Request) error {
		ids, err := numbers(r.FormValue("node"))
		if err != nil || len(ids) != 1 {
			return ErrCommand.From(errors.New("retire wants node=ID, a Raft id"))
		}
		return n.Retire(ctx, ids[0])
	})
	on("raise-format", func(ctx context.Context, r *http.Request) error {
		level, err := strconv.ParseUint(r.FormValue("level"), 10, 64)
		if err != nil {
			return ErrCommand.From(errors.New("raise-format wants level=N, a format level"))
		}
		return n.RaiseFormat(ctx, level)
	})
	development("pause", func(*http.Request) error { n.Pause(); return nil })
	development("resume", func(*http.Request) error { n.Resume(); return nil })
	development("heal", func(*http.Request) error { n.Heal(); return nil })
	development("isolate", func(r *http.Request) error {
		ids, err := numbers(r.FormValue("nodes"))
		if err != nil {
			return ErrCommand.From(err)
		}
		n.Isolate(ids)
		return nil
	})
	takeStop(mux, o)
	takeProfile(mux)
	return mux
}

// takeStop takes the command that ends the process.
func takeStop(mux *http.ServeMux, o Options) {
	if o.Stop == nil {
		return
	}
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		Answer(w, nil)
		http.NewResponseController(w).Flush()
		o.Stop()
	})
}

// Local joins what Observe and Control answer, for the socket.
func Local(observe, control http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			control.ServeHTTP(w, r)
			return
		}
		observe.ServeHTTP(w, r)
	})
}

// numbers reads ids with commas between them.
func numbers(text string) ([]uint64, error) {
	var ids []uint64
	for part := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseUint(part, 10, 64)
		if err != nil || id == 0 {
			return nil, errors.New("node ids are numbers from 1, with commas between them")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// refusal is a problem as JSON, problem details (RFC 9457) with our members
// code and next.
type refusal struct {
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Code   problem.Code `json:"code"`
	Next   string       `json:"next"`
}

// Answer writes the outcome of a command: 204, or the problem.
func Answer(w http.ResponseWriter, err error) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := http.StatusConflict
	if errors.Is(err, ErrCommand) {
		status = http.StatusBadRequest
	}
	refuse(w, status, err)
}

func probe(w http.ResponseWriter, err error) {
	if err == nil {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
		return
	}
	refuse(w, http.StatusServiceUnavailable, err)
}

func refuse(w http.ResponseWriter, status int, err error) {
	var p *problem.Error
	if !errors.As(err, &p) {
		p = problem.New("INTERNAL", err.Error(), "see the node's log")
	}
	r := refusal{Title: p.What, Status: status, Code: p.Code, Next: p.Next}
	if p.Cause != nil {
		r.Detail = p.Cause.Error()
	}
	w.Header().Set("Content-Type", "application/problem+json")
	send(w, status, r)
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	send(w, status, value)
}

func send(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // a number that JSON cannot hold
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
