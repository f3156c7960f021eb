package jsonrpc

import (
	"cmp"
	"time"
)

// Limits bounds what one client can make the dispatcher do. All are hard: what
// exceeds one is answered with an error that names it. The zero value of a field
// means its default.
type Limits struct {
	RequestBytes  int           // one message or HTTP body
	ResponseBytes int           // one answer, of a whole batch too
	BatchItems    int           // calls in one batch
	Depth         int           // nesting of arrays and objects in a message
	NumberDigits  int           // characters of one JSON number
	CallTime      time.Duration // wall time of one call, unless its method has its own
	HeavyCalls    int           // calls of methods marked Heavy at work at once, over all clients
	InFlight      int           // messages at work at once on one session
	Subscriptions int           // subscriptions on one session
	QueueItems    int           // messages waiting to be written on one session
	QueueBytes    int           // their bytes
	Memory        int           // bytes of large requests and responses at once, over all clients
}

// DefaultLimits are the limits of a node that states no others.
var DefaultLimits = Limits{
	RequestBytes:  5 << 20,
	ResponseBytes: 25 << 20,
	BatchItems:    1000,
	Depth:         64,
	NumberDigits:  80,
	CallTime:      30 * time.Second,
	HeavyCalls:    16,
	InFlight:      64,
	Subscriptions: 256,
	QueueItems:    16384,
	QueueBytes:    16 << 20,
	Memory:        512 << 20,
}

// withDefaults fills every zero field from DefaultLimits.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		RequestBytes:  cmp.Or(l.RequestBytes, d.RequestBytes),
		ResponseBytes: cmp.Or(l.ResponseBytes, d.ResponseBytes),
		BatchItems:    cmp.Or(l.BatchItems, d.BatchItems),
		Depth:         cmp.Or(l.Depth, d.Depth),
		NumberDigits:  cmp.Or(l.NumberDigits, d.NumberDigits),
		CallTime:      cmp.Or(l.CallTime, d.CallTime),
		HeavyCalls:    cmp.Or(l.HeavyCalls, d.HeavyCalls),
		InFlight:      cmp.Or(l.InFlight, d.InFlight),
		Subscriptions: cmp.Or(l.Subscriptions, d.Subscriptions),
		QueueItems:    cmp.Or(l.QueueItems, d.QueueItems),
		QueueBytes:    cmp.Or(l.QueueBytes, d.QueueBytes),
		Memory:        cmp.Or(l.Memory, d.Memory),
	}
}
