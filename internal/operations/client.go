package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// maxAnswer bounds what a client reads of a node.
const maxAnswer = 8 << 20

// ErrAnswer says that what answers on the socket is no node, or an older one.
var ErrAnswer = problem.New("OPERATOR_ANSWER", "the answer on the operator socket cannot be used",
	"use the coco that the node runs")

// Client speaks to the node of a data directory through its socket.
type Client struct{ http *http.Client }

// Dial makes a client; connections are made when they are needed.
func Dial(data string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, data) },
		IdleConnTimeout: 10 * time.Second,
	}}}
}

// Close gives idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks for the node's status.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.Get(ctx, "/status", &s)
}

// Get asks for JSON. A path that does not exist is ErrAnswer.
func (c *Client) Get(ctx context.Context, path string, answer any) error {
	return c.ask(ctx, http.MethodGet, path, nil, answer)
}

// Post gives a command and waits for its end.
func (c *Client) Post(ctx context.Context, path string, arguments url.Values) error {
	return c.ask(ctx, http.MethodPost, path, arguments, nil)
}

func (c *Client) ask(ctx context.Context, method, path string, arguments url.Values, answer any) error {
	body, err := c.exchange(ctx, method, path, arguments)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return ErrAnswer.From(err)
	}
	return nil
}

// exchange is the body of the answer, or the problem that it tells.
func (c *Client) exchange(ctx context.Context, method, path string, arguments url.Values) ([]byte, error) {
	target := "http://operator" + path
	if len(arguments) > 0 {
		target += "?" + arguments.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, ErrDenied.From(err)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrUnreachable
	case err != nil:
		return nil, ErrUnreachable.From(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, ErrAnswer.From(err)
	}
	if response.StatusCode < 300 {
		return body, nil
	}
	var refused refusal
	if json.Unmarshal(body, &refused) != nil || refused.Code == "" {
		return nil, ErrAnswer.From(fmt.Errorf("%s %s: %s", method, path, response.Status))
	}
	p := problem.New(refused.Code, refused.Title, refused.Next)
	if refused.Detail != "" {
		p.Cause = errors.New(refused.Detail)
	}
	return nil, p
}
