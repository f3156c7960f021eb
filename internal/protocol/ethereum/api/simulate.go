package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// registerSimulation adds what runs on an assumed state.
func (a *API) registerSimulation(d *jsonrpc.Dispatcher) {}
