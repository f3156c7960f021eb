package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// registerConstants adds the methods whose answers hardly depend on anything.
func (a *API) registerConstants(d *jsonrpc.Dispatcher) {}
