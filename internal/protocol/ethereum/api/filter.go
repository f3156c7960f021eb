package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// registerFilters adds filters that clients poll.
func (a *API) registerFilters(d *jsonrpc.Dispatcher) {}
