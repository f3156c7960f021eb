package operations

import (
	"net/http"
	"sync/atomic"
)

// Desk is where a process answers from its first moment: for a node that is on its
// way, which takes no command but stop and profile, and from Serves on for the node itself. It
// is a Node, and a handler of what Control answers.
type Desk struct {
	options Options
	node    atomic.Pointer[Node]
	control atomic.Pointer[http.Handler]
}

// NewDesk answers for a node that is on its way.
func NewDesk(arriving Node, o Options) *Desk {
	d := &Desk{options: o}
	mux := http.NewServeMux()
	takeStop(mux, o)
	takeProfile(mux)
	mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { Answer(w, arriving.Ready()) })
	d.is(arriving, mux)
	return d
}

// Serves answers for the node from now on.
func (d *Desk) Serves(n interface {
	Node
	Controlled
}) {
	d.is(n, Control(n, d.options))
}

func (d *Desk) is(n Node, control http.Handler) {
	d.node.Store(&n)
	d.control.Store(&control)
}

// Status implements Node.
func (d *Desk) Status() Status { return (*d.node.Load()).Status() }

// Live implements Node.
func (d *Desk) Live() error { return (*d.node.Load()).Live() }

// Ready implements Node.
func (d *Desk) Ready() error { return (*d.node.Load()).Ready() }

// ServeHTTP takes commands.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*d.control.Load()).ServeHTTP(w, r) }
