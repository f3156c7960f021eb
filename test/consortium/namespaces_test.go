package consortium

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// namespaces are a wire of network namespaces (namespaces(7)): every node has its
// own, with one address, and a hub routes between them. A rule of the hub's
// routing (ip-rule(8)) loses every packet from one address to another, in one
// direction, without a word to anybody; a token bucket (tc-tbf(8)) slows a node down.
type namespaces struct {
	t    *testing.T
	name string // prefix of everything that is made
	net  string // the first three bytes of the addresses, 10.x.y

	mu   sync.Mutex
	have map[int]bool
}

// namespacesAllowed says why this process can make no network namespaces.
var namespacesAllowed = sync.OnceValue(func() error {
	name := fmt.Sprintf("coco-%d-probe", os.Getpid())
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	return errors.Join(ip("-n", name, "rule", "add", "from", "10.0.0.1", "to", "10.0.0.2", "blackhole"), ip("netns", "del", name))
})

func ip(args ...string) error { return try("ip", args...) }

func try(program string, args ...string) error {
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w %s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

func newNamespaces(t *testing.T) *namespaces {
	tag := rand.IntN(1 << 16)
	w := &namespaces{t: t, name: fmt.Sprintf("coco%04x", tag), net: fmt.Sprintf("10.%d.%d", 64+tag>>8&127, tag&255), have: map[int]bool{}}
	hub, outer := w.hub(), w.name+"out"
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for n := range w.have {
			w.must(ip("netns", "del", w.space(n)))
		}
		w.must(ip("netns", "del", hub)) // takes the links with it
	})
	w.must(ip("netns", "add", hub))
	w.must(ip("-n", hub, "link", "set", "lo", "up"))
	w.must(try("ip", "netns", "exec", hub, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
	w.must(ip("link", "add", outer, "type", "veth", "peer", "name", "out", "netns", hub))
	w.must(ip("addr", "add", w.net+".254/32", "dev", outer))
	w.must(ip("link", "set", outer, "up"))
	w.must(ip("route", "add", w.net+".0/24", "dev", outer, "src", w.net+".254"))
	w.must(ip("-n", hub, "link", "set", "out", "up"))
	w.must(ip("-n", hub, "route", "add", w.net+".254/32", "dev", "out"))
	w.proxyARP("out")
	return w
}

func (w *namespaces) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

func (w *namespaces) hub() string             { return w.name + "hub" }
func (w *namespaces) space(node int) string   { return fmt.Sprintf("%sn%d", w.name, node) }
func (w *namespaces) port(node int) string    { return fmt.Sprintf("to%d", node) }
func (w *namespaces) address(node int) string { return fmt.Sprintf("%s.%d", w.net, node) }

// proxyARP lets the hub answer for every address behind it.
func (w *namespaces) proxyARP(device string) {
	w.t.Helper()
	w.must(try("ip", "netns", "exec", w.hub(), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/"+device+"/proxy_arp; echo 0 > /proc/sys/net/ipv4/neigh/"+device+"/proxy_delay"))
}

func (w *namespaces) place(node int) place {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.have[node] {
		w.have[node] = true
		space, port := w.space(node), w.port(node)
		w.must(ip("netns", "add", space))
		w.must(ip("link", "add", port, "netns", w.hub(), "type", "veth", "peer", "name", "eth0", "netns", space))
		w.must(ip("-n", space, "link", "set", "lo", "up"))
		w.must(ip("-n", space, "addr", "add", w.address(node)+"/32", "dev", "eth0"))
		w.must(ip("-n", space, "link", "set", "eth0", "up"))
		w.must(ip("-n", space, "route", "add", "default", "dev", "eth0"))
		w.must(ip("-n", w.hub(), "link", "set", port, "up"))
		w.must(ip("-n", w.hub(), "route", "add", w.address(node)+"/32", "dev", port))
		w.proxyARP(port)
	}
	a := w.address(node)
	return place{peer: a + ":7545", advertise: a + ":7545", client: a + ":8545", operations: a + ":9545"}
}

func (w *namespaces) command(node int, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", w.space(node), program}, args...)...)
}

func (w *namespaces) began(int, int) {}

func (w *namespaces) cut(from, to int)  { w.rule("add", from, to) }
func (w *namespaces) mend(from, to int) { w.rule("del", from, to) }

func (w *namespaces) rule(what string, from, to int) {
	if err := ip("-n", w.hub(), "rule", what, "from", w.address(from), "to", w.address(to), "blackhole"); err != nil {
		w.t.Error(err)
	}
}

func (w *namespaces) slow(to, rate int) {
	if rate == 0 {
		w.must(try("ip", "netns", "exec", w.hub(), "tc", "qdisc", "del", "dev", w.port(to), "root"))
		return
	}
	w.must(try("ip", "netns", "exec", w.hub(), "tc", "qdisc", "add", "dev", w.port(to), "root", "tbf",
		"rate", fmt.Sprintf("%dbps", rate), "burst", "64k", "latency", "400ms")) // bps is bytes a second here
}
