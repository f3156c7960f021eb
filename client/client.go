// Package client speaks with a node of coco, over JSON-RPC and for whoever is
// not part of the network: a service, a tool, an indexer. It asks in batches,
// bounds what it takes, tries again what is safe to try again, follows the chain
// without gaps, and checks receipts and checkpoints against a pinned service.
//
// Its methods of Ethereum work with other nodes too. What they ask is described
// in docs/reference/json-rpc.md, this package in docs/reference/client.md. For
// contracts use go-ethereum's ethclient and its bindings with the same address.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Options say how a node is asked. The zero value of each field is its default.
type Options struct {
	// WebSocket is the address for subscriptions. By default it is that of the node
	// with ws or wss in place of http or https.
	WebSocket string
	Header    http.Header // goes with every request, for example a bearer token
	TLS       *tls.Config
	// Service is the service's certificate or public key, PEM. When it is given
	// receipts and checkpoints are checked against it before they are returned.
	Service         []byte
	RequireHardware bool          // refuses proofs of a simulated network
	Linearizable    bool          // every read sees all that was committed anywhere before it began
	Timeout         time.Duration // of one request; 30 s
	Patience        time.Duration // how long what is safe to try again is tried; 5 s
	Poll            time.Duration // between two looks at the head where there are no subscriptions; 250 ms
	MaxAnswer       int           // bytes of one answer, of a whole batch too; 32 MiB
}

// Client speaks with one node. Its methods may be called by several goroutines.
// Every error is one of this package's, *Error, or the context's.
type Client struct {
	options Options
	url     string
	ws      string
	http    *http.Client
	head    atomic.Uint64 // the newest block heard of: a hint, never an answer
	blocks  atomic.Uint64 // average bytes of a block's answers: a hint
	codes   codes
}

// Dial makes a client of the node at an address, http or https. It does not
// connect: the node may come later.
func Dial(address string, o Options) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, ErrAddress.From(errors.Join(err, errors.New(address)))
	}
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	o.Poll = cmp.Or(o.Poll, 250*time.Millisecond)
	o.MaxAnswer = cmp.Or(o.MaxAnswer, 32<<20)
	if o.Linearizable {
		query := u.Query()
		query.Set("read", "linearizable")
		u.RawQuery = query.Encode()
		u.Path = cmp.Or(u.Path, "/")
	}
	c := &Client{options: o, url: u.String(), ws: o.WebSocket, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			DisableCompression: true, // what a compressed answer grows to is not known
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
	if c.ws == "" {
		u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
		c.ws = u.String()
	}
	return c, nil
}

var errRedirect = errors.New("the node sends elsewhere, which nodes do not")

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// heard keeps what the node last said of its head.
func (c *Client) heard(number uint64) { c.head.Store(number) }

// BlockNumber is the number of the newest block.
func (c *Client) BlockNumber(ctx context.Context) (number uint64, err error) {
	err = c.Retry(ctx, func(ctx context.Context) error {
		return c.read(ctx, func(s *cursor) { number = s.quantity() }, "eth_blockNumber")
	})
	if err == nil {
		c.heard(number)
	}
	return number, err
}
