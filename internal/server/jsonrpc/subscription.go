package jsonrpc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// ID names a subscription on its session. It cannot be guessed.
type ID string

// subscription is one stream of notifications to the client of a session.
type subscription struct {
	id     ID
	run    func(context.Context, *Notifier) error
	ctx    context.Context
	cancel context.CancelFunc
}

// visit is what the calls of one message did to their session.
type visit struct {
	session *Session
	opened  []*subscription
}

type visitKey struct{}

// ErrNoNotifications answers a subscription over a connection that cannot
// carry one.
var ErrNoNotifications = &Error{Code: CodeMethodNotFound, Message: "notifications not supported"}

// Subscribe opens a subscription on the session that the call in ctx came by.
// run is called exactly once, in a goroutine of its own after the answer to the
// call, and returns when its context ends. An error of run ends the whole session with
// that error as its reason.
func Subscribe(ctx context.Context, run func(ctx context.Context, n *Notifier) error) (ID, error) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		return "", ErrNoNotifications
	}
	return v.session.open(v, run)
}

// Unsubscribe ends a subscription of the session that the call in ctx came by,
// and reports whether there was one.
func Unsubscribe(ctx context.Context, id ID) (bool, error) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		return false, ErrNoNotifications
	}
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subscriptions[id]
	if sub == nil {
		return false, nil
	}
	sub.cancel()
	delete(s.subscriptions, id)
	return true, nil
}

func (s *Session) open(v *visit, run func(context.Context, *Notifier) error) (ID, error) {
	sub := &subscription{id: NewID(), run: run}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return "", Errorf("%v", ErrDrained)
	}
	if len(s.subscriptions) >= s.d.limits.Subscriptions {
		return "", &Error{Code: CodeLimit, Message: "too many subscriptions on this connection"}
	}
	sub.ctx, sub.cancel = context.WithCancel(s.ctx)
	s.subscriptions[sub.id] = sub
	v.opened = append(v.opened, sub)
	return sub.id, nil
}

// follow runs a subscription to its end.
func (s *Session) follow(sub *subscription) {
	n := &Notifier{session: s, sub: sub, head: []byte(
		`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"` + string(sub.id) + `","result":`)}
	var err error
	func() {
		defer s.d.contain("eth_subscription", &err)
		err = sub.run(sub.ctx, n)
	}()
	ended := sub.ctx.Err() != nil
	s.mu.Lock()
	sub.cancel()
	delete(s.subscriptions, sub.id)
	s.mu.Unlock()
	if err != nil && !ended {
		s.cancel(err)
	}
}

// Notifier sends the notifications of one subscription.
type Notifier struct {
	session *Session
	sub     *subscription
	head    []byte
	patient bool
}

// Patient makes Notify wait for the client instead of failing with ErrSlow: for
// those who can tell later what they cannot now. A client that reads nothing at
// all is cut off by the transport.
func (n *Notifier) Patient() { n.patient = true }

var notificationTail = []byte("}}")

// Notify queues one notification. The parts of result are JSON together. They are
// not copied and should be shared between sessions; they must not change any more.
// Where the client does not keep up the error is ErrSlow, which the subscription
// should return.
func (n *Notifier) Notify(result ...[]byte) error {
	parts := append(append(append(make([][]byte, 0, len(result)+2), n.head), result...), notificationTail)
	err := n.offer(parts)
	if err == ErrSlow && n.patient {
		if err := n.session.out.insist(n.sub.ctx, func() bool { err = n.offer(parts); return err != ErrSlow }); err != nil {
			return err
		}
	}
	return err
}

func (n *Notifier) offer(parts [][]byte) error {
	n.session.mu.Lock()
	defer n.session.mu.Unlock()
	if err := n.sub.ctx.Err(); err != nil { // not after the answer to eth_unsubscribe
		return err
	}
	if !n.session.out.offer(parcel{parts: parts, news: true}) {
		return ErrSlow
	}
	return nil
}

// NewID makes an id as geth writes them: 128 random bits, without leading zeros.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	digits := strings.TrimLeft(hex.EncodeToString(b[:]), "0")
	if digits == "" {
		digits = "0"
	}
	return ID("0x" + digits)
}
