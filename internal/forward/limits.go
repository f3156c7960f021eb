package forward

import (
	"cmp"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Protocol is the name (ALPN) of the streams between a Forwarder and an Intake.
const Protocol = "coco-forward/1"

// Limits bound memory and waiting. A zero field means its default.
type Limits struct {
	Requests int // that a Forwarder keeps
	Bytes    int // of them

	Window      int // requests on one stream that are not answered
	WindowBytes int // of them
	Streams     int // that an Intake serves at once

	Expiry   time.Duration // how long a Forwarder keeps a request
	Silence  time.Duration // without an answer after which a stream is given up
	Patience time.Duration // without a primary after which submissions are refused
	Backoff  time.Duration // between attempts to reach a primary, at most
}

// DefaultLimits fit one data centre.
var DefaultLimits = Limits{
	Requests: 32768, Bytes: 64 << 20, Window: 4096, WindowBytes: 8 << 20, Streams: 128,
	Expiry: time.Minute, Silence: 3 * time.Second, Patience: 5 * time.Second, Backoff: 500 * time.Millisecond,
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		Requests: cmp.Or(l.Requests, d.Requests), Bytes: cmp.Or(l.Bytes, d.Bytes),
		Window: cmp.Or(l.Window, d.Window), WindowBytes: cmp.Or(l.WindowBytes, d.WindowBytes), Streams: cmp.Or(l.Streams, d.Streams),
		Expiry: cmp.Or(l.Expiry, d.Expiry), Silence: cmp.Or(l.Silence, d.Silence),
		Patience: cmp.Or(l.Patience, d.Patience), Backoff: cmp.Or(l.Backoff, d.Backoff),
	}
}

// Problems of a request on its way to the primary.
var (
	ErrNoPrimary = problem.New("NO_PRIMARY", "the network has no primary that this node can reach, so it takes no writes",
		"try again later or through another node; reads go on. See which nodes are up with coco network status")
	ErrExpired = problem.New("NOT_FORWARDED", "this node did not get the transaction into the ledger in time; it may have gone through another node",
		"ask for its status, or send it again: it takes effect once however often it is sent")
	ErrSize = problem.New("REQUEST_SIZE", "the request is larger than a node forwards", "send less at a time")
	ErrForm = problem.New("FORWARD_FORM", "what came over a stream between nodes is not well formed",
		"check that all nodes run builds of coco that belong together")
)

// over is the error of a request without an ID or with a part that is too long.
func over(what string) error {
	return problem.Newf(ErrSize.Code, ErrSize.Next, "the request's %s is missing or longer than a node forwards", what)
}
