package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/coder/websocket"
)

const (
	maxMessage = 4 << 20          // bytes of a notification
	dialTime   = 10 * time.Second // for a connection and its subscription
	quiet      = 2 * time.Second  // after which a silent connection is not believed
	pingAfter  = 15               // quiet times until it must show that it lives
)

// listen opens a subscription, calls opened, and then each for what comes: for the
// newest when several have come, unless the subscription names a block to begin
// with; and without anything when nothing comes for a while. It ends with the
// connection, or with an error of what it calls.
func (c *Client) listen(ctx context.Context, params []any, opened func() error, each func(text []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := c.subscribe(ctx, params)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := opened(); err != nil {
		return err
	}
	came, broken := make(chan []byte, 256), make(chan error, 1)
	done := make(chan struct{})
	defer func() { // no reader is left behind
		cancel()
		conn.CloseNow()
		<-done
	}()
	go func() {
		defer close(done)
		broken <- receive(ctx, conn, came)
	}()
	every := len(params) > 1
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for silent := 0; ; {
		var text []byte
		select {
		case err := <-broken:
			return err
		case text = <-came:
			silent = 0
			for more := !every; more; {
				select {
				case text = <-came:
				default:
					more = false
				}
			}
		case <-silence.C:
			if silent++; silent%pingAfter == 0 {
				if err := ping(ctx, conn); err != nil {
					return ErrUnreachable.From(err)
				}
			}
		}
		if text != nil || !every {
			if err := each(text); err != nil {
				return err
			}
		}
		silence.Reset(quiet)
	}
}

func ping(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return conn.Ping(ctx)
}

// subscribe connects and subscribes.
func (c *Client) subscribe(ctx context.Context, params []any) (_ *websocket.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, c.ws, &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: c.options.Header})
	if err != nil {
		return nil, ErrUnreachable.From(err)
	}
	defer func() {
		if err != nil {
			conn.CloseNow()
		}
	}()
	conn.SetReadLimit(maxMessage)
	call := []Request{{Method: "eth_subscribe", Params: params}}
	body, err := appendCall(nil, 0, &call[0])
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, body); err != nil {
		return nil, ErrUnreachable.From(err)
	}
	_, text, err := conn.Read(ctx)
	if err != nil {
		return nil, ErrUnreachable.From(err)
	}
	if err := (&cursor{text: text}).response(call); err != nil {
		return nil, err
	}
	var id string
	if call[0].Err == nil && json.Unmarshal(call[0].Result, &id) != nil {
		return nil, ErrAnswer.From(errors.New("a subscription without a name"))
	}
	return conn, call[0].Err
}

// receive gives the results of notifications, as they come. Whoever does not take
// them keeps the node waiting.
func receive(ctx context.Context, conn *websocket.Conn, came chan<- []byte) error {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return ErrUnreachable.From(err)
		}
		s := &cursor{text: text}
		var result []byte
		s.object(func(name []byte) {
			if string(name) == "params" {
				s.object(func(name []byte) {
					if string(name) == "result" {
						result = s.raw()
					}
				})
			}
		})
		if s.err != nil {
			return ErrAnswer.From(s.err)
		}
		if result == nil {
			continue
		}
		select {
		case came <- result:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
