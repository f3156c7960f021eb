package portal

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

const (
	mostStreams  = 5000 // open at once
	mostOfPerson = 40   // of them one person's: a browser opens six at most
)

// streams are the event streams that are open.
type streams struct {
	mu  sync.Mutex
	all map[*stream]bool
	of  map[int]int // by person
}

type stream struct {
	person  int
	session string
	end     context.CancelFunc
}

// begin adds a stream unless there are too many.
func (s *streams) begin(one *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= mostStreams || s.of[one.person] >= mostOfPerson {
		return false
	}
	if s.all == nil {
		s.all, s.of = map[*stream]bool{}, map[int]int{}
	}
	s.all[one] = true
	s.of[one.person]++
	return true
}

func (s *streams) done(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, one)
	if s.of[one.person]--; s.of[one.person] == 0 {
		delete(s.of, one.person)
	}
}

// end ends the streams of a session that signed out.
func (s *streams) end(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.all {
		if one.session == session {
			one.end()
		}
	}
}

// view is what the query of a stream asks to hear of.
func view(r *http.Request) workspace.View {
	q := r.URL.Query()
	return workspace.View{ApplicationID: number(q.Get("application")), ContractID: number(q.Get("contract")), People: q.Has("people"), Ledgers: q.Has("ledgers")}
}

// events tells the browser that something changed which its page shows. It says no
// more than that; the script asks for the page again, with the rights that count
// then. Session and rights are looked at before each word that leaves; the stream
// ends with either, when the browser does not read, and when it signs out.
func events(x *visit) error {
	ctx, cancel := context.WithTimeout(x.ctx(), x.session.Claims.Expires.Sub(x.p.Clock()))
	defer cancel()
	one := &stream{x.person.ID, x.session.ID, cancel}
	if !x.p.streams.begin(one) {
		x.w.Header().Set("Retry-After", "5")
		http.Error(x.w, x.T("events.busy"), http.StatusServiceUnavailable)
		return nil
	}
	defer x.p.streams.done(one)
	what := view(x.r)
	since, known := x.p.unmarked(x.r.URL.Query().Get("since"))
	if !known { // what came since nobody knows when is everything, or nothing of interest
		since = x.p.Workspace.Sequence()
	}
	changes, err := x.person.Changes(ctx, what, since)
	if err != nil {
		return err
	}
	h := x.w.Header()
	page.Protect(h)
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(x.w)
	out.SetReadDeadline(time.Time{}) // of a request: a stream lasts
	send := func(s string) bool {
		if ctx.Err() != nil || !x.p.Sessions.Valid(x.session) || x.person.Sees(ctx, what) != nil {
			return false
		}
		out.SetWriteDeadline(time.Now().Add(x.p.Slowest))
		if _, err := x.w.Write([]byte(s)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	word := "retry: 2000\n\n"
	if !known && x.r.URL.Query().Has("since") {
		word += "data: changed\n\n"
	}
	beat := time.NewTicker(x.p.Heartbeat)
	defer beat.Stop()
	for send(word) {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-changes:
			if !ok {
				return nil
			}
			word = "data: changed\n\n"
		case <-beat.C:
			word = ": still here\n\n"
		}
	}
	return nil
}

// marked seals the number of a state of the store, and when it was: how much others
// do is nobody's business, so two pages' marks cannot even be compared.
func (p *Portal) marked(sequence uint64) string {
	return p.marks.seal(strconv.FormatUint(sequence, 10), p.Clock())
}

// marksLast is how long a mark is believed: what was read longer ago is read again,
// whatever happened since.
const marksLast = time.Minute

func (p *Portal) unmarked(mark string) (sequence uint64, known bool) {
	text, at, ok := p.marks.open(mark)
	if !ok || p.Clock().Sub(at) > marksLast {
		return 0, false
	}
	sequence, err := strconv.ParseUint(text, 10, 64)
	return sequence, err == nil
}
