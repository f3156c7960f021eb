package gateway

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// slowest is how long a client may take to accept one event before it is let go.
const slowest = 30 * time.Second

// maxStreams is how many event streams are open at once.
const maxStreams = 5000

var errStreams = problem.New("STREAMS_BUSY", "too many event streams are open", "Close some, or ask again in a moment")

// eventsGet tells of changes as they happen (server-sent events, HTML standard
// 9.2). Events have no content: who is told looks again, and sees what they may
// see then. A client that comes back with Last-Event-ID may have missed something
// and is told so by the event reset. The stream ends when the token does.
func eventsGet(c *call) error {
	applicationID, err := c.integer("applicationId")
	if err != nil {
		return err
	}
	contractID, err := c.integer("contractId")
	if err != nil {
		return err
	}
	if c.g.streams.Add(1) > maxStreams {
		c.g.streams.Add(-1)
		return errStreams
	}
	defer c.g.streams.Add(-1)
	ctx, cancel := context.WithDeadline(c.r.Context(), c.claims.Expires)
	defer cancel()
	changes, err := c.person.Watch(ctx, applicationID, contractID)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	s := stream{w: c.w, control: http.NewResponseController(c.w)}
	last := c.r.Header.Get("Last-Event-ID")
	s.number, _ = strconv.ParseUint(last, 10, 64)
	s.control.SetReadDeadline(time.Time{})
	c.started = true
	c.w.WriteHeader(http.StatusOK)
	s.b = append(s.b, "retry: 1000\n\n"...)
	if last != "" { // whatever it is, something may have been missed
		s.event(workspace.Event{Kind: "reset"})
	}
	if err := s.flush(); err != nil {
		return nil // the client has left
	}
	beat := time.NewTicker(c.g.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-changes:
			if !ok {
				return nil
			}
			s.event(e)
		case <-beat.C:
			s.b = append(s.b, ": alive\n\n"...)
		}
		if err := s.flush(); err != nil {
			return nil
		}
	}
}

// stream writes events. Their ids count what this client was told: the journal's
// own numbers would tell how much others do.
type stream struct {
	writer
	w       http.ResponseWriter
	control *http.ResponseController
	number  uint64
}

func (s *stream) event(e workspace.Event) {
	s.b = append(s.b, "id: "...)
	s.number++
	s.b = strconv.AppendUint(s.b, s.number, 10)
	s.b = append(append(s.b, "\nevent: "...), e.Kind...)
	s.b = append(s.b, "\ndata: {"...)
	s.identity("applicationId", e.ApplicationID)
	s.identity("contractId", e.ContractID)
	s.b = append(s.b, "}\n\n"...)
}

func (s *stream) flush() error {
	s.control.SetWriteDeadline(time.Now().Add(slowest))
	if _, err := s.w.Write(s.b); err != nil {
		return err
	}
	s.b = s.b[:0]
	return s.control.Flush()
}
