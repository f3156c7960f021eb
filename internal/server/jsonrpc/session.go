package jsonrpc

import (
	"context"
	"errors"
	"sync"
)

// Transport is a connection that carries whole messages both ways.
type Transport interface {
	// Read gives the next message, whose memory it takes from the room, or an
	// error once the connection is closed. It is called by one goroutine.
	Read(*Room) ([]byte, error)
	// Write sends one message, which is in parts that it may not keep or change; it
	// may not block for ever. It is called by one goroutine.
	Write(parts ...[]byte) error
	// Close closes the connection, tells the client why where it still can, and
	// ends Read and Write. It may not block for ever.
	Close(reason error)
}

// Why a session ended, besides an error of its transport.
var (
	ErrSlow    = errors.New("the client reads too slowly: subscription messages exceeded the queue of this connection")
	ErrDrained = errors.New("the node is stopping")
)

// Session serves one connection: its calls run concurrently, up to
// Limits.InFlight, and it may hold subscriptions.
type Session struct {
	d      *Dispatcher
	t      Transport
	out    *outbox
	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc

	slots chan struct{} // one token for each message at work
	tasks sync.WaitGroup

	mu            sync.Mutex
	draining      bool
	subscriptions map[ID]*subscription
}

// NewSession makes a session over t whose calls have the values of ctx, the
// caller among them, and which ends with it.
func (d *Dispatcher) NewSession(ctx context.Context, t Transport) *Session {
	s := &Session{
		d: d, t: t,
		out:           newOutbox(d.limits),
		slots:         make(chan struct{}, d.limits.InFlight),
		subscriptions: make(map[ID]*subscription),
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// Run serves until the session's context ends, the transport fails or the
// session ends for a reason of its own, and gives that reason. Nothing of the
// session runs when it returns, and the transport is closed.
func (s *Session) Run() error {
	s.tasks.Go(func() {
		<-s.ctx.Done()
		s.t.Close(context.Cause(s.ctx))
	})
	s.tasks.Go(func() { s.cancel(s.write()) })
	s.cancel(s.read())
	s.tasks.Wait()
	s.out.drop()
	return context.Cause(s.ctx)
}

// read takes messages in and starts their calls.
func (s *Session) read() error {
	for {
		room := s.d.Room()
		message, err := s.t.Read(room)
		if err != nil {
			room.Free()
			return err
		}
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			room.Free()
			return s.ctx.Err()
		}
		s.tasks.Go(func() {
			defer func() { <-s.slots }()
			s.serve(message, room)
		})
	}
}

// serve answers one message, then begins the subscriptions that it opened, so
// that a subscription's id always precedes its first notification.
func (s *Session) serve(message []byte, room *Room) {
	v := &visit{session: s}
	response := s.d.Serve(WithRoom(context.WithValue(s.ctx, visitKey{}, v), room), message, nil)
	if len(response) == 0 || s.out.put(s.ctx, parcel{parts: [][]byte{response}, room: room}) != nil { // the session has ended
		room.Free()
	}
	for _, sub := range v.opened {
		s.tasks.Go(func() { s.follow(sub) })
	}
}

// write sends what waits in the outbox.
func (s *Session) write() error {
	var parcels []parcel
	var buffer []byte
	for {
		var err error
		if parcels, err = s.out.take(s.ctx, parcels[:0]); err != nil {
			return err
		}
		for i, p := range parcels {
			parcels[i] = parcel{}
			buffer, err = s.send(p, buffer[:0])
			s.out.written(p)
			if err != nil {
				for _, p := range parcels[i+1:] {
					p.room.Free()
				}
				return err
			}
		}
	}
}

// send sends one parcel. It puts the parts of a small message together in the
// buffer; a copy of a large one for each session would fill the memory.
func (s *Session) send(p parcel, buffer []byte) ([]byte, error) {
	switch {
	case p.passed != nil:
		close(p.passed)
		return buffer, nil
	case len(p.parts) > 1 && p.len() <= smallMessage:
		for _, part := range p.parts {
			buffer = append(buffer, part...)
		}
		return buffer, s.t.Write(buffer)
	}
	return buffer, s.t.Write(p.parts...)
}

// Drain begins nothing new, lets the calls at work finish and their answers be
// written, and then ends the session with ErrDrained; at once when ctx ends.
func (s *Session) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	for _, sub := range s.subscriptions {
		sub.cancel()
	}
	s.mu.Unlock()
	defer s.cancel(ErrDrained)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)() // nobody writes after that
	for range cap(s.slots) {                 // whoever holds all slots knows that no call is at work
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	s.out.flush(ctx)
}
