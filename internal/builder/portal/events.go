package portal

import (
	"net/http"
	"time"

	"github.com/coco-consortium/coco/internal/builder/portal/page"
)

// events tells the browser that something changed which its page shows: an
// application's or a contract's. It says no more than that; the script asks for
// the page again, with the rights that count then.
func events(x *visit) error {
	q := x.r.URL.Query()
	changes, err := x.person.Watch(x.ctx(), number(q.Get("application")), number(q.Get("contract")))
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
		if _, err := x.w.Write([]byte(s)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return nil
	}
	if since := q.Get("since"); since != "" && since != x.since && !send("data: changed\n\n") {
		return nil
	}
	beat := time.NewTicker(x.p.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-x.ctx().Done():
			return nil
		case _, ok := <-changes:
			if !ok {
				return nil
			}
			for len(changes) > 0 { // one word for all that happened at once
				<-changes
			}
			if !send("data: changed\n\n") {
				return nil
			}
		case <-beat.C:
			if !x.p.Clock().Before(x.session.Claims.Expires) || !send(": still here\n\n") {
				return nil
			}
		}
	}
}
