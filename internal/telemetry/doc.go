// Package telemetry is what coco counts, times and traces: instruments for
// Prometheus, and spans for OpenTelemetry.
//
// Metrics are pulled: a room keeps its counters and a collector reads them when
// somebody asks. Only what a counter cannot say, how long something took, is
// given to an instrument here as it happens, through an interface that the room
// declares, so that no room knows Prometheus. Spans leave the process only to an
// address that was configured; without one nothing is recorded.
//
// Neither may carry a payload, an account, an address, a caller or a secret. The
// attributes of spans can only be made by the functions of this package, and the
// labels of metrics take values of a fixed set.
package telemetry
