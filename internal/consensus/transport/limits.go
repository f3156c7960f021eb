package transport

import (
	"cmp"
	"time"
)

// Limits of a transport. A zero field means its default, which fits one data
// centre.
type Limits struct {
	Dial      time.Duration // to connect; 1 s
	Handshake time.Duration // for TLS and the first frame, either side; 3 s
	Write     time.Duration // for one TLS record (16 KiB) to leave; 5 s
	Idle      time.Duration // without a byte, of entries in either direction, before a stream is given up; 10 s
	Ping      time.Duration // between two pings on a stream; 1 s
	// A lost connection is made again after a pause that doubles from Backoff
	// up to MostBackoff, and of which a random half is waited; 20 ms, 1 s.
	Backoff, MostBackoff time.Duration

	// Queues of one peer. What does not fit is dropped: of control messages the
	// oldest, of appends the newest. 4096 and 4 MiB; 1024 and 32 MiB.
	ControlMessages, ControlBytes int
	AppendMessages, AppendBytes   int
	// The biggest message on each stream; 1 MiB, 64 MiB.
	ControlFrame, AppendFrame int

	// Connections from outside: all; from one IP address; those whose handshake
	// is not over (one address may have half of them); of one node beside its
	// two streams; of all who are no nodes. 1024, 256, 64, 64, 32.
	Connections, PerAddress, Handshakes, PerNode, Strangers int

	// HTTP: to send a request's header, its whole body, and the next request;
	// 5 s, 30 s, 60 s. Size of a header and of a body; 16 KiB, 4 MiB.
	Header, Body, NextRequest time.Duration
	HeaderBytes               int
	BodyBytes                 int64
	// Answer bounds how long a client waits for the header of an answer, and for
	// any further byte of it; 10 s.
	Answer time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Dial = cmp.Or(l.Dial, time.Second)
	l.Handshake = cmp.Or(l.Handshake, 3*time.Second)
	l.Write = cmp.Or(l.Write, 5*time.Second)
	l.Idle = cmp.Or(l.Idle, 10*time.Second)
	l.Ping = cmp.Or(l.Ping, time.Second)
	l.Backoff = cmp.Or(l.Backoff, 20*time.Millisecond)
	l.MostBackoff = cmp.Or(l.MostBackoff, time.Second)
	l.ControlMessages = cmp.Or(l.ControlMessages, 4096)
	l.ControlBytes = cmp.Or(l.ControlBytes, 4<<20)
	l.AppendMessages = cmp.Or(l.AppendMessages, 1024)
	l.AppendBytes = cmp.Or(l.AppendBytes, 32<<20)
	l.ControlFrame = cmp.Or(l.ControlFrame, 1<<20)
	l.AppendFrame = cmp.Or(l.AppendFrame, 64<<20)
	l.Connections = cmp.Or(l.Connections, 1024)
	l.PerAddress = cmp.Or(l.PerAddress, 256)
	l.Handshakes = cmp.Or(l.Handshakes, 64)
	l.PerNode = cmp.Or(l.PerNode, 64)
	l.Strangers = cmp.Or(l.Strangers, 32)
	l.Header = cmp.Or(l.Header, 5*time.Second)
	l.Body = cmp.Or(l.Body, 30*time.Second)
	l.NextRequest = cmp.Or(l.NextRequest, time.Minute)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 16<<10)
	l.BodyBytes = cmp.Or(l.BodyBytes, 4<<20)
	l.Answer = cmp.Or(l.Answer, 10*time.Second)
	return l
}
