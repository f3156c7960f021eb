package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// registerDebug adds traces.
func (a *API) registerDebug(d *jsonrpc.Dispatcher) {}
