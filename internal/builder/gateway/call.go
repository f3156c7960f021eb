package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// call is one request and its answer.
type call struct {
	g       *Gateway
	w       http.ResponseWriter
	r       *http.Request
	route   *route
	version int   // 1 or 2: of the path
	ids     []int // the path's parameters, in order
	query   url.Values
	claims  *identity.Claims
	person  *workspace.Person
	started bool          // the answer's status was sent
	room    chan struct{} // where the call has a place, for as long as it lasts
}

// enter takes a place in a room, or says that it is full.
func (c *call) enter(room chan struct{}) error {
	select {
	case room <- struct{}{}:
		c.room = room
		return nil
	default:
		return errCrowded
	}
}

// wait takes a place in a room as soon as there is one.
func (c *call) wait(room chan struct{}) error {
	select {
	case room <- struct{}{}:
		c.room = room
		return nil
	case <-c.r.Context().Done():
		return c.r.Context().Err()
	}
}

// leave gives the place back that the call has, if any.
func (c *call) leave() {
	if c.room != nil {
		<-c.room
		c.room = nil
	}
}

const jsonKind = "application/json; charset=utf-8"

// mostQuery is how many bytes a query may have.
const mostQuery = 16 << 10

// parseQuery reads the query. Names of parameters are folded to lower case, as
// the servers that clients were written for do; a name given twice is refused.
func (c *call) parseQuery() error {
	if c.r.URL.RawQuery == "" {
		return nil
	}
	if len(c.r.URL.RawQuery) > mostQuery {
		return malformed("the query is longer than " + strconv.Itoa(mostQuery) + " bytes")
	}
	parsed, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return malformed("the query is not well-formed")
	}
	c.query = make(url.Values, len(parsed))
	for name, values := range parsed {
		lower := strings.ToLower(name)
		if _, twice := c.query[lower]; twice || len(values) > 1 {
			return malformed("the query has the parameter " + strconv.Quote(name) + " twice")
		}
		c.query[lower] = values
	}
	return nil
}

// param is a parameter of the query, or "".
func (c *call) param(name string) string { return c.query.Get(strings.ToLower(name)) }

// integer is a whole number of the query, or 0.
func (c *call) integer(name string) (int, error) {
	text := c.param(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, malformed("the parameter " + name + " is not a whole number")
	}
	return n, nil
}

// boolean is true or false of the query, or nil.
func (c *call) boolean(name string) (*bool, error) {
	text := c.param(name)
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return nil, malformed("the parameter " + name + " is neither true nor false")
	}
	return &v, nil
}

// flag is a parameter that is false when it is missing.
func (c *call) flag(name string) (bool, error) {
	v, err := c.boolean(name)
	return v != nil && *v, err
}

// expands says whether the parameter expand names a part of the answer.
func (c *call) expands(part string) bool {
	for name := range strings.SplitSeq(c.param("expand"), ",") {
		if strings.EqualFold(strings.TrimSpace(name), part) {
			return true
		}
	}
	return false
}

// Page sizes as Workbench had them.
const (
	usualTop = 20
	mostTop  = 100
)

// page is the part of a list that is asked for by top and skip.
func (c *call) page() (workspace.Page, error) {
	top, err := c.integer("top")
	if err != nil {
		return workspace.Page{}, err
	}
	skip, err := c.integer("skip")
	if err != nil {
		return workspace.Page{}, err
	}
	if top < 1 {
		top = usualTop
	}
	return workspace.Page{Skip: max(skip, 0), Top: min(top, mostTop)}, nil
}

// nextLink is the relative path of the page after p: the same question with
// another skip.
func (c *call) nextLink(p workspace.Page) string {
	q := c.r.URL.Query()
	for name := range q {
		if strings.EqualFold(name, "skip") {
			q.Del(name)
		}
	}
	q.Set("skip", strconv.Itoa(p.Skip+p.Top))
	return c.r.URL.EscapedPath() + "?" + q.Encode()
}

var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, 32<<10)} }}

// keepBuffer is the largest buffer that is kept for another answer.
const keepBuffer = 1 << 20

// json answers with what fill writes.
func (c *call) json(fill func(*writer)) error {
	w := writers.Get().(*writer)
	w.b = w.b[:0]
	fill(w)
	c.send(http.StatusOK, jsonKind, w.b)
	if cap(w.b) <= keepBuffer {
		writers.Put(w)
	}
	return nil
}

// number answers with a bare whole number, which is JSON too.
func (c *call) number(n int) error {
	c.send(http.StatusOK, jsonKind, strconv.AppendInt(nil, int64(n), 10))
	return nil
}

// truth answers with a bare true or false.
func (c *call) truth(v bool) error {
	c.send(http.StatusOK, jsonKind, strconv.AppendBool(nil, v))
	return nil
}

// done answers 200 with nothing.
func (c *call) done() error {
	c.send(http.StatusOK, "", nil)
	return nil
}

// nothing answers 204.
func (c *call) nothing() error {
	c.started = true
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// list answers with a page of things under a name, or with 204 when there are
// none. Whoever sends Prefer: return=representation (RFC 7240) gets the empty
// list instead.
func list[T any](c *call, name string, p workspace.Page, l workspace.List[T], one func(*writer, *T)) error {
	h := c.w.Header()
	if l.Total > 0 && !l.AtLeast { // no number where it is not known
		h.Set("X-Total-Count", strconv.Itoa(l.Total))
	}
	if len(l.Items) == 0 {
		if !strings.EqualFold(c.r.Header.Get("Prefer"), "return=representation") {
			return c.nothing()
		}
		h.Set("Preference-Applied", "return=representation")
	}
	return c.json(func(w *writer) {
		w.open()
		if l.Next {
			w.text("nextLink", c.nextLink(p))
		} else {
			w.null("nextLink")
		}
		w.key(name).array()
		for i := range l.Items {
			one(w, &l.Items[i])
		}
		w.end()
		w.close()
	})
}
