package nodefile

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

// fault is what is wrong with a field, and what to write instead.
type fault struct{ field, fix string }

// faults checks what the types of the fields do not.
func (c *File) faults() []fault {
	var list []fault
	wrong := func(field, fix string, args ...any) { list = append(list, fault{field, fmt.Sprintf(fix, args...)}) }
	address := func(field, value string, free bool) {
		_, port, err := net.SplitHostPort(value)
		n, bad := strconv.ParseUint(port, 10, 16)
		switch {
		case err != nil || bad != nil:
			wrong(field, "%q is no address: write HOST:PORT, such as 127.0.0.1:8545", value)
		case n == 0 && !free:
			wrong(field, "%q has no port: others must know it", value)
		}
	}
	if c.Data == "" {
		wrong("data", "name a directory")
	}
	address("client.listen", c.Client.Listen, true)
	address("peer.listen", c.Peer.Listen, true)
	for _, o := range []struct{ field, value string }{{"client.advertise", c.Client.Advertise}, {"peer.advertise", c.Peer.Advertise}} {
		if o.value != "" {
			address(o.field, o.value, false)
		}
	}
	if c.Operations.Listen != "" {
		address("operations.listen", c.Operations.Listen, true)
	}
	if (c.KeyValue.Listen != "") != (c.KeyValue.Clients != "") {
		wrong("keyvalue", "listen and clients belong together: where to serve, and the file with the certificates of those who certify clients")
	}
	if c.KeyValue.Listen != "" {
		address("keyvalue.listen", c.KeyValue.Listen, true)
	}
	for _, o := range c.Client.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			wrong("client.origins", "%q is no origin: write scheme://host or scheme://host:port with nothing behind it, or *", o)
		}
	}
	for _, p := range c.Join.Peers {
		address("join.peers", p, false)
	}
	if (len(c.Join.Peers) > 0) != (c.Join.Service != "") {
		wrong("join", "peers and service belong together: addresses of nodes, and the file with the service's certificate")
	}
	if t := time.Duration(c.Timing.Tick); t < time.Millisecond || t > 10*time.Second {
		wrong("timing.tick", "%v is out of range: write 1ms to 10s", t)
	}
	if c.Timing.Heartbeat < 1 {
		wrong("timing.heartbeat", "%d is too few: write 1 or more ticks", c.Timing.Heartbeat)
	}
	if c.Timing.Election <= c.Timing.Heartbeat || c.Timing.Election > 1000 {
		wrong("timing.election", "%d is out of range: write more ticks than heartbeat, ten times as many is usual, and at most 1000", c.Timing.Election)
	}
	if c.Snapshot.Records == 0 {
		wrong("snapshot.records", "0 would take a snapshot of every block: write 1 or more")
	}
	if c.Transfer.Rate < 64<<10 {
		wrong("transfer.rate", "%d bytes a second are too few to catch up with: write 64KiB or more", c.Transfer.Rate)
	}
	oneOf := func(field, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		wrong(field, "%q is not known: write one of %v", value, allowed)
	}
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "text", "json")
	if u, err := url.Parse(c.Tracing.Endpoint); c.Tracing.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		wrong("tracing.endpoint", "%q is no http or https address, such as http://127.0.0.1:4318", c.Tracing.Endpoint)
	}
	if !(c.Tracing.Ratio >= 0 && c.Tracing.Ratio <= 1) {
		wrong("tracing.ratio", "%v is out of range: write 0 (none) to 1 (all)", c.Tracing.Ratio)
	}
	return list
}
