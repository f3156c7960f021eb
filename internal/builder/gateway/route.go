package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// who may call an operation at all. Which things they may see or change by it is
// decided by workspace.
type who int

const (
	anyone        who = iota // without a token
	user                     // whoever signed in
	administrator            // whose token says so
)

// route is one operation: a row of the table from which requests are served and
// the OpenAPI document is made.
type route struct {
	method string
	path   string // below /api/v1 and /api/v2; from the root if it begins with /api
	id     string // operationId, Workbench's where it had the operation
	who    who
	query  string // parameters: name, or name:type; + marks an addition
	body   string // a model, or files and their names
	answer string // a model, models with |, integer, boolean, nothing (200), none (204), never (501), file, events, json or schema
	text   string // what it does
	extra  bool   // an addition to Workbench
	serve  func(*call) error
}

// node is a part of a path with what may follow. A literal part wins over a
// parameter; where it leads nowhere the parameter is tried.
type node struct {
	literal   map[string]*node // by part in lower case
	parameter *node
	methods   map[string]*route
}

// tree makes the tree of all routes under both versions.
func tree(routes []route) *node {
	root := &node{}
	for i := range routes {
		for _, path := range routes[i].paths() {
			at := root
			for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
				at = at.child(part)
			}
			if at.methods == nil {
				at.methods = map[string]*route{}
			}
			at.methods[routes[i].method] = &routes[i]
		}
	}
	return root
}

// paths are the whole paths of a route.
func (r *route) paths() []string {
	if strings.HasPrefix(r.path, "/api/") {
		return []string{r.path}
	}
	return []string{"/api/v1" + r.path, "/api/v2" + r.path}
}

func (n *node) child(part string) *node {
	if strings.HasPrefix(part, "{") {
		if n.parameter == nil {
			n.parameter = &node{}
		}
		return n.parameter
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	part = strings.ToLower(part)
	if n.literal[part] == nil {
		n.literal[part] = &node{}
	}
	return n.literal[part]
}

// find follows the parts of a path; args are the values of its parameters.
func (n *node) find(parts, args []string) (*node, []string) {
	if len(parts) == 0 {
		if n.methods == nil {
			return nil, nil
		}
		return n, args
	}
	part := strings.ToLower(parts[0])
	if part == "graph-proxy" {
		part = "graphproxy" // Workbench's oldest clients write it with a hyphen
	}
	if next := n.literal[part]; next != nil {
		if end, args := next.find(parts[1:], args); end != nil {
			return end, args
		}
	}
	if n.parameter == nil {
		return nil, nil
	}
	return n.parameter.find(parts[1:], append(slices.Clip(args), parts[0]))
}

var (
	errNoRoute  = problem.New("ROUTE_UNKNOWN", "the API has no such path", "The paths are in the OpenAPI document at /api/openapi.json")
	errNoMethod = problem.New("METHOD_UNKNOWN", "the path does not have that method", "The header Allow names the methods it has")
)

// mostParts bounds what is looked at of a path; no route has so many.
const mostParts = 12

// find looks for the request's route. It answers OPTIONS itself and then says
// that there is nothing left to do. As the servers that clients were written for,
// it minds neither case nor doubled slashes.
func (c *call) find() (bool, error) {
	var parts []string
	for part := range strings.SplitSeq(c.r.URL.Path, "/") {
		if part != "" {
			parts = append(parts, part)
		}
		if len(parts) > mostParts {
			return false, errNoRoute
		}
	}
	if len(parts) > 1 && strings.EqualFold(parts[1], "v2") {
		c.version = 2
	}
	end, args := c.g.routes.find(parts, nil)
	if end == nil {
		return false, errNoRoute
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if c.route = end.methods[method]; c.route == nil {
		allowed := []string{http.MethodOptions}
		for m := range end.methods {
			allowed = append(allowed, m)
			if m == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		slices.Sort(allowed)
		c.w.Header().Set("Allow", strings.Join(allowed, ", "))
		if method == http.MethodOptions {
			c.w.WriteHeader(http.StatusNoContent)
			return false, nil
		}
		return false, errNoMethod
	}
	return true, c.parameters(args)
}

// parameters takes the values of the path's parameters: whole numbers, but for
// {version}.
func (c *call) parameters(args []string) error {
	i := 0
	for part := range strings.SplitSeq(c.route.path, "/") {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		if part != "{version}" {
			n, err := strconv.Atoi(args[i])
			if err != nil {
				return malformed("the path's part " + strconv.Quote(args[i]) + " is not a whole number")
			}
			c.ids = append(c.ids, n)
		}
		i++
	}
	return nil
}
