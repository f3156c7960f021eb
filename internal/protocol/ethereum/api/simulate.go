package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// registerSimulation adds what runs on an assumed state.
func (a *API) registerSimulation(d *jsonrpc.Dispatcher) {
	heavy, time := jsonrpc.Heavy, jsonrpc.Within(callTime)
	jsonrpc.Handle(d, "eth_createAccessList", a.createAccessList, heavy, time)
	jsonrpc.Handle(d, "eth_fillTransaction", a.fillTransaction, heavy, time)
}
