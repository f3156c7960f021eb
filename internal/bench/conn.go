package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"

	"github.com/coder/websocket"
)

// conn is a kept connection with one request under way at a time. The
// generator shares its processor with the server, so requests are encoded
// before the run and answers are read with as little work as possible.
type conn interface {
	// send sends an encoded request and gives the answer's body, valid until the
	// next.
	send(request []byte) ([]byte, error)
	close()
}

// encoding makes what send takes of a JSON-RPC request. The result is a copy.
type encoding func(body []byte) []byte

// maxAnswer bounds the answer to one request.
const maxAnswer = 256 << 20

func connect(ctx context.Context, transport string, n Node) (conn, error) {
	if transport == "ws" {
		return dialWebSocket(ctx, n.WebSocket)
	}
	return dialHTTP(ctx, n.URL)
}

// encodingFor is the encoding of connect's connections. It needs no connection,
// because a server closes one that stays silent while a load is being signed.
func encodingFor(transport string, n Node) (encoding, error) {
	if transport == "ws" {
		return bytes.Clone, nil
	}
	return httpEncoding(n.URL)
}

func httpEncoding(address string) (encoding, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	header := "POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/json\r\nContent-Length: "
	return func(body []byte) []byte {
		request := make([]byte, 0, len(header)+12+len(body))
		request = append(request, header...)
		request = strconv.AppendInt(request, int64(len(body)), 10)
		request = append(request, "\r\n\r\n"...)
		return append(request, body...)
	}, nil
}

// httpConn is an HTTP/1.1 connection.
type httpConn struct {
	raw    net.Conn
	in     *bufio.Reader
	answer []byte
	stop   func() bool
}

func dialHTTP(ctx context.Context, address string) (*httpConn, error) {
	return dialHTTPS(ctx, address, nil)
}

// dialHTTPS is dialHTTP with what an https address needs; nil is the system's trust.
func dialHTTPS(ctx context.Context, address string, secure *tls.Config) (*httpConn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	host, port := u.Host, u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		host = net.JoinHostPort(u.Hostname(), port)
	}
	var raw net.Conn
	switch u.Scheme {
	case "http":
		raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", host)
	case "https":
		config := secure.Clone()
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		config.ServerName = u.Hostname()
		raw, err = (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", host)
	default:
		err = fmt.Errorf("%q is not an http address", address)
	}
	if err != nil {
		return nil, err
	}
	return &httpConn{
		raw: raw, in: bufio.NewReaderSize(raw, 64<<10),
		stop: context.AfterFunc(ctx, func() { raw.Close() }),
	}, nil
}

func (c *httpConn) send(request []byte) ([]byte, error) {
	if _, err := c.raw.Write(request); err != nil {
		return nil, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 20"))
	refusal := string(bytes.TrimSpace(status[min(len(status), len("HTTP/1.1 ")):]))
	length, chunked, err := c.readHeader()
	if err != nil {
		return nil, err
	}
	if err := c.readBody(length, chunked); err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("HTTP status " + refusal)
	}
	return c.answer, nil
}

// readHeader reads up to the body and gives its length.
func (c *httpConn) readHeader() (length int, chunked bool, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
}

func (c *httpConn) readBody(length int, chunked bool) error {
	c.answer = c.answer[:0]
	if !chunked {
		return c.readN(length)
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseUint(string(size), 16, 31)
		if err != nil {
			return err
		}
		if err := c.readN(int(n)); err != nil {
			return err
		}
		if _, err := c.in.ReadSlice('\n'); err != nil { // the end of the chunk, or of empty trailers
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// readN appends n bytes to the answer.
func (c *httpConn) readN(n int) error {
	have := len(c.answer)
	if n < 0 || have+n > maxAnswer {
		return errors.New("the answer is too long")
	}
	c.answer = append(c.answer, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.answer[have:])
	return err
}

func (c *httpConn) close() {
	c.stop()
	c.raw.Close()
}

// control is an HTTP connection for single questions, which it encodes itself.
// It is made when it is needed, and made again when the server has closed it for
// lack of use; a question may therefore be sent twice.
type control struct {
	ctx context.Context
	url string
	now *httpConn
}

func (c *control) send(body []byte) ([]byte, error) {
	encode, err := httpEncoding(c.url)
	if err != nil {
		return nil, err
	}
	request := encode(body)
	if c.now != nil {
		if answer, err := c.now.send(request); err == nil {
			return answer, nil
		}
		c.close()
	}
	now, err := dialHTTP(c.ctx, c.url)
	if err != nil {
		return nil, err
	}
	c.now = now
	return now.send(request)
}

// move asks at another address from now on.
func (c *control) move(url string) {
	if c.url != url {
		c.close()
		c.url = url
	}
}

func (c *control) close() {
	if c.now != nil {
		c.now.close()
		c.now = nil
	}
}

// wsConn is a WebSocket connection.
type wsConn struct {
	ctx    context.Context
	raw    *websocket.Conn
	answer bytes.Buffer
}

func dialWebSocket(ctx context.Context, address string) (*wsConn, error) {
	raw, _, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	raw.SetReadLimit(maxAnswer)
	return &wsConn{ctx: ctx, raw: raw}, nil
}

func (c *wsConn) send(request []byte) ([]byte, error) {
	if err := c.raw.Write(c.ctx, websocket.MessageText, request); err != nil {
		return nil, err
	}
	return c.receive()
}

func (c *wsConn) receive() ([]byte, error) {
	_, message, err := c.raw.Reader(c.ctx)
	if err != nil {
		return nil, err
	}
	c.answer.Reset()
	_, err = c.answer.ReadFrom(message)
	return c.answer.Bytes(), err
}

func (c *wsConn) close() { c.raw.CloseNow() }
