package transport

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// link is the TCP connection below TLS. Deadlines roll: each read and write of
// it must make progress within a time, however long the whole takes, so a peer
// that stands still is noticed and one that is only slow is not cut off.
type link struct {
	net.Conn
	t        *Transport // nil: of no transport
	protocol string
	peer     Identity // the other end, from the handshake on
	dialled  *Peer    // what Peers said when this end dialled; nil when the other did
	tls      *tls.Conn
	onClose  func()
	parting  atomic.Bool // its farewell has begun

	read, write time.Duration // 0: no rolling deadline
	// answers is set where a write asks for an answer, or shows that the other end
	// takes what it is sent: the time to read begins anew.
	answers bool

	mu                sync.Mutex
	readEnd, writeEnd time.Time // deadlines that the layer above set
	closing           sync.Once
}

func (l *link) Read(b []byte) (int, error) {
	l.rollRead()
	return l.Conn.Read(b)
}

func (l *link) Write(b []byte) (int, error) {
	if l.write > 0 {
		l.mu.Lock()
		l.Conn.SetWriteDeadline(earlier(time.Now().Add(l.write), l.writeEnd))
		l.mu.Unlock()
	}
	if l.answers {
		l.rollRead()
	}
	return l.Conn.Write(b)
}

func (l *link) rollRead() {
	if l.read > 0 {
		l.mu.Lock()
		l.Conn.SetReadDeadline(earlier(time.Now().Add(l.read), l.readEnd))
		l.mu.Unlock()
	}
}

func (l *link) SetDeadline(end time.Time) error {
	if err := l.SetReadDeadline(end); err != nil {
		return err
	}
	return l.SetWriteDeadline(end)
}

func (l *link) SetReadDeadline(end time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readEnd = end
	return l.Conn.SetReadDeadline(end)
}

func (l *link) SetWriteDeadline(end time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeEnd = end
	return l.Conn.SetWriteDeadline(end)
}

// Close cuts the connection; TLS above says good-bye by its own Close.
func (l *link) Close() error {
	err := l.Conn.Close()
	l.closing.Do(func() {
		if l.t != nil {
			l.t.drop(l)
		}
		if l.onClose != nil {
			l.onClose()
		}
	})
	return err
}

// farewell tells the other end why, where the protocol has a place for it, and
// cuts the connection.
func (l *link) farewell(code problem.Code) {
	if l.tls != nil && (l.protocol == ProtocolRaft || l.protocol == ProtocolAppend) {
		l.tls.Write(appendFrame(nil, frameGoodbye, []byte(code)))
	}
	l.Close()
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
