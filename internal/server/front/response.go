package front

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// together is the size up to which a body is copied behind its head.
const together = 2 << 10

// Respond answers. fields are whole lines, each with its end; Date, Content-Length
// and Connection are added. If much of the body was not read the connection ends.
func (r *Request) Respond(status int, fields, body []byte) error {
	c := r.conn
	r.begin()
	if err := c.listenNoMore(); err != nil {
		return err
	}
	if most := c.server.others.WriteTimeout; time.Until(c.until) < most/2 {
		if err := c.limit(most, most/8); err != nil {
			return err
		}
	}
	out := append(strconv.AppendInt(append(c.out[:0], "HTTP/1.1 "...), int64(status), 10), ' ')
	out = append(append(out, http.StatusText(status)...), "\r\n"...)
	out = c.server.date.append(append(out, fields...))
	if r.left > skipBytes || c.state.Load() == last {
		out = append(out, "Connection: close\r\n"...)
	}
	if status != http.StatusNoContent {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(body)), 10), "\r\n"...)
	}
	out = append(out, "\r\n"...)
	if len(body) <= together {
		out, body = append(out, body...), nil
	}
	c.out = out[:0]
	if _, err := c.Write(out); err != nil || len(body) == 0 {
		return err
	}
	_, err := c.Write(body)
	return err
}

// date is the field Date (RFC 9110, 6.6.1), made once a second.
type date struct{ latest atomic.Pointer[dateLine] }

type dateLine struct {
	second int64
	text   string
}

func (d *date) append(out []byte) []byte {
	now := time.Now()
	line := d.latest.Load()
	if line == nil || line.second != now.Unix() {
		line = &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		d.latest.Store(line)
	}
	return append(out, line.text...)
}
